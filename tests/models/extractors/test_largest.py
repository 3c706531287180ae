"""`extractor=largest`: the cost by hand, the rule, and what it says."""

import logging

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dualgaf.errors import ConfigError
from dualgaf.models.extractors import EXTRACTORS
from dualgaf.models.extractors.largest import CANDIDATES, Workload, choose_extractor
from dualgaf.models.net import DualGAFNet
from dualgaf.models.signal_groups import SignalGroup


def multiplications(side: int, width: int, in_channels: int) -> int:
    """Of one pass of `LargeKernelExtractor`, layer by layer."""
    half, stride = width // 2, max(1, round(side / 16))
    first = (side - 1) // stride + 1
    second = (first + 1) // 2
    return (
        first**2 * in_channels * 8 * 9**2
        + first**2 * half * in_channels * 8
        + second**2 * width * half * 5**2
        + second**2 * width * width * 3**2
        + width * 16 * width
    )


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize(("size", "side"), [(26, 26), (48, 48), (144, 144), (400, 144), (None, 96)])
def test_the_cost_by_hand(stacked: bool, size: int | None, side: int) -> None:
    work = Workload(6, 2, size, 32, stacked)
    one = multiplications(side, 32, 6 if stacked else 1)
    passes = 2 if stacked else 12
    assert work.gflop("large_kernel") == pytest.approx(2e-9 * one * passes)


@pytest.mark.parametrize(("stacked", "passes", "in_channels"), [(False, 6, 2), (True, 1, 12)])
def test_fields_together_pass_once(stacked: bool, passes: int, in_channels: int) -> None:
    work = Workload(6, 2, 26, 32, stacked, early=True)
    one = multiplications(26, 32, in_channels)
    assert work.gflop("large_kernel") == pytest.approx(2e-9 * one * passes)


def test_the_cost_grows_with_signals_size_and_fields() -> None:
    cost = Workload(6, 2, 24, 32, False).gflop("resnet18_gaf")
    assert Workload(12, 2, 24, 32, False).gflop("resnet18_gaf") == pytest.approx(2 * cost)
    assert Workload(6, 1, 24, 32, False).gflop("resnet18_gaf") == pytest.approx(cost / 2)
    assert Workload(6, 2, 48, 32, False).gflop("resnet18_gaf") > 3 * cost


@pytest.mark.parametrize("size", [26, 48])
def test_the_richest_within_the_budget_is_taken(size: int) -> None:
    taken = []
    for n_channels in (1, 6, 20, 120):
        work = Workload(n_channels, 2, size, 32, False)
        chosen = choose_extractor(work, 1.0).extractor
        costs = {name: work.gflop(name) for name in CANDIDATES}
        richer = CANDIDATES[: CANDIDATES.index(chosen)]
        assert all(costs[name] > 1.0 for name in richer)
        assert costs[chosen] <= 1.0
        taken.append(chosen)
    # The more signals, the cheaper; what one pass costs is counted by torch.
    light = "resnet18_gaf_light"
    assert (
        taken
        == {
            26: ["resnet_gaf_preserve", "resnet18_gaf", light, "large_kernel"],
            48: ["resnet18_gaf", light, "multiscale", "large_kernel"],
        }[size]
    )


def test_candidates_are_known_and_ordered_by_cost() -> None:
    work = Workload(6, 2, 48, 32, False)
    costs = [work.gflop(name) for name in CANDIDATES]
    assert set(CANDIDATES) <= set(EXTRACTORS)
    assert costs == sorted(costs, reverse=True)


def test_the_reason_says_cost_budget_and_what_was_passed_over() -> None:
    assert choose_extractor(Workload(6, 2, 26, 32, False), 1.0).reason == (
        "extractor=largest takes resnet18_gaf: 0.695 GFLOP a window of budget_gflop=1 (6 signals, "
        "26 x 26 pixels, 2 fields; resnet_gaf_preserve costs 2.56)"
    )
    over = choose_extractor(Workload(6, 2, 26, 32, False), 1e-6)
    assert over.extractor == "large_kernel"
    assert "the cheapest and over it" in over.reason


def test_small_images_get_no_residual_network() -> None:
    choice = choose_extractor(Workload(1, 2, 15, 32, False), 1e9)
    assert choice.extractor == "large_kernel"
    assert "less than 16 pixels" in choice.reason
    assert choose_extractor(Workload(1, 2, 16, 32, False), 1e9).extractor == CANDIDATES[0]


@pytest.mark.parametrize("budget", [0.0, -1.0, float("nan")])
def test_a_budget_of_nothing_is_refused(budget: float) -> None:
    with pytest.raises(ConfigError, match=r"model.budget_gflop=.* allowed: numbers above 0"):
        choose_extractor(Workload(1, 2, 26, 32, False), budget)


def test_the_network_logs_the_reason_and_keeps_the_choice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "dualgaf"):
        net = DualGAFNet(2, 3, extractor="largest", budget_gflop=0.05, image_size=24, width=8)
    assert net.settings["extractor"] == "resnet_gaf_preserve"
    assert "extractor=largest takes resnet_gaf_preserve" in caplog.text
    assert type(DualGAFNet(**net.settings).gasf_extractor) is type(net.gasf_extractor)


def test_counting_costs_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    choose_extractor(Workload(6, 2, 26, 32, False), 1.0)
    assert torch.equal(torch.rand(3), wanted)


@pytest.mark.parametrize(("stacked", "of_first"), [(True, 2), (False, 1)])
def test_each_group_costs_its_own(stacked: bool, of_first: int) -> None:
    groups = (SignalGroup((0, 1)), SignalGroup((2,), "dilated"))
    work = Workload(3, 2, 26, 32, stacked, groups=groups)
    first = 2e-9 * multiplications(26, 32, of_first) * (1 if stacked else 2)
    second = Workload(1, 1, 26, 32, True).gflop("dilated")  # whatever is tried for the others
    assert work.gflop("large_kernel") == pytest.approx(2 * (first + second))


def test_the_cost_of_groups_is_measured() -> None:
    told = {f"g{n}": {"channels": [n]} for n in range(4)}
    net = DualGAFNet(
        4,
        2,
        extractor="large_kernel",
        groups=told,
        width=16,
        use_minirocket=False,
        use_forest=False,
    )
    image, series = torch.zeros(1, 4, 26, 26), torch.zeros(1, 4, 26)
    with FlopCounterMode(display=False) as counter:
        net.eval()(image, image, series)
    groups = tuple(SignalGroup((n,)) for n in range(4))
    work = Workload(4, 2, 26, 16, True, groups=groups)
    assert 1e-9 * counter.get_total_flops() == pytest.approx(work.gflop("large_kernel"), rel=0.05)
