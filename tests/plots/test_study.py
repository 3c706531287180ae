import math

from dualgaf.plots.study import COLUMNS, Point, draw_study

LEARNED = [
    Point(0, 0.5, {"lr": 1e-3, "head": "mlp", "size": None, "width": 8}),
    Point(1, 0.7, {"lr": 1e-2, "head": "simple", "size": 32, "width": 16}, pruned=True),
    Point(2, 0.4, {"lr": 3e-3, "head": "mlp", "size": 32, "width": 16}),
    Point(3, 0.6, {"lr": 2e-3, "head": "simple", "size": None, "width": 8}),
]


def test_the_line_is_of_the_best_so_far_and_knows_no_pruned_trial():
    history = draw_study([Point(0, 0.1, LEARNED[0].params, pruned=True), *LEARNED[2:]], {}).axes[0]
    (best,) = [line for line in history.lines if line.get_label() == "best so far"]
    assert [*best.get_xdata()] == [2, 3]
    assert [*best.get_ydata()] == [0.4, 0.4]


def test_a_slice_for_each_setting_and_the_best_stands_out():
    figure = draw_study(LEARNED, {"lr": 0.7, "head": 0.3}, ["lr"])
    history, bars, *slices = figure.axes
    assert len(slices) == 4 > COLUMNS
    assert [axes.get_xlabel() for axes in slices] == ["lr", "head", "size", "width"]
    assert [axes.get_xscale() for axes in slices] == ["log", "linear", "linear", "linear"]
    assert [text.get_text() for text in slices[1].get_xticklabels()] == ["mlp", "simple"]
    assert [text.get_text() for text in slices[2].get_xticklabels()] == ["32", "None"]
    assert [text.get_text() for text in bars.get_yticklabels()] == ["head", "lr"]
    for axes in slices:
        (red,) = [line for line in axes.lines if line.get_color() == "#c0504d"]
        assert [*red.get_ydata()] == [0.4]
    assert history.get_ylabel() == "lowest val/loss"


def test_where_all_were_pruned_there_is_a_picture_without_a_line(tmp_path):
    figure = draw_study([Point(0, 0.5, {"a": True}, pruned=True)], {})
    figure.savefig(tmp_path / "study.png")
    assert "best so far" not in {line.get_label() for line in figure.axes[0].lines}
    assert math.isclose(figure.axes[2].lines[0].get_ydata()[0], 0.5)
