"""Groups of signals: by number, name and pattern; order; and what is refused."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dualgaf.errors import ConfigError
from dualgaf.models.extractors import LargeKernelExtractor
from dualgaf.models.extractors.convolutions import DilatedExtractor
from dualgaf.models.net import DualGAFNet
from dualgaf.models.signal_groups import (
    GroupedExtractor,
    SignalGroup,
    all_groups,
    resolve_groups,
    stacked,
)

NAMES = ["sa_temp", "ra_temp", "flow", "valve"]


class Scaled(nn.Module):
    """(N, in_channels, S, S) -> (N, 1): the sum of the image times a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.factor * images.sum(dim=(1, 2, 3))[:, None]


def test_each_signal_passes_its_own_extractor_and_keeps_its_place() -> None:
    images = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 4, 1, 1, 1)
    grouped = GroupedExtractor([(3, 0), (2, 1)], [Scaled(10.0), Scaled(100.0)], "per_signal")
    assert grouped(images).tolist() == [[[10.0], [200.0], [300.0], [40.0]]]


def test_stacked_groups_give_one_vector_a_group() -> None:
    images = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 4, 1, 1, 1)
    grouped = GroupedExtractor([(3, 0), (2, 1)], [Scaled(10.0), Scaled(100.0)], "stacked")
    assert grouped(images).tolist() == [[[50.0], [500.0]]]
    assert stacked(Scaled(1.0), images).tolist() == [[[10.0]]]


@pytest.mark.parametrize("arrangement", ["per_signal", "stacked"])
def test_fields_that_go_together_stay_with_their_signal(arrangement: str) -> None:
    images = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]).view(1, 3, 2, 1, 1)
    grouped = GroupedExtractor([(2, 0), (1,)], [Scaled(1.0), Scaled(100.0)], arrangement)
    wanted = {"per_signal": [11.0, 2200.0, 33.0], "stacked": [44.0, 2200.0]}
    assert grouped(images).flatten().tolist() == wanted[arrangement]


@given(order=st.permutations(range(6)), cut=st.integers(1, 5))
def test_the_order_within_groups_does_not_matter(order: list[int], cut: int) -> None:
    grouped = GroupedExtractor(
        [tuple(order[:cut]), tuple(order[cut:])], [Scaled(1.0), Scaled(1.0)], "per_signal"
    )
    images = torch.arange(6.0).view(1, 6, 1, 1, 1)
    assert grouped(images).flatten().tolist() == list(range(6))


@pytest.mark.parametrize(
    ("channels", "wanted"),
    [([0, 3], (0, 3)), (["valve", "flow"], (3, 2)), (["*_temp", 2], (0, 1, 2)), (["v*"], (3,))],
)
def test_signals_by_number_name_and_pattern(channels: list[Any], wanted: tuple[int, ...]) -> None:
    groups = resolve_groups({"a": {"channels": channels}}, 4, NAMES)
    assert groups == {"a": SignalGroup(wanted)}


def test_the_rest_is_one_more_group() -> None:
    groups = {"a": SignalGroup((2,)), "b": SignalGroup((0, 3), "dilated")}
    assert all_groups(groups, 5) == [*groups.values(), SignalGroup((1, 4))]
    assert all_groups(groups, 5)[-1].extractor is None
    assert all_groups({"a": SignalGroup((1, 0))}, 2) == [SignalGroup((1, 0))]


@pytest.mark.parametrize("arrangement", ["per_signal", "stacked"])
def test_a_network_with_groups_learns_in_each_and_builds_a_twin(arrangement: str) -> None:
    torch.manual_seed(0)
    groups = {"temp": {"channels": ["*_temp"]}, "valve": {"channels": [3], "extractor": "dilated"}}
    net = DualGAFNet(
        4,
        3,
        extractor="large_kernel",
        groups=groups,
        arrangement=arrangement,
        width=8,
        dropout=0.0,
        channel_names=NAMES,
    )
    extractors = net.gasf_extractor.extractors  # type: ignore[union-attr]
    assert [type(e) for e in extractors] == [  # type: ignore[union-attr]
        LargeKernelExtractor,
        DilatedExtractor,
        LargeKernelExtractor,
    ]
    images, series = torch.rand(2, 5, 4, 24, 24) * 2 - 1, torch.randn(5, 4, 24)
    logits = net(images[0], images[1], series)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
    # names are needed once: a checkpoint has their numbers, and no buffer of the order
    assert net.settings["groups"] == {
        "temp": {"channels": [0, 1], "extractor": None},
        "valve": {"channels": [3], "extractor": "dilated"},
    }
    assert not [name for name in net.state_dict() if "order" in name]
    twin = DualGAFNet(**net.settings)
    twin.load_state_dict(net.state_dict())
    args = (images[0], images[1], series)
    assert torch.equal(twin.eval()(*args), net.eval()(*args))


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        (
            {"a": [0, 1]},
            r"model.groups.a=\[0, 1\] has no channels; type \+\+model.groups.a.ch",
        ),
        ({"a": {"channels": []}}, r"model.groups.a.channels is empty; type"),
        ({"a": {"channels": [4]}}, r"has 4; allowed: 0 to 3"),
        ({"a": {"channels": [-1]}}, r"has -1; allowed: 0 to 3"),
        ({"a": {"channels": ["flaw"]}}, r"'flaw' is not known; allowed: sa_temp, .*channels=flow"),
        ({"a": {"channels": [0]}, "b": {"channels": [0]}}, r"signal 0, .* the group a already"),
        ({"a": {"channels": [0, "sa_*"]}}, r"signal 0, which is in the group a already"),
        ({"a": {"channels": [0], "ectractor": "x"}}, r"key='ectractor' is not known; .*extractor"),
        ({"a": {"channels": "flow"}}, r"model.groups.a=.* has no channels; type"),
    ],
)
def test_what_is_refused(groups: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        resolve_groups(groups, 4, NAMES)


def test_names_without_names_say_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"'flow', but the names .* pass channel_names, or type"):
        resolve_groups({"a": {"channels": ["flow"]}}, 4, None)


def test_an_unknown_extractor_of_a_group_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'dilatet' is not known; .*extractor=dilated"):
        DualGAFNet(4, 3, groups={"a": {"channels": [0], "extractor": "dilatet"}})


def test_a_name_with_brackets_is_that_name() -> None:
    names = ["flow [m3/h]", "flow m", "t"]
    groups = resolve_groups({"a": {"channels": ["flow [m3/h]"]}}, 3, names)
    assert groups["a"].channels == (0, 1)  # and, as a pattern, "flow m"
