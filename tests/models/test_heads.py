"""Heads: shape, dropout, unknown names."""

import pytest
import torch

from dualgaf.errors import ConfigError
from dualgaf.models.heads import HEADS, MLPHead, ResidualBlock, build_head


def test_the_head_gives_one_logit_a_class() -> None:
    head = MLPHead(48, 5, hidden=16, dropout=0.0)
    assert head(torch.randn(1, 48)).shape == (1, 5)


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("n_features", [8, 640])
def test_every_head_learns_a_few_windows_by_heart(name: str, n_features: int) -> None:
    torch.manual_seed(0)
    head = build_head(name, n_features, 3, hidden=16, dropout=0.0)
    features, label = torch.randn(6, n_features), torch.tensor([0, 1, 2, 2, 1, 0])
    optimizer = torch.optim.AdamW(head.parameters(), lr=2e-2)
    for _ in range(60):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(head(features), label)
        loss.backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())
        optimizer.step()
    assert loss < 0.1


def test_the_inner_layers_of_the_residual_heads() -> None:
    lengths = {
        name: [
            [layer.out_features for layer in block.path if isinstance(layer, torch.nn.Linear)]
            for block in build_head(name, 24, 3, hidden=16, dropout=0.0).layers
            if isinstance(block, ResidualBlock)
        ]
        for name in HEADS
    }
    assert lengths == {
        "mlp": [],
        "simple": [],
        "residual": [[16, 16]] * 2,
        "residual_bottleneck": [[4, 4, 16]] * 2,
        "residual_dense": [[16, 16, 16]] * 2,
    }


def test_a_block_whose_last_layer_is_zero_is_the_identity() -> None:
    block, features = ResidualBlock(8, (4,), dropout=0.0), torch.randn(3, 8)
    torch.nn.init.zeros_(block.path[-2].weight)
    torch.nn.init.constant_(block.path[-2].bias, 0.5)
    torch.testing.assert_close(block(features), features + 0.5)


@pytest.mark.parametrize("name", HEADS)
def test_dropout_acts_in_training_only(name: str) -> None:
    head, features = build_head(name, 48, 5, hidden=16, dropout=0.5), torch.randn(4, 48)
    assert not torch.equal(head(features), head(features))
    head.eval()
    assert torch.equal(head(features), head(features))


def test_an_unknown_name_lists_the_allowed_ones() -> None:
    with pytest.raises(ConfigError) as error:
        build_head("mlpp", 8, 2, hidden=4, dropout=0.0)
    # The name may carry the group it is typed under on the command line, model.extractor=...
    assert str(error.value).replace("model.", "") == (
        "head='mlpp' is not known; allowed: mlp, simple, residual, residual_bottleneck, "
        "residual_dense; type head=mlp"
    )
