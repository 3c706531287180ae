"""What is compared, which job is best, and what the picture shows."""

import numpy as np
import pytest

from dualgaf.plots.sweep import best_job, compared, draw_sweep


def built(seconds, cache="off", **overrides):
    names = {name.replace("__", "."): str(value) for name, value in overrides.items()}
    sizes = {"build/windows": 100, "build/bytes": 2**20, "build/backing": "memfd"}
    state = {"build/seconds": seconds, "build/backend": "thread", "build/cache": cache}
    return {"job": "0", **names, **sizes, **state}


def pool(seconds, n_jobs, chunk_size, **more):
    return built(seconds, parallel__n_jobs=n_jobs, parallel__chunk_size=chunk_size, **more)


def lines(axes):
    """Label -> its points, of whole lines and of dashed ones from side to side."""
    return {
        line.get_label(): list(zip(map(float, line.get_xdata()), line.get_ydata(), strict=True))
        for line in axes.get_lines()
    }


@pytest.mark.parametrize(
    ("rows", "metric"),
    [
        ([{"seed": "0", "val/acc": 0.5, "test/acc": 0.4, "build/seconds": 1.0}], "val/acc"),
        ([{"seed": "0", "test/acc": 0.4, "build/seconds": 1.0}], "test/acc"),
        ([{"seed": "0", "build/seconds": 1.0}], "build/seconds"),
        (
            [
                {"parallel.n_jobs": "1", "val/acc": 0.5, "build/seconds": 1.0},
                {"parallel.n_jobs": "2", "val/acc": 0.5, "build/seconds": 1.0},
            ],
            "build/seconds",
        ),
        (  # the pool is named, but the same in both
            [
                {"parallel.n_jobs": "1", "seed": "0", "val/acc": 0.5},
                {"parallel.n_jobs": "1", "seed": "1", "val/acc": 0.5},
            ],
            "val/acc",
        ),
    ],
)
def test_what_is_compared(rows, metric):
    assert compared(rows) == metric


def test_the_validation_split_decides_not_the_test_split():
    rows = [
        {"job": "0", "val/acc": 0.9, "test/acc": 0.5},
        {"job": "1", "val/acc": 0.8, "test/acc": 1.0},
    ]
    assert best_job(rows)["job"] == "0"


def test_a_store_that_was_found_is_not_the_fastest_build():
    rows = [pool(0.0001, 1, 10, cache="hit"), pool(0.5, 1, 20), pool(0.4, 1, 30), pool(0.0, 1, 40)]
    assert best_job(rows) is rows[2]
    assert best_job([{"job": "0", "seed": "0"}]) is None


def test_a_line_for_each_number_of_workers_over_the_chunk_size():
    rows = [
        pool(seconds, n_jobs, size)
        for n_jobs, times in ((1, (2.0, 1.0, 4.0)), (2, (1.0, 0.5, 2.0)))
        for size, seconds in zip((10, 2000, 50), times, strict=True)
    ]
    figure = draw_sweep(rows)
    time, rate = figure.axes
    assert lines(time) == {
        "n_jobs=1": [(10, 2.0), (50, 4.0), (2000, 1.0)],
        "n_jobs=2": [(10, 1.0), (50, 2.0), (2000, 0.5)],
    }
    assert lines(rate)["n_jobs=2"] == [(10, 100.0), (50, 50.0), (2000, 200.0)]
    assert time.get_xscale() == "log"
    assert [tick.get_text() for tick in time.get_xticklabels()] == ["10", "50", "2000"]
    assert time.get_xlabel() == "parallel.chunk_size (windows per task)"
    assert (time.get_ylabel(), rate.get_ylabel()) == ("build time (s)", "windows per second")
    title = figure.get_suptitle()
    assert title.startswith("Build of the images: 100 windows, 1.00 MiB, memfd, thread\n")
    assert title.endswith("fastest job: 0.5 s with n_jobs=2 chunk_size=2000")
    assert [text.get_text() for text in time.get_legend().get_texts()] == ["n_jobs=1", "n_jobs=2"]


def test_one_override_is_one_line_without_a_legend():
    time, _ = draw_sweep([built(2.0, parallel__n_jobs=1), built(1.0, parallel__n_jobs=2)]).axes
    (points,) = lines(time).values()
    assert points == [(1, 2.0), (2, 1.0)]
    assert time.get_xscale() == "linear"
    assert time.get_legend() is None


def test_auto_is_a_dashed_line_from_side_to_side():
    rows = [pool(3.0, 2, 10), pool(1.0, 2, 20), pool(2.0, 2, "auto")]
    time, _ = draw_sweep(rows).axes
    whole, dashed = time.get_lines()
    assert (dashed.get_linestyle(), dashed.get_label()) == ("--", "auto")
    assert list(dashed.get_ydata()) == [2.0, 2.0]
    assert list(dashed.get_xdata()) == [0, 1]  # shares of the width
    assert list(whole.get_ydata()) == [3.0, 1.0]


def test_jobs_that_differ_in_their_seed_are_repeats():
    rows = [
        pool(seconds + size / 100, 1, size, seed=seed)
        for seed, seconds in enumerate((9.0, 1.0, 2.0))
        for size in (10, 20)
    ]
    time, _ = draw_sweep(rows).axes
    (points,) = lines(time).values()
    assert points == [(10, pytest.approx(2.1)), (20, pytest.approx(2.2))]
    # The fastest job took 1.1 s; what is named is what is drawn.
    assert time.figure.get_suptitle().endswith("lowest median: 2.1 s with chunk_size=10")


def test_threads_and_processes_are_never_in_one_line():
    rows = [pool(1.0, n_jobs, size) for size in (10, 20, 30) for n_jobs in (1, 2)]
    for row in rows[1::2]:
        row["build/backend"] = "process"
    time, _ = draw_sweep(rows).axes
    assert list(lines(time)) == ["n_jobs=1 (thread)", "n_jobs=2 (process)"]


def test_a_pool_without_numbers_is_a_point_a_job():
    rows = [built(0.5, parallel__backend="thread"), built(1.5, parallel__backend="process")]
    (axes,) = draw_sweep(rows).axes
    (points,) = lines(axes).values()
    assert points == [(0.5, 0), (1.5, 1)]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [
        "backend=thread",
        "backend=process",
    ]
    assert axes.get_xlabel() == "build time (s)"


def test_other_sweeps_show_the_accuracy_of_each_job():
    rows = [
        {"job": str(seed), "seed": str(seed), "val/acc": 0.5 + seed / 10, "test/acc": 0.25}
        for seed in range(3)
    ]
    (axes,) = draw_sweep([*rows, {"job": "3", "seed": "3"}]).axes  # one has failed
    assert lines(axes) == {
        "val/acc": [(0.5, 0), (0.6, 1), (0.7, 2)],
        "test/acc": [(0.25, 0), (0.25, 1), (0.25, 2)],
    }
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["seed=0", "seed=1", "seed=2"]
    assert axes.get_xlabel() == "accuracy (fraction of the windows)"
    assert axes.figure.get_suptitle() == "Accuracy of 3 jobs"


def test_ablations_are_means_over_seeds_with_bars():
    rows = [
        {"job": "0", "ablation": name, "seed": str(seed), "val/acc": acc, "test/acc": acc / 2}
        for name, accuracies in (("full", (0.8, 0.9, 1.0)), ("minimal", (0.5, 0.5)))
        for seed, acc in enumerate(accuracies)
    ]
    (axes,) = draw_sweep(rows).axes
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    assert names == ["ablation=full", "ablation=minimal"]
    val, test = axes.containers
    points, _, (bars,) = val.lines
    assert points.get_xdata() == pytest.approx([0.9, 0.5])
    widths = [float(np.ptp(bar[:, 0])) for bar in bars.get_segments()]
    assert widths == pytest.approx([0.2, 0.0])  # one standard deviation to both sides
    assert test.lines[0].get_xdata() == pytest.approx([0.45, 0.25])
    assert axes.figure.get_suptitle() == "2 settings, means over 2 to 3 seeds"


def test_repeated_builds_without_numbers_are_medians():
    rows = [
        built(seconds, parallel__backend=backend, seed=seed)
        for backend, times in (("thread", (1.0, 9.0, 2.0)), ("process", (3.0, 3.5, 4.0)))
        for seed, seconds in enumerate(times)
    ]
    (axes,) = draw_sweep(rows).axes
    (found,) = axes.containers
    assert found.lines[0].get_xdata() == pytest.approx([2.0, 3.5])
    assert axes.get_title().endswith("lowest median: 2 s with backend=thread")
