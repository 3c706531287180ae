"""The extractor alone: sizes, position, averaging, gradients."""

from itertools import product

import pytest
import torch

from dualgaf.errors import ConfigError
from dualgaf.models.extractors import LargeKernelExtractor, build_extractor


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


@pytest.mark.parametrize(("size", "width"), list(product([2, 3, 7, 26, 100], [8, 32])))
def test_gradients_reach_every_weight_at_every_size(size: int, width: int) -> None:
    torch.manual_seed(0)
    extractor = LargeKernelExtractor(width)
    extractor(torch.rand(4, 1, size, size) * 2 - 1).square().sum().backward()
    unreached = [
        name
        for name, p in extractor.named_parameters()
        if p.grad is None or not torch.isfinite(p.grad).all() or not p.grad.abs().sum() > 0
    ]
    assert unreached == []


def test_an_unknown_name_lists_the_allowed_ones() -> None:
    with pytest.raises(ConfigError) as error:
        build_extractor("large_kernal", 16)
    # The name may carry the group it is typed under on the command line, model.extractor=...
    assert str(error.value).replace("model.", "") == (
        "extractor='large_kernal' is not known; allowed: large_kernel; type extractor=large_kernel"
    )
