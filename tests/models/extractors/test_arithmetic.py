"""Each extractor against its layers written down one by one with the functions of torch.

The weights are read by their names in a checkpoint, so these tests also hold the names.
"""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dualgaf.models.extractors import build_extractor
from dualgaf.models.extractors.diagonals import LAGS
from dualgaf.models.extractors.resnet import RESNETS

State = dict[str, Tensor]


def made(name: str, in_channels: int = 2) -> tuple[nn.Module, State]:
    """An extractor of width 8 in evaluation, with means, scales and biases that are not 0 or 1."""
    torch.manual_seed(0)
    extractor = build_extractor(name, 8, in_channels).eval()
    for key, value in extractor.state_dict().items():
        if value.ndim == 1:
            value.copy_(torch.rand(len(value)) + (0.5 if "mean" not in key else -0.5))
    return extractor, extractor.state_dict()


def pictures(n: int, in_channels: int, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(size)
    return torch.rand(n, in_channels, size, size, generator=generator) * 2 - 1


def conv(x: Tensor, state: State, at: str, **how: int) -> Tensor:
    return F.conv2d(x, state[f"{at}.weight"], state.get(f"{at}.bias"), **how)


def grouped(x: Tensor, state: State, at: str, groups: int) -> Tensor:
    """Each group of features of each image has mean 0 and deviation 1, then scale and shift."""
    parts = x.unflatten(1, (groups, -1))
    mean = parts.mean(dim=(2, 3, 4), keepdim=True)
    variance = parts.var(dim=(2, 3, 4), correction=0, keepdim=True)
    normal = ((parts - mean) / (variance + 1e-5).sqrt()).flatten(1, 2)
    return normal * state[f"{at}.weight"][:, None, None] + state[f"{at}.bias"][:, None, None]


def batched(x: Tensor, state: State, at: str) -> Tensor:
    """By the means that were kept."""
    shape = (-1,) + (1,) * (x.ndim - 2)
    mean, variance = (state[f"{at}.running_{which}"].view(shape) for which in ("mean", "var"))
    normal = (x - mean) / (variance + 1e-5).sqrt()
    if f"{at}.weight" not in state:
        return normal
    return normal * state[f"{at}.weight"].view(shape) + state[f"{at}.bias"].view(shape)


def gelu(x: Tensor) -> Tensor:
    return x * (1 + torch.erf(x / 2**0.5)) / 2


def cells(maps: Tensor, state: State) -> Tensor:
    """Means of 4 x 4 cells, whose sides divide that of the map, and one matrix."""
    n, f, side, _ = maps.shape
    means = maps.view(n, f, 4, side // 4, 4, side // 4).mean(dim=(3, 5))
    return means.flatten(1) @ state["readout.project.weight"].T + state["readout.project.bias"]


@pytest.mark.parametrize(
    ("size", "stride", "padding"),
    # A stride of a sixteenth of the side, and kernels of 9 that reach as far past either end.
    [(7, 1, 4), (24, 2, 4), (26, 2, 4), (48, 3, 3), (97, 6, 4), (144, 9, 0)],
)
def test_large_kernel(size: int, stride: int, padding: int) -> None:
    extractor, state = made("large_kernel")
    images = pictures(2, 2, size)
    each = [
        gelu(batched(conv(one, state, "stem", stride=stride, padding=padding), state, stem))
        for one in images.split(1, dim=1)  # the same first layer for each signal
        for stem in ("after_stem.0",)
    ]
    maps = gelu(batched(conv(torch.cat(each, dim=1), state, "mix.0"), state, "mix.1"))
    maps = gelu(batched(conv(maps, state, "reduce.0", stride=2, padding=2), state, "reduce.1"))
    beside = gelu(batched(conv(maps, state, "block.0", padding=1), state, "block.1"))
    # the cells of a map whose side is no multiple of 4 overlap; torch cuts them
    means = F.adaptive_avg_pool2d(maps + beside, 4).flatten(1)
    wanted = means @ state["readout.project.weight"].T + state["readout.project.bias"]
    torch.testing.assert_close(extractor(images), wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [2, 24, 64])
def test_diagonal(size: int) -> None:
    extractor, state = made("diagonal")
    images = pictures(2, 2, size)
    series = torch.zeros(2, 2, len(LAGS), size)
    mean, variance = (
        state[f"normalise.running_{which}"].view(2, len(LAGS)) for which in ("mean", "var")
    )
    for number, lag in enumerate(LAGS):
        if lag < size:
            pixels = images.diagonal(lag, dim1=2, dim2=3)  # (2, 2, size - lag)
            scale = (variance[:, number] + 1e-5).sqrt()
            first = lag // 2
            series[:, :, number, first : first + size - lag] = (
                pixels - mean[:, number, None]
            ) / scale[:, None]
    maps = series.flatten(1, 2)
    for block in ("blocks.0", "blocks.1", "blocks.2"):
        path = maps
        for number, kernel in enumerate((7, 5, 3)):
            weight = state[f"{block}.path.{3 * number}.weight"]
            assert weight.shape[-1] == kernel
            path = F.conv1d(path, weight, padding=kernel // 2)
            path = batched(path, state, f"{block}.path.{3 * number + 1}")
            path = path if number == 2 else path.clamp(min=0)
        narrow = state.get(f"{block}.shortcut.0.weight")
        beside = maps if narrow is None else F.conv1d(maps, narrow)
        maps = (path + batched(beside, state, f"{block}.shortcut.1")).clamp(min=0)
    wanted = maps.sum(dim=-1) / size @ state["readout.weight"].T + state["readout.bias"]
    torch.testing.assert_close(extractor(images), wanted, atol=1e-5, rtol=1e-4)


def test_inception() -> None:
    extractor, state = made("inception")
    images = pictures(2, 2, 32)

    def block(x: Tensor, at: str) -> Tensor:
        narrow = {n: gelu(conv(x, state, f"{at}.branches.{n}.0")) for n in (1, 2)}
        around = F.pad(x, (1, 1, 1, 1))
        pooled = (
            sum(
                around[:, :, i : i + x.shape[2], j : j + x.shape[3]]
                for i in range(3)
                for j in range(3)
            )
            / 9
        )
        branches = [
            conv(x, state, f"{at}.branches.0"),
            conv(narrow[1], state, f"{at}.branches.1.2", padding=1),
            conv(narrow[2], state, f"{at}.branches.2.2", padding=2),
            conv(pooled, state, f"{at}.branches.3.1"),
        ]
        return gelu(grouped(torch.cat(branches, dim=1), state, f"{at}.finish.0", 2))

    maps = images
    for first in (0, 2):
        maps = conv(maps, state, f"trunk.{first}.0", stride=2, padding=1)
        maps = block(gelu(grouped(maps, state, f"trunk.{first}.1", 2)), f"trunk.{first + 1}")
    torch.testing.assert_close(extractor(images), cells(maps, state), atol=1e-5, rtol=1e-4)


def test_dilated() -> None:
    extractor, state = made("dilated")
    images = pictures(2, 2, 24)
    maps = images
    layers: list[tuple[int, dict[str, int]]] = [
        (1, {"stride": 2, "padding": 3}),
        (2, {"dilation": 2, "padding": 2}),
        (2, {"dilation": 4, "padding": 4}),
    ]
    for number, (groups, how) in enumerate(layers):
        maps = conv(maps, state, f"trunk.{number}.0", **how)
        maps = gelu(grouped(maps, state, f"trunk.{number}.1", groups))
    torch.testing.assert_close(extractor(images), cells(maps, state), atol=1e-5, rtol=1e-4)


def test_multiscale() -> None:
    extractor, state = made("multiscale")
    images = pictures(2, 2, 32)
    maps = images
    for number, groups in enumerate((1, 2, 2)):
        at = f"trunk.{number}"
        scales = [
            conv(maps, state, f"{at}.scales.{k}", stride=2, padding=k + 1)  # kernels of 3, 5, 7
            for k in range(3)
        ]
        maps = conv(gelu(torch.cat(scales, dim=1)), state, f"{at}.join.1.0")
        maps = gelu(grouped(maps, state, f"{at}.join.1.1", groups))
    torch.testing.assert_close(extractor(images), cells(maps, state), atol=1e-5, rtol=1e-4)


def n_groups(n_features: int) -> int:
    """Of four features or more, up to four: here of 2, 4, 8, 16, 32 and 64 features."""
    return {2: 1, 4: 1, 8: 2}.get(n_features, 4)


def strides(name: str) -> Iterator[int]:
    """Of each residual block: the first of a stage halves the map, but where the member is said
    to keep it."""
    keeps_first = name in ("resnet18", "resnet34", "resnet_gaf_preserve")
    blocks = {"resnet34": (3, 4, 6, 3), "resnet_gaf_deep": (3, 4, 6, 3), "resnet_light": (2, 2, 2)}
    for stage, n_blocks in enumerate(blocks.get(name, (2, 2, 2, 2))):
        yield 1 if stage == 0 and keeps_first else 2
        yield from [1] * (n_blocks - 1)


@pytest.mark.parametrize("name", RESNETS)
def test_residual_networks(name: str) -> None:
    extractor, state = made(name)
    classic = name in ("resnet18", "resnet34")
    images = pictures(2, 2, 32)
    maps, at = images, 0
    for number in range(2 if name == "resnet_gaf_deep" else 1):
        kernel = state[f"trunk.{at}.0.weight"].shape[-1]
        assert kernel == (5 if classic else 3)
        stride = 2 if classic and number == 0 else 1
        maps = conv(maps, state, f"trunk.{at}.0", stride=stride, padding=kernel // 2)
        maps = gelu(grouped(maps, state, f"trunk.{at}.1", n_groups(maps.shape[1])))
        at += 1
    for stride in strides(name):
        layer = f"trunk.{at}"
        path = conv(maps, state, f"{layer}.path.0.0", stride=stride, padding=1)
        groups = n_groups(path.shape[1])
        path = gelu(grouped(path, state, f"{layer}.path.0.1", groups))
        path = conv(path, state, f"{layer}.path.1", padding=1)
        path = grouped(path, state, f"{layer}.path.2", groups)
        same = stride == 1 and path.shape[1] == maps.shape[1]
        beside = maps if same else conv(maps, state, f"{layer}.shortcut", stride=stride)
        maps = gelu(path + beside)
        at += 1
    means = F.adaptive_avg_pool2d(maps, 4).flatten(1)  # some maps are of 2 x 2 pixels
    wanted = means @ state["readout.project.weight"].T + state["readout.project.bias"]
    torch.testing.assert_close(extractor(images), wanted, atol=1e-4, rtol=1e-3)
    assert f"trunk.{at}.path.0.0.weight" not in state
