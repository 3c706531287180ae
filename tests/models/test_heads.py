"""Heads: their layers one by one, learning, dropout, unknown names."""

import pytest
import torch
from torch import Tensor

from dualgaf.errors import ConfigError
from dualgaf.models.heads import HEADS, ResidualBlock, build_head


def normal(x: Tensor, state: dict[str, Tensor], at: str) -> Tensor:
    """Each row with mean 0 and deviation 1, then scale and shift."""
    centred = x - x.mean(dim=1, keepdim=True)
    spread = (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
    return centred / spread * state[f"{at}.weight"] + state[f"{at}.bias"]


def linear(x: Tensor, state: dict[str, Tensor], at: str) -> Tensor:
    return x @ state[f"{at}.weight"].T + state[f"{at}.bias"]


def gelu(x: Tensor) -> Tensor:
    return x * (1 + torch.erf(x / 2**0.5)) / 2


@pytest.mark.parametrize("name", HEADS)
def test_every_head_is_its_layers_one_by_one(name: str) -> None:
    torch.manual_seed(0)
    head, features = build_head(name, 24, 3, hidden=16, dropout=0.5).eval(), torch.randn(5, 24)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)  # also scales and shifts of normalisations
    state = {key.removeprefix("layers."): value for key, value in head.state_dict().items()}
    x = normal(features, state, "0")
    if name == "mlp":
        wanted = linear(gelu(linear(x, state, "2")), state, "5")
    elif name == "simple":
        wanted = linear(x, state, "2")
    else:
        inner = {"residual": 1, "residual_bottleneck": 2, "residual_dense": 2}[name]
        x = linear(x, state, "2")
        for block in ("3", "4"):
            path = normal(x, state, f"{block}.path.0")
            for number in range(inner):
                path = gelu(linear(path, state, f"{block}.path.{1 + 2 * number}"))
            x = x + linear(path, state, f"{block}.path.{1 + 2 * inner}")
        wanted = linear(normal(x, state, "5"), state, "6")
    torch.testing.assert_close(head(features), wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", HEADS)
def test_every_head_learns_a_few_windows_by_heart(name: str) -> None:
    torch.manual_seed(0)
    head = build_head(name, 64, 3, hidden=16, dropout=0.0)
    features, label = torch.randn(6, 64), torch.tensor([0, 1, 2, 2, 1, 0])
    optimizer = torch.optim.AdamW(head.parameters(), lr=2e-2)
    for _ in range(30):
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
