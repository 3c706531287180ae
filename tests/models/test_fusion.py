"""The two fusions: values by hand, and properties of the weights."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.errors import ConfigError
from dualgaf.models.fusion import FUSIONS, AdaptiveFusion, ConcatFusion, build_fusion


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


@given(seed=st.integers(0, 2**16), scale=st.floats(0.01, 100.0))
def test_adaptive_fusion_lies_between_the_fields(seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    gasf, gadf = torch.randn(2, 3, 2, 8, generator=generator) * scale
    fused = AdaptiveFusion(8)(gasf, gadf)
    slack = 1e-5 * scale
    assert (fused >= torch.minimum(gasf, gadf) - slack).all()
    assert (fused <= torch.maximum(gasf, gadf) + slack).all()


@pytest.mark.parametrize("name", FUSIONS)
@pytest.mark.parametrize("n_channels", [1, 3])
def test_every_fusion_keeps_the_shape(name: str, n_channels: int) -> None:
    features = torch.randn(2, n_channels, 16)
    assert build_fusion(name, 16)(features, features).shape == (2, n_channels, 16)


def test_an_unknown_name_lists_the_allowed_ones() -> None:
    with pytest.raises(ConfigError) as error:
        build_fusion("concatenate", 16)
    # The name may carry the group it is typed under on the command line, model.extractor=...
    assert str(error.value).replace("model.", "") == (
        "fusion='concatenate' is not known; allowed: adaptive, concat; type fusion=concat"
    )
