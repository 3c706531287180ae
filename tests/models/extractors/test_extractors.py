"""Every extractor of the package alone: sizes, gradients, position, averaging."""

import pytest
import torch

from dualgaf.errors import ConfigError
from dualgaf.models.extractors import (
    EXTRACTORS,
    build_extractor,
)
from dualgaf.models.extractors.diagonals import SIDE
from dualgaf.models.extractors.large_kernel import READ, LargeKernelExtractor
from dualgaf.models.extractors.layers import FULL_RESOLUTION, RESOLUTION, BatchNorm
from dualgaf.models.extractors.resnet import RESNETS


@pytest.mark.parametrize("name", EXTRACTORS)
def test_every_extractor_learns_at_every_size(name: str) -> None:
    # What it computes is in test_arithmetic.py. Five sizes: the smallest, an odd one, one below
    # and two above the sides that extractors average down to.
    for size, in_channels in ((2, 3), (5, 20), (24, 1), (50, 3), (100, 1)):
        torch.manual_seed(0)
        extractor = build_extractor(name, 8, in_channels)
        features = extractor(torch.rand(3, in_channels, size, size) * 2 - 1)
        assert features.shape == (3, 8)
        features.square().sum().backward()
        unreached = [
            name
            for name, p in extractor.named_parameters()
            if p.grad is None or not torch.isfinite(p.grad).all() or not p.grad.abs().sum() > 0
        ]
        assert unreached == []


@pytest.mark.parametrize("name", EXTRACTORS)
def test_an_extractor_treats_each_image_alone(name: str) -> None:
    extractor = build_extractor(name, 8).eval()
    images = torch.rand(3, 1, 26, 26) * 2 - 1
    alone = torch.cat([extractor(image[None]) for image in images])
    torch.testing.assert_close(extractor(images), alone, atol=1e-4, rtol=1e-4)


# `diagonal` is made not to know it: test_diagonals.py
@pytest.mark.parametrize("name", [name for name in EXTRACTORS if name != "diagonal"])
def test_an_extractor_knows_where_something_happens(name: str) -> None:
    # Two squares so far from the border that padding cannot tell them apart: an average over the
    # whole image gives equal features.
    early, late = torch.zeros(2, 1, 1, 48, 48)
    early[..., 16:24, 16:24] = 1.0
    late[..., 24:32, 24:32] = 1.0
    torch.manual_seed(0)
    extractor = build_extractor(name, 16).eval()
    apart = (extractor(early) - extractor(late)).norm()
    assert apart > 1e-2 * extractor(early).norm()


@pytest.mark.parametrize("name", EXTRACTORS)
def test_a_larger_image_is_averaged_not_cropped(name: str) -> None:
    # An image of constant 2 x 2 tiles holds the same content as its original.
    plan = RESNETS.get(name)
    own = {"large_kernel": READ, "diagonal": SIDE}
    side = own.get(name, RESOLUTION) if plan is None else plan.side
    extractor = build_extractor(name, 8).eval()
    small = torch.rand(1, 1, side, side) * 2 - 1
    large = small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    with torch.no_grad():
        torch.testing.assert_close(extractor(large), extractor(small), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [24, 48, 97, READ])
def test_large_kernels_read_every_pixel(size: int) -> None:
    torch.manual_seed(0)
    extractor, image = LargeKernelExtractor(8).eval(), torch.rand(1, 1, size, size)
    image.requires_grad_()
    extractor(image).square().sum().backward()
    assert image.grad is not None
    assert (image.grad != 0).all()


def test_a_batch_of_one_pixel_is_normalised_by_what_was_seen_before() -> None:
    norm = BatchNorm(2)
    norm.running_mean = torch.tensor([1.0, 2.0])
    pixel = torch.tensor([[3.0, 2.0]]).view(1, 2, 1, 1)
    torch.testing.assert_close(norm(pixel).flatten(), torch.tensor([2.0, 0.0]), atol=1e-4, rtol=0)
    assert norm.running_mean.tolist() == [1.0, 2.0]
    two = torch.cat((pixel, -pixel))
    torch.testing.assert_close(
        norm(two), torch.nn.functional.batch_norm(two, None, None, training=True)
    )
    # the latest batch, of mean 0, counts a fifth: half after three steps
    torch.testing.assert_close(norm.running_mean, torch.tensor([0.8, 1.6]))


def test_the_members_for_gaf_keep_the_resolution_in_the_stem() -> None:
    kept = {name for name, plan in RESNETS.items() if plan.side == FULL_RESOLUTION}
    assert kept == {name for name in RESNETS if "gaf" in name}
    assert all(RESNETS[name].stem_stride == 1 for name in kept)
    assert all("gaf" in name or RESNETS[name].side == RESOLUTION for name in RESNETS)


# Channels and blocks of the earlier system at a width of 64, and the side of a map of 96 pixels.
EARLIER = {
    "resnet18": ([64, 128, 256, 512], [2, 2, 2, 2], 6),
    "resnet34": ([64, 128, 256, 512], [3, 4, 6, 3], 6),
    "resnet_light": ([64, 128, 256], [2, 2, 2], 12),
    "resnet18_gaf": ([64, 128, 256, 512], [2, 2, 2, 2], 6),
    "resnet18_gaf_light": ([32, 64, 128, 256], [2, 2, 2, 2], 6),
    "resnet_gaf_deep": ([64, 128, 256, 512], [3, 4, 6, 3], 6),
    "resnet_gaf_preserve": ([64, 128, 256, 512], [2, 2, 2, 2], 12),
}


@pytest.mark.parametrize("name", RESNETS)
def test_the_table_of_stages_is_that_of_the_earlier_system(name: str) -> None:
    channels, blocks, side = EARLIER[name]
    plan = RESNETS[name]
    with torch.device("meta"):
        extractor = build_extractor(name, 64)
        maps = extractor.trunk(torch.empty(1, 1, 96, 96))
    assert [64 // 4 * quarters for quarters in plan.channels] == channels
    assert list(plan.blocks) == blocks
    assert maps.shape == (1, channels[-1], side, side)
    assert len(extractor.trunk) == len(plan.stem) + sum(blocks)


def test_an_unknown_name_lists_the_allowed_ones() -> None:
    with pytest.raises(ConfigError) as error:
        build_extractor("large_kernal", 16)
    # The name may carry the group it is typed under on the command line, model.extractor=...
    assert str(error.value).replace("model.", "") == (
        "extractor='large_kernal' is not known; allowed: large_kernel, diagonal, inception, "
        "dilated, multiscale, resnet18, resnet34, resnet_light, resnet18_gaf, resnet18_gaf_light, "
        "resnet_gaf_deep, resnet_gaf_preserve; type extractor=large_kernel"
    )
