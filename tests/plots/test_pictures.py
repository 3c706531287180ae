"""Pictures of a window and of its explanation: each panel shows the array of its title."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.plots.explanation import (
    BLOCKS,
    Row,
    TimeAxis,
    blocks_of,
    draw_explanation,
    whole_per_cents,
)
from dualgaf.plots.spoke import draw_spoke
from dualgaf.plots.window import draw_window, wrapped

RANDOM = np.random.default_rng(0)


def test_a_window_has_a_row_a_channel_with_series_gasf_and_gadf():
    series, fields = RANDOM.normal(size=(2, 9)), RANDOM.uniform(-1, 1, size=(2, 2, 6, 6))
    figure = draw_window(series, fields, ["in", "out"], "one window")
    *panels, bar = figure.axes
    assert len(panels) == 6
    for channel, name in enumerate(("in", "out")):
        line, *images = panels[3 * channel : 3 * channel + 3]
        np.testing.assert_array_equal(line.get_lines()[0].get_ydata(), series[channel])
        assert line.get_ylabel() == name
        for field, axes in enumerate(images):
            (image,) = axes.images
            np.testing.assert_array_equal(image.get_array(), fields[field, channel])
            assert image.get_clim() == (-1, 1)
            assert image.origin == "upper"  # time runs down, as the rows of the array do
    titles = [axes.get_title() for axes in panels]
    assert titles == ["series", "GASF  cos(a + b)", "GADF  sin(a - b)", "", "", ""]
    assert figure.get_suptitle() == "one window"
    assert bar.get_ylim() == (-1, 1)


def row(name, fraction, steps, maps):
    series = RANDOM.normal(size=len(steps))
    fields = RANDOM.uniform(-1, 1, size=np.shape(maps))
    return Row(name, series, fields, np.array(steps), np.array(maps), fraction)


def explained():
    """Two signals; the second spoke half as much, by one pixel of its GADF."""
    first = row("flow", 0.6, [0.0, 4.0, 1.0, 0.0], [np.diag([8.0, 0.0]), np.diag([0.0, -9.0])])
    second = row("temp", 0.4, [0.0, 0.0, 2.0, 0.0], [np.zeros((2, 2)), np.diag([2.0, 4.0])])
    return [first, second]


def test_an_explanation_has_the_series_on_its_steps_and_the_fields_below_their_pixels():
    rows = explained()
    figure = draw_explanation(rows, "why")
    panels = np.reshape(figure.axes[:6], (2, 3))
    for (line, *images), told in zip(panels, rows, strict=True):
        (curve,) = line.get_lines()
        np.testing.assert_array_equal(curve.get_xdata(), [0, 1, 2, 3])
        np.testing.assert_array_equal(curve.get_ydata(), told.series)
        (steps,) = line.images
        np.testing.assert_array_equal(steps.get_array(), told.steps[None])
        assert steps.get_extent()[:2] == [-0.5, 3.5]  # a step is a column about its number
        low, high = told.series.min(), told.series.max()
        assert line.get_xlim() == (-0.5, 3.5)
        assert line.get_ylim() == pytest.approx(
            (low - 0.08 * (high - low), high + 0.08 * (high - low))
        )
        for axes, field in zip(images, told.fields, strict=True):
            np.testing.assert_array_equal(axes.images[0].get_array(), field)
            assert axes.images[0].get_clim() == (-1, 1)
            assert axes.images[0].get_extent() == axes.images[1].get_extent()
    assert [line.get_ylabel() for line in panels[:, 0]] == ["flow\n60 %", "temp\n40 %"]
    assert [axes.get_title() for axes in panels[0]] == [
        "series",
        "GASF  cos(a + b)",
        "GADF  sin(a - b)",
    ]
    assert [axes.get_xlabel() for axes in panels[:, 0]] == ["", "step"]
    assert figure.get_suptitle() == "why"


def test_an_explanation_has_hours_and_scales_of_its_colours():
    axis = TimeAxis.of_seconds(900, 4)
    figure = draw_explanation(explained(), "why", axis, [61, 39])
    line = figure.axes[3]
    assert line.get_xlabel() == "hours from the window's beginning"
    assert line.get_xlim() == (0, 1)  # four steps of a quarter of an hour, each as long as it lasts
    assert line.get_lines()[0].get_xdata().tolist() == [0.125, 0.375, 0.625, 0.875]
    assert line.get_ylabel() == "temp\n39 %"
    scales = [axes.get_xlabel() for axes in figure.axes[6:]]
    assert scales == [
        "how much a step spoke; 1 = the most of those shown",
        "how much a block of pixels did",
    ]


@pytest.mark.parametrize(
    ("step", "n_steps", "unit"), [(60, 60, "h"), (60, 30, "h"), (60, 29, "min"), (1, 29, "s")]
)
def test_a_short_window_has_shorter_units(step, n_steps, unit):
    axis = TimeAxis.of_seconds(step, n_steps)
    assert axis.unit == unit
    assert axis.step * {"h": 3600, "min": 60, "s": 1}[unit] == pytest.approx(step)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_whole_per_cents_add_up_and_are_rounded(fractions):
    found = whole_per_cents(fractions)
    total = sum(fractions)
    if not total:
        assert not any(found)
        return
    assert sum(found) == 100
    for part, fraction in zip(found, fractions, strict=True):
        assert abs(part - 100 * fraction / total) < 1 + 1e-6


def test_the_map_has_a_row_a_channel_and_its_share():
    steps = np.array([[0.0, 0.5, 0.1], [0.2, 0.0, 0.0]])
    figure = draw_spoke(steps, ["flow", "temp"], [60, 20], TimeAxis(0.5, "h"), "two windows")
    heat, shares, bar = figure.axes
    np.testing.assert_allclose(heat.images[0].get_array(), 100 * steps)
    assert heat.images[0].get_clim() == (0, 50)
    assert heat.get_xlim() == (0, 1.5)
    assert [tick.get_text() for tick in heat.get_yticklabels()] == ["flow", "temp"]
    assert [patch.get_width() for patch in shares.patches] == [60, 20]
    assert [text.get_text().strip() for text in shares.texts] == ["60 %", "20 %"]
    assert bar.get_xlabel() == "per cent of all that spoke, in one step"


def test_shades_of_all_signals_are_on_one_scale():
    panels = np.reshape(draw_explanation(explained(), "why").axes[:6], (2, 3))
    assert [axes.images[0].get_clim() for axes in panels[:, 0]] == [(0, 4), (0, 4)]
    heat = [[axes.images[1] for axes in line[1:]] for line in panels]
    # The largest pixel of all is 8; what spoke against the class is not shown.
    wanted = [[np.diag([1.0, 0.0]), np.zeros((2, 2))], [np.zeros((2, 2)), np.diag([0.25, 0.5])]]
    for shown, right in zip(heat, wanted, strict=True):
        for image, values in zip(shown, right, strict=True):
            np.testing.assert_array_equal(image.get_array(), values)
            np.testing.assert_array_equal(image.get_alpha(), 0.85 * values)
            assert image.get_clim() == (0, 1)


def test_a_window_in_which_nothing_spoke_is_drawn_without_shades():
    told = Row("flat", np.full(4, 3.0), np.zeros((2, 2, 2)), np.zeros(4), np.zeros((2, 2, 2)), 0.0)
    line, gasf, _ = draw_explanation([told], "nothing").axes[:3]
    assert not line.images[0].get_array().any()
    assert not gasf.images[1].get_array().any()
    assert line.get_ylim() == (2.5, 3.5)  # a constant series has room, too


@pytest.mark.parametrize("level", [1.4, 1e12])
def test_rounding_is_not_drawn_as_a_series_that_jumps(level):
    last_digit = np.array([level, np.nextafter(level, np.inf)] * 2)
    rows = [
        Row("s", series, np.zeros((2, 2, 2)), np.zeros(4), np.zeros((2, 2, 2)), 0.0)
        for series in (last_digit, level * (1 + 1e-3 * np.arange(4)))
    ]
    dead, moving = draw_explanation(rows, "nothing").axes[:6:3]
    assert np.ptp(dead.get_ylim()) >= max(1.0, 0.002 * level)
    assert np.ptp(moving.get_ylim()) < 0.004 * level


def test_blocks_are_means_and_as_many_as_fit():
    rising = np.arange(4.0 * BLOCKS * BLOCKS).reshape(2 * BLOCKS, 2 * BLOCKS)
    blocks = blocks_of(rising)
    wanted = rising.reshape(BLOCKS, 2, BLOCKS, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(blocks, wanted)
    # uneven: edges of 17 pixels are 0, 1, ..., 15, 17, so the last block has two
    uneven = blocks_of(np.ones((BLOCKS + 1, BLOCKS + 1)))
    np.testing.assert_allclose(uneven, np.ones((BLOCKS, BLOCKS)))
    assert blocks_of(np.array([[-2.0, 3.0], [0.0, 1.0]])).tolist() == [[0.0, 3.0], [0.0, 1.0]]


def test_no_line_of_a_title_is_longer_than_the_picture():
    name = " + ".join(f"ahu3_week_{k}.csv" for k in range(12))
    row = Row("sat", np.arange(8.0), np.zeros((2, 8, 8)), np.ones(8), np.ones((2, 8, 8)), 1.0)
    figure = draw_explanation([row], f"{name}/2026-03-02, class leak\nmost relevant")
    figure.draw_without_rendering()
    box = figure._suptitle.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    assert wrapped("one window\nand why") == "one window\nand why"
