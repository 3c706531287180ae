"""How statistics join the images: shapes, values by hand, and what the embedding changes."""

import math

import pytest
import torch

from dualgaf.errors import ConfigError
from dualgaf.models.statistics_fusion import (
    STATISTICS_FUSIONS,
    AttentionStatistics,
    build_statistics_fusion,
)


@pytest.mark.parametrize("name", STATISTICS_FUSIONS)
def test_every_fusion_gives_one_row_a_window_and_learns(name: str) -> None:
    fusion = build_statistics_fusion(name, 16)
    joined = fusion(torch.randn(2, 3, 16), torch.randn(2, 16))
    assert joined.shape == (2, 16 * (3 + (name == "concat")))
    joined.square().sum().backward() if list(fusion.parameters()) else None
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in fusion.parameters())


@pytest.mark.parametrize("name", STATISTICS_FUSIONS)
def test_the_embedding_reaches_the_result_of_its_own_window_only(name: str) -> None:
    fusion = build_statistics_fusion(name, 16)
    features, embedding = torch.randn(2, 3, 16), torch.randn(2, 16)
    changed = embedding.clone()
    changed[1] += 1.0
    before, after = fusion(features, embedding), fusion(features, changed)
    torch.testing.assert_close(after[0], before[0])
    assert not torch.allclose(after[1], before[1], atol=1e-3)


def test_concat_lays_the_embedding_behind_the_signals() -> None:
    joined = build_statistics_fusion("concat", 2)(
        torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), torch.tensor([[5.0, 6.0]])
    )
    assert joined.tolist() == [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]


def test_adaptive_weighs_each_signal_against_the_embedding() -> None:
    fusion = build_statistics_fusion("adaptive", 1)
    with torch.no_grad():
        fusion.fusion.score.weight.zero_()
        fusion.fusion.score.bias.copy_(torch.tensor([3.0, 1.0]).log())
    joined = fusion(torch.tensor([[[4.0], [8.0]]]), torch.tensor([[-4.0]]))
    torch.testing.assert_close(joined, torch.tensor([[2.0, 5.0]]))


def test_gated_passes_both_behind_a_gate() -> None:
    fusion = build_statistics_fusion("gated", 1)
    with torch.no_grad():
        fusion.fusion.project.weight.copy_(torch.tensor([[2.0, -1.0], [0.0, 0.0]]))
        fusion.fusion.project.bias.copy_(torch.tensor([0.5, math.log(3.0)]))
    joined = fusion(torch.tensor([[[4.0], [8.0]]]), torch.tensor([[-4.0]]))
    torch.testing.assert_close(joined, torch.tensor([[0.75 * 12.5, 0.75 * 20.5]]))


def test_attention_agrees_with_its_formula() -> None:
    joined_by = build_statistics_fusion("attention", 8)
    fusion, features, embedding = joined_by.fusion, torch.randn(2, 3, 8), torch.randn(2, 8)
    wanted = []
    for window in range(2):
        for signal in features[window]:
            weights, biases = fusion.asks.in_proj_weight.chunk(3), fusion.asks.in_proj_bias.chunk(3)
            both = torch.stack((signal, embedding[window]))
            question = (weights[0] @ signal + biases[0]).view(4, 2)  # four heads of two features
            keys, values = ((both @ weights[k].T + biases[k]).view(2, 4, 2) for k in (1, 2))
            share = (torch.einsum("hf,nhf->nh", question, keys) / 2**0.5).softmax(dim=0)
            told = fusion.asks.out_proj(torch.einsum("nh,nhf->hf", share, values).flatten())
            wanted.append(torch.nn.functional.layer_norm(signal + told, (8,)))
    torch.testing.assert_close(joined_by(features, embedding), torch.stack(wanted).view(2, 24))


def test_attention_shares_between_the_signal_and_the_embedding() -> None:
    # With one answer to ask for, the question would not matter and its weights not learn.
    fusion = AttentionStatistics(8)
    fusion(torch.randn(2, 3, 8), torch.randn(2, 3, 8)).square().sum().backward()
    assert fusion.asks.in_proj_weight.grad is not None
    asking, told, _ = fusion.asks.in_proj_weight.grad.chunk(3)
    assert asking.abs().sum() > 0
    assert told.abs().sum() > 0


def test_an_unknown_name_lists_the_allowed_ones() -> None:
    with pytest.raises(ConfigError) as error:
        build_statistics_fusion("gate", 8)
    assert str(error.value) == (
        "model.statistics_fusion='gate' is not known; allowed: concat, attention, gated, adaptive; "
        "type model.statistics_fusion=gated"
    )
