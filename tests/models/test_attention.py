"""Attention over signals: identity, range of the weights, what they see."""

import math

import pytest
import torch
from torch.nn import functional as F

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


def test_channel_attention_by_hand() -> None:
    attention = ChannelAttention(2)
    first, last = attention.excite[0], attention.excite[-1]
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.zero_()
        first.weight[0] = torch.tensor([1.0, 2.0])
        first.bias[0] = 0.5
        last.weight[:, 0] = torch.tensor([1.0, -1.0])
        last.bias[1] = 0.25
    features = torch.tensor([[[1.0, 3.0], [0.0, -2.0]]])
    # means 2 and -1: 2 - 2 + 1/2, whose GELU is x (1 + erf(x / sqrt 2)) / 2
    hidden = 0.25 * (1 + math.erf(0.5 / 2**0.5))
    weights = 2 / (1 + torch.tensor([[-hidden, hidden - 0.25]]).exp())
    torch.testing.assert_close(attention.weights(features), weights)
    torch.testing.assert_close(attention(features), features * weights[:, :, None])
    lengths = {n: ChannelAttention(n).excite[0].out_features for n in (1, 8, 20)}
    assert lengths == {1: 4, 8: 4, 20: 10}


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
@pytest.mark.parametrize("n_channels", [1, 20])
def test_every_attention_takes_each_window_alone(name: str, n_channels: int) -> None:
    attention, features = build_attention(name, n_channels, 16), torch.randn(2, n_channels, 16)
    weighed = attention(features)
    assert weighed.shape == features.shape
    torch.testing.assert_close(attention(features[1:])[0], weighed[1])


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


def test_self_attention_agrees_with_its_formula() -> None:
    attention, features = SelfAttention(8), torch.randn(2, 5, 8)
    normed = F.layer_norm(features, (8,))
    weights, biases = attention.asks.in_proj_weight.chunk(3), attention.asks.in_proj_bias.chunk(3)
    q, k, v = (
        F.linear(normed, w, b).unflatten(-1, (4, 2)).transpose(1, 2)
        for w, b in zip(weights, biases, strict=True)
    )
    told = (q @ k.transpose(-1, -2) / 2**0.5).softmax(dim=-1) @ v
    wanted = features + attention.asks.out_proj(told.transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(features), wanted)


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
