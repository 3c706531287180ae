"""The fusions: values by hand, and properties of the weights."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from dualgaf.errors import ConfigError
from dualgaf.models.fusion import (
    FUSIONS,
    AdaptiveFusion,
    BidirectionalFusion,
    ConcatFusion,
    ElementwiseFusion,
    GatedFusion,
    WeightedAddFusion,
    build_fusion,
)


def test_adaptive_fusion_by_hand() -> None:
    fusion = AdaptiveFusion(1)
    with torch.no_grad():
        fusion.score.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
        fusion.score.bias.zero_()
    gasf, gadf = torch.tensor([[[np.log(3.0)]]]).float(), torch.tensor([[[8.0]]])
    # scores (log 3, 0) -> weights (3/4, 1/4)
    torch.testing.assert_close(fusion.weights(gasf, gadf), torch.tensor([[[0.75, 0.25]]]))
    wanted = torch.tensor([[[0.75 * np.log(3.0) + 2.0]]]).float()
    torch.testing.assert_close(fusion(gasf, gadf), wanted)


def test_adaptive_weights_sum_to_one_and_differ_by_sample() -> None:
    gasf, gadf = torch.randn(2, 5, 3, 16)
    weights = AdaptiveFusion(16).weights(gasf, gadf)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(5, 3))
    assert (weights > 0).all()
    assert weights[:, 0, 0].std() > 1e-3


def test_adaptive_fusion_of_equal_fields_is_the_field() -> None:
    features = torch.randn(4, 3, 16)
    torch.testing.assert_close(AdaptiveFusion(16)(features, features), features)


def test_concat_fusion_by_hand() -> None:
    fusion = ConcatFusion(1)
    with torch.no_grad():
        fusion.project.weight.copy_(torch.tensor([[2.0, -1.0]]))
        fusion.project.bias.fill_(0.5)
    fused = fusion(torch.tensor([[[3.0]]]), torch.tensor([[[4.0]]]))
    torch.testing.assert_close(fused, torch.tensor([[[2.5]]]))


def test_gated_fusion_by_hand() -> None:
    fusion = GatedFusion(1)
    with torch.no_grad():
        fusion.project.weight.copy_(torch.tensor([[2.0, -1.0], [1.0, 0.0]]))
        fusion.project.bias.copy_(torch.tensor([0.5, 0.0]))
    gasf, gadf = torch.tensor([[[np.log(3.0)]]]).float(), torch.tensor([[[4.0]]])
    # (2 log 3 - 4 + 1/2) behind a gate of sigmoid(log 3) = 3/4
    wanted = torch.tensor([[[0.75 * (2 * np.log(3.0) - 3.5)]]]).float()
    torch.testing.assert_close(fusion(gasf, gadf), wanted)


def test_add_and_mul_by_hand() -> None:
    gasf, gadf = torch.tensor([[[3.0, -2.0]]]), torch.tensor([[[4.0, 0.5]]])
    assert build_fusion("add", 2)(gasf, gadf).tolist() == [[[7.0, -1.5]]]
    assert build_fusion("mul", 2)(gasf, gadf).tolist() == [[[12.0, -1.0]]]


def test_weighted_add_by_hand() -> None:
    fusion = WeightedAddFusion()
    with torch.no_grad():
        fusion.logit.fill_(np.log(3.0))  # a share of 3/4
    fused = fusion(torch.tensor([[[8.0]]]), torch.tensor([[[-4.0]]]))
    torch.testing.assert_close(fused, torch.tensor([[[5.0]]]))


def test_bidirectional_fusion_agrees_with_attention_by_its_formula() -> None:
    fusion = BidirectionalFusion(8)
    gasf, gadf = torch.randn(2, 3, 5, 8)

    def attend(layer: torch.nn.MultiheadAttention, asking: torch.Tensor, told: torch.Tensor):
        weights, biases = layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3)
        q, k, v = (
            F.linear(x, w, b).unflatten(-1, (4, 2)).transpose(1, 2)
            for x, w, b in zip((asking, told, told), weights, biases, strict=True)
        )
        shares = (q @ k.transpose(-1, -2) / 2**0.5).softmax(dim=-1)
        return layer.out_proj((shares @ v).transpose(1, 2).flatten(2))

    both = (
        gasf + attend(fusion.gasf_asks, gasf, gadf),
        gadf + attend(fusion.gadf_asks, gadf, gasf),
    )
    wanted = fusion.project(torch.cat(both, dim=-1))
    torch.testing.assert_close(fusion(gasf, gadf), wanted)


def test_bidirectional_fusion_lets_signals_hear_of_each_other() -> None:
    fusion, (gasf, gadf) = BidirectionalFusion(8), torch.randn(2, 1, 3, 8)
    changed = gadf.clone()
    changed[:, 2] += 1.0
    assert not torch.allclose(fusion(gasf, gadf)[:, 0], fusion(gasf, changed)[:, 0])
    adaptive = AdaptiveFusion(8)
    assert torch.equal(adaptive(gasf, gadf)[:, 0], adaptive(gasf, changed)[:, 0])


@given(seed=st.integers(0, 2**16), scale=st.floats(0.01, 100.0))
def test_adaptive_fusion_lies_between_the_fields(seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    gasf, gadf = torch.randn(2, 3, 2, 8, generator=generator) * scale
    fused = AdaptiveFusion(8)(gasf, gadf)
    slack = 1e-5 * scale
    assert (fused >= torch.minimum(gasf, gadf) - slack).all()
    assert (fused <= torch.maximum(gasf, gadf) + slack).all()


@pytest.mark.parametrize("name", [name for name in FUSIONS if name != "bidirectional"])
def test_a_fusion_takes_each_window_and_signal_alone(name: str) -> None:
    fusion, (gasf, gadf) = build_fusion(name, 16), torch.randn(2, 2, 5, 16)
    fused = fusion(gasf, gadf)
    for window, signal in ((0, 0), (1, 3)):
        alone = fusion(gasf[window, signal].view(1, 1, 16), gadf[window, signal].view(1, 1, 16))
        torch.testing.assert_close(fused[window, signal], alone.flatten())


def test_the_names_of_the_fusions() -> None:
    classes = {name: type(build_fusion(name, 8)) for name in FUSIONS}
    assert classes == {
        "adaptive": AdaptiveFusion,
        "concat": ConcatFusion,
        "bidirectional": BidirectionalFusion,
        "gated": GatedFusion,
        "add": ElementwiseFusion,
        "mul": ElementwiseFusion,
        "weighted_add": WeightedAddFusion,
    }


def test_an_unknown_name_lists_the_allowed_ones() -> None:
    with pytest.raises(ConfigError) as error:
        build_fusion("concatenate", 16)
    # The name may carry the group it is typed under on the command line, model.extractor=...
    assert str(error.value).replace("model.", "") == (
        "fusion='concatenate' is not known; allowed: adaptive, concat, bidirectional, "
        "gated, add, mul, weighted_add; type fusion=concat"
    )
