"""docs/cluster-sizes.md is made by `python -m benchmarks.cluster`, and its arithmetic is right."""

import pytest
from benchmarks.cluster import (
    PAGE,
    WAYS,
    Assumption,
    Rates,
    bytes_of,
    days,
    duration,
    main,
    simulate,
    size,
)
from benchmarks.cluster_page import page


def test_the_page_is_that_of_the_results():
    assert PAGE.read_text() == page(), "run: python -m benchmarks.cluster --page"


def rates():
    values = {
        "read": 0.5, "draw": 3.2, "load": 4.0, "draw_batches": 2.0, "step": 100.0,
        "weights": 1e6, "network": 1.25, "memory": 300.0,
    }  # fmt: skip
    return Rates(**{name: Assumption(name, value, "", "") for name, value in values.items()})


def test_the_figures_by_hand():
    # 100 GB: 1.302e7 windows of 20 x 96 x 4 bytes; 2.133 TB of images of 2 x 64 x 64 a channel.
    alone = simulate(1e11, 1, "each draws all", rates())
    assert alone.held == pytest.approx(1e11 * 8192 / 384)
    assert alone.draw_s == pytest.approx(666.7, rel=1e-4)  # the 11 minutes of the issue
    assert alone.held / 1.25e9 == pytest.approx(1706.7, rel=1e-4)  # and its 28
    assert (alone.fits, alone.send_s, alone.gradients_s) == (False, 0, 0)
    shared = simulate(1e11, 8, "shard=node", rates())
    assert shared.held == pytest.approx(alone.held / 8)
    assert (shared.read_s, shared.fits) == (200, True)
    assert shared.data_s == pytest.approx(alone.held / 8 / 4e9)
    assert shared.step_s == pytest.approx(1e11 / 7680 / 8 / 100)
    # 25431 steps, 7/8 of 4 MB there and back in each.
    assert shared.gradients_s == pytest.approx(1e11 / 7680 / 8 / 64 * 2 * 7 / 8 * 4e6 / 1.25e9)
    sent = simulate(1e11, 8, "one draws and sends", rates())
    assert sent.send_s == pytest.approx(alone.held * 7 / 8 / 1.25e9)
    assert sent.first_step_s == pytest.approx(200 + 666.7 + sent.send_s, rel=1e-4)
    drawn = simulate(1e11, 8, "images=on_device", rates())
    assert (drawn.held, drawn.draw_s, drawn.fits) == (0, 0, True)
    assert drawn.data_s == pytest.approx(alone.held / 8 / 2e9)


def test_one_machine_has_no_shares():
    ways = [day.way for day in days(1e11, (1, 8), rates())]
    assert ways == ["each draws all", "images=on_device", *WAYS]


def test_other_sizes_are_printed(capsys):
    main(["--series", "2TB", "--nodes", "1,4", "--memory", "512GB"])
    told = capsys.readouterr().out
    assert "2TB of series, 42.7 TB of images" in told
    assert "no measurement: the line rate of 10 GbE" in told
    assert bytes_of("512GB") == 5.12e11
    assert [size(0), size(2.5e9), duration(0), duration(90), duration(7200)] == [
        "-", "2.5 GB", "-", "1.5 min", "2 h",
    ]  # fmt: skip
