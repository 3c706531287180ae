"""Attention over signals: identity, range of the weights, what they see."""

import pytest
import torch

from dualgaf.errors import ConfigError
from dualgaf.models.attention import (
    ATTENTIONS,
    CBAMAttention,
    ChannelAttention,
    SelfAttention,
    SpatialAttention,
    build_attention,
)


def test_attention_none_is_the_identity() -> None:
    features = torch.randn(2, 3, 16)
    assert build_attention("none", 3, 16)(features) is features


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


@pytest.mark.parametrize("name", ATTENTIONS)
@pytest.mark.parametrize("n_channels", [1, 3, 20])
def test_every_attention_keeps_the_shape_and_learns(name: str, n_channels: int) -> None:
    attention = build_attention(name, n_channels, 16)
    features = attention(torch.randn(2, n_channels, 16))
    assert features.shape == (2, n_channels, 16)
    assert torch.isfinite(features).all()


def test_spatial_attention_by_hand() -> None:
    attention = SpatialAttention()
    torch.nn.init.zeros_(attention.neighbours.weight)
    with torch.no_grad():
        attention.neighbours.weight[0, :, 2] = torch.tensor([1.0, 2.0])  # the signal before
        attention.neighbours.bias.fill_(0.5)
    features = torch.tensor([[[1.0, 3.0], [0.0, -4.0], [5.0, 5.0]]])
    # before: none, mean 2 and maximum 3, mean -2 and maximum 0
    scores = torch.tensor([[0.5, 2 + 2 * 3 + 0.5, -2 + 0 + 0.5]])
    torch.testing.assert_close(attention.weights(features), 2 * torch.sigmoid(scores))
    torch.testing.assert_close(
        attention(features), features * 2 * torch.sigmoid(scores).unsqueeze(-1)
    )


def test_cbam_is_the_channel_gate_of_mean_and_maximum_then_the_spatial_one() -> None:
    attention, features = CBAMAttention(3), torch.randn(4, 3, 16)
    excite = attention.channel.excite
    score = excite(features.mean(-1)) + excite(features.max(-1).values)
    wanted = attention.spatial(2 * torch.sigmoid(score)[..., None] * features)
    torch.testing.assert_close(attention(features), wanted)


def test_self_attention_does_not_know_the_order_of_signals() -> None:
    attention, features = SelfAttention(16), torch.randn(2, 5, 16)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(attention(features[:, order]), attention(features)[:, order])
    assert not torch.allclose(attention(features), features, atol=1e-3)


def test_self_attention_that_says_nothing_changes_nothing() -> None:
    attention, features = SelfAttention(16), torch.randn(2, 5, 16)
    torch.nn.init.zeros_(attention.asks.out_proj.weight)
    torch.testing.assert_close(attention(features), features)


def test_an_unknown_name_lists_the_allowed_ones() -> None:
    with pytest.raises(ConfigError) as error:
        build_attention("chanel", 3, 16)
    # The name may carry the group it is typed under on the command line, model.extractor=...
    assert str(error.value).replace("model.", "") == (
        "attention='chanel' is not known; allowed: channel, spatial, cbam, self, none; "
        "type attention=channel"
    )
