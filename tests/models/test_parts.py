"""The parts of the network alone: extractor, fusion, attention, statistics, head."""

import numpy as np
import pytest
import torch

from dualgaf.errors import ConfigError
from dualgaf.models.attention import ChannelAttention, build_attention
from dualgaf.models.extractors import LargeKernelExtractor, build_extractor
from dualgaf.models.fusion import AdaptiveFusion, ConcatFusion, build_fusion
from dualgaf.models.heads import MLPHead, build_head
from dualgaf.models.statistics import STATISTICS, basic_statistics


@pytest.mark.parametrize("size", [2, 3, 7, 26, 100, 150, 512])
def test_the_extractor_takes_every_image_size(size: int) -> None:
    features = LargeKernelExtractor(16)(torch.rand(2, 1, size, size) * 2 - 1)
    assert features.shape == (2, 16)
    assert torch.isfinite(features).all()


def test_the_extractor_treats_each_image_alone() -> None:
    extractor = LargeKernelExtractor(16)
    images = torch.rand(5, 1, 26, 26) * 2 - 1
    alone = torch.cat([extractor(image[None]) for image in images])
    torch.testing.assert_close(extractor(images), alone, atol=1e-5, rtol=1e-5)


def test_the_extractor_knows_where_something_happens() -> None:
    # Two squares so far from the border that padding cannot tell them apart: an average over the
    # whole image gives equal features.
    early, late = torch.zeros(2, 1, 1, 48, 48)
    early[..., 16:24, 16:24] = 1.0
    late[..., 24:32, 24:32] = 1.0
    extractor = LargeKernelExtractor(16)
    assert (extractor(early) - extractor(late)).abs().max() > 1e-2


def test_a_larger_image_is_averaged_not_cropped() -> None:
    # An image of constant 4 x 4 tiles holds the same content as its original.
    extractor = LargeKernelExtractor(16)
    small = torch.rand(1, 1, 48, 48) * 2 - 1
    large = small.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    torch.testing.assert_close(extractor(large), extractor(small), atol=1e-4, rtol=1e-4)


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


def test_statistics_by_hand() -> None:
    series = torch.tensor([[[0.0, 1.0, 2.0, 3.0], [2.0, 2.0, 2.0, 2.0], [1.0, -1.0, 1.0, -1.0]]])
    wanted = torch.tensor(
        [
            [1.5, 1.25**0.5, 0.0, 3.0, 3.0],
            [2.0, 0.0, 2.0, 2.0, 0.0],
            # times -1/2, -1/6, 1/6, 1/2: sum(t x) = -2/3, sum(t t) = 5/9
            [0.0, 1.0, -1.0, 1.0, -1.2],
        ]
    )
    torch.testing.assert_close(basic_statistics(series)[0], wanted)


def test_statistics_agree_with_numpy() -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, (4, 2, 37))
    got = basic_statistics(torch.from_numpy(x)).numpy()
    slope = [[np.polyfit(np.linspace(0, 1, 37), signal, 1)[0] for signal in row] for row in x]
    wanted = np.stack([x.mean(-1), x.std(-1), x.min(-1), x.max(-1), np.array(slope)], axis=-1)
    assert len(STATISTICS) == got.shape[-1] == 5
    np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-10)


def test_statistics_of_a_single_step_are_finite() -> None:
    got = basic_statistics(torch.tensor([[[7.0]]]))
    torch.testing.assert_close(got, torch.tensor([[[7.0, 0.0, 7.0, 7.0, 0.0]]]))


def test_statistics_of_a_constant_signal_have_a_finite_gradient() -> None:
    # The square root of a zero variance is where a NaN could enter the weights.
    series = torch.full((1, 1, 5), 2.0)
    branch = torch.nn.Linear(5, 1)
    branch(basic_statistics(series)).sum().backward()
    assert branch.weight.grad is not None
    assert torch.isfinite(branch.weight.grad).all()


def test_the_head_gives_one_logit_a_class() -> None:
    head = MLPHead(48, 5, hidden=16, dropout=0.0)
    assert head(torch.randn(1, 48)).shape == (1, 5)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (
            lambda: build_extractor("large_kernal", 16),
            "extractor='large_kernal' is not known; allowed: large_kernel; "
            "type extractor=large_kernel",
        ),
        (
            lambda: build_fusion("concatenate", 16),
            "fusion='concatenate' is not known; allowed: adaptive, concat; type fusion=concat",
        ),
        (
            lambda: build_attention("chanel", 3),
            "attention='chanel' is not known; allowed: channel, none; type attention=channel",
        ),
        (
            lambda: build_head("mpl", 8, 2, hidden=4, dropout=0.0),
            "head='mpl' is not known; allowed: mlp; type head=mlp",
        ),
    ],
)
def test_an_unknown_option_names_the_allowed_ones(build: object, text: str) -> None:
    with pytest.raises(ConfigError) as error:
        build()  # type: ignore[operator]
    # The name may carry the group it is typed under on the command line, model.extractor=...
    assert str(error.value).replace("model.", "") == text
