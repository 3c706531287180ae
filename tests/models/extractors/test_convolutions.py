"""What tells the three convolutional extractors apart: how far a pixel sees, and at what scales."""

import torch
from torch import nn

from dualgaf.models.extractors.convolutions import (
    DilatedExtractor,
    InceptionExtractor,
    MultiScaleExtractor,
)
from dualgaf.models.extractors.layers import CELLS, CellReadout, group_norm, shrink


def plain(trunk: nn.Module) -> nn.Module:
    """The trunk with ones as kernels and neither normalisation nor activation, so that a map is
    not zero exactly where the pixel sees something."""
    for parent in trunk.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.GroupNorm | nn.GELU):
                setattr(parent, name, nn.Identity())
            if isinstance(child, nn.Conv2d):
                nn.init.ones_(child.weight)
                nn.init.zeros_(child.bias)  # type: ignore[arg-type]
    return trunk.double()


def seen(trunk: nn.Module, side: int = 96) -> int:
    """Pixels along one axis that the middle of the map depends on."""
    image = torch.zeros(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    maps = plain(trunk)(image)
    middle = maps.shape[-1] // 2
    maps[0, :, middle, middle].sum().backward()
    assert image.grad is not None
    return int((image.grad[0, 0].abs().sum(dim=0) > 0).sum())


def test_a_pixel_of_the_dilated_map_sees_31_pixels_at_half_the_side() -> None:
    extractor = DilatedExtractor(8)
    assert extractor.trunk(torch.zeros(1, 1, 48, 48)).shape == (1, 8, 24, 24)
    assert seen(extractor.trunk) == 31


def test_the_layers_of_the_multiscale_extractor_have_kernels_of_3_5_and_7() -> None:
    extractor = MultiScaleExtractor(8)
    sides = [[scale.kernel_size[0] for scale in layer.scales] for layer in extractor.trunk]
    assert sides == [[3, 5, 7]] * 3
    assert seen(extractor.trunk) == 7 + 6 * 2 + 6 * 4


def test_an_inception_block_has_four_branches_of_a_quarter() -> None:
    block = InceptionExtractor(16).trunk[1]
    maps = torch.rand(2, 16, 9, 9)
    assert [branch(maps).shape for branch in block.branches] == [(2, 4, 9, 9)] * 4
    assert block(maps).shape == maps.shape
    kernels = [m.kernel_size[0] for m in block.modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [1, 1, 3, 1, 5, 1]


def test_shrink_averages_and_leaves_small_images_alone() -> None:
    image = torch.arange(16.0).view(1, 1, 4, 4)
    torch.testing.assert_close(shrink(image, 2), torch.tensor([[[[2.5, 4.5], [10.5, 12.5]]]]))
    assert shrink(image, 4) is image
    assert shrink(image, 3).shape == (1, 1, 3, 3)


def test_groups_have_four_features_and_more_and_keep_something_of_a_single_pixel() -> None:
    groups = {n: group_norm(n).num_groups for n in (1, 2, 4, 6, 8, 12, 18, 64)}
    assert groups == {1: 1, 2: 1, 4: 1, 6: 1, 8: 2, 12: 3, 18: 2, 64: 4}
    # of four numbers 1, 2, 3, 4 in each group: deviations -1.5, -0.5, 0.5, 1.5 by sqrt(5 / 4)
    pixel = torch.tensor([1.0, 2.0, 3.0, 4.0]).repeat(2).view(1, 8, 1, 1)
    wanted = torch.tensor([-1.5, -0.5, 0.5, 1.5]).repeat(2) / 1.25**0.5
    torch.testing.assert_close(group_norm(8)(pixel).flatten(), wanted, atol=1e-4, rtol=0)


def test_the_readout_is_linear_in_the_cells() -> None:
    readout = CellReadout(1, 1)
    nn.init.zeros_(readout.project.weight)
    nn.init.zeros_(readout.project.bias)
    with torch.no_grad():
        readout.project.weight[0, CELLS * 1 + 2] = 1.0  # row 1, column 2 of the cells
    maps = torch.zeros(1, 1, 8, 8)
    maps[0, 0, 2:4, 4:6] = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    torch.testing.assert_close(readout(maps), torch.tensor([[3.0]]))
