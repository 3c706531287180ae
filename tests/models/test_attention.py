"""Attention over signals: identity, range of the weights, what they see."""

import pytest
import torch

from dualgaf.errors import ConfigError
from dualgaf.models.attention import ChannelAttention, build_attention


def test_attention_none_is_the_identity() -> None:
    features = torch.randn(2, 3, 16)
    assert build_attention("none", 3)(features) is features


def test_attention_scales_each_signal_as_a_whole() -> None:
    attention = ChannelAttention(3)
    features = torch.randn(4, 3, 16)
    weights = attention.weights(features)
    assert weights.shape == (4, 3)
    assert ((weights > 0) & (weights < 2)).all()
    torch.testing.assert_close(attention(features), features * weights[:, :, None])


def test_attention_with_its_last_layer_at_zero_changes_nothing() -> None:
    attention = ChannelAttention(3)
    torch.nn.init.zeros_(attention.excite[-1].weight)
    torch.nn.init.zeros_(attention.excite[-1].bias)
    features = torch.randn(4, 3, 16)
    torch.testing.assert_close(attention(features), features)


def test_extreme_features_keep_the_weights_within_zero_and_two() -> None:
    weights = ChannelAttention(3).weights(torch.randn(64, 3, 16) * 1e4)
    assert torch.isfinite(weights).all()
    assert ((weights >= 0) & (weights <= 2)).all()


def test_the_weights_differ_by_sample() -> None:
    weights = ChannelAttention(3).weights(torch.randn(16, 3, 16))
    assert weights.std(dim=0).max() > 1e-3


def test_an_unknown_name_lists_the_allowed_ones() -> None:
    with pytest.raises(ConfigError) as error:
        build_attention("chanel", 3)
    # The name may carry the group it is typed under on the command line, model.extractor=...
    assert str(error.value).replace("model.", "") == (
        "attention='chanel' is not known; allowed: channel, none; type attention=channel"
    )
