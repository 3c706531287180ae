import numpy as np
import pytest

from dualgaf.plots.training import LONGEST_NAME, draw_confusion, draw_curves

EPOCHS = [
    {"epoch": 5, "learning_rate": 0.1, "train/loss": 0.9, "val/loss": 0.5, "val/acc": 0.25},
    {"epoch": 6, "learning_rate": 0.2, "train/loss": 0.8, "val/loss": 0.4, "val/acc": 0.50},
    {"epoch": 7, "learning_rate": 0.3, "train/loss": 0.7, "val/loss": 0.6, "val/acc": 0.75},
]


def lines(axes):
    """Label -> points, of what is no mark."""
    return {
        line.get_label(): list(zip(*line.get_data(), strict=True))
        for line in axes.get_lines()
        if line.get_linestyle() == "-"
    }


def test_curves_show_each_epoch_and_mark_the_best():
    loss, accuracy, rate = draw_curves(EPOCHS).axes
    assert lines(loss) == {
        "training": [(5, 0.9), (6, 0.8), (7, 0.7)],
        "validation": [(5, 0.5), (6, 0.4), (7, 0.6)],
    }
    assert lines(accuracy) == {"validation": [(5, 0.25), (6, 0.5), (7, 0.75)]}
    assert list(lines(rate).values()) == [[(5, 0.1), (6, 0.2), (7, 0.3)]]
    mark = next(line for line in loss.get_lines() if line.get_linestyle() == ":")
    assert mark.get_label() == "lowest validation loss, epoch 6"
    assert set(mark.get_xdata()) == {6}


def test_a_legend_hides_no_line_and_mixed_windows_are_said():
    epochs = [{**epoch, "mixed": 1.0, "train/acc": 0.1} for epoch in EPOCHS]
    figure = draw_curves(epochs)
    loss, accuracy, _ = figure.axes
    assert "training, on mixed windows" in lines(accuracy)
    figure.draw_without_rendering()
    for axes in (loss, accuracy):
        assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1 - 1
        assert axes.get_legend().get_window_extent().y1 <= figure.bbox.y1


def test_curves_of_a_training_without_validation_have_no_mark():
    axes = draw_curves([{"epoch": 1, "learning_rate": 0.1, "train/loss": -0.5}]).axes
    assert [len(each.get_lines()) for each in axes] == [1, 0, 1]


def texts(axes):
    return {(t.get_position()[1], t.get_position()[0]): t.get_text() for t in axes.texts}


def test_a_cell_has_its_windows_and_their_share_of_the_true_class():
    counts = np.array([[3, 1, 0], [0, 0, 0], [0, 2, 2]])
    axes = draw_confusion(counts, ["a", "b", "c"]).axes[0]
    assert texts(axes) == {
        (0, 0): "3\n75 %",
        (0, 1): "1\n25 %",
        (2, 1): "2\n50 %",
        (2, 2): "2\n50 %",
    }
    np.testing.assert_allclose(
        axes.images[0].get_array(), [[0.75, 0.25, 0], [0, 0, 0], [0, 0.5, 0.5]]
    )
    assert axes.get_xlabel() == "predicted class"
    assert axes.get_ylabel() == "true class"


@pytest.mark.parametrize(("n_classes", "n_texts"), [(25, 25), (41, 0)])
def test_many_classes_have_small_cells_and_all_names(n_classes, n_texts, tmp_path):
    names = [f"${number}$ {'fault ' * 9}" for number in range(n_classes)]
    figure = draw_confusion(np.diag(np.arange(1, n_classes + 1)), names)
    axes = figure.axes[0]
    assert len(axes.texts) == n_texts
    assert texts(axes).get((3, 3)) in ("4", None)
    for ticks in (axes.get_xticklabels(), axes.get_yticklabels()):
        shown = [tick.get_text() for tick in ticks]
        assert [name.split()[0] for name in shown] == [rf"\${n}\$" for n in range(n_classes)]
        assert all(len(name) == LONGEST_NAME + 2 for name in shown)
    figure.savefig(tmp_path / "confusion.png", dpi=20)
    assert (tmp_path / "confusion.png").stat().st_size > 1000
