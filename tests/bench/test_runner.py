import contextlib

import numpy as np
import pytest

from dualgaf.bench import runner
from dualgaf.bench.runner import BenchSize, Measured, Side, random_windows, run_sides
from dualgaf.errors import ConfigError


class Clock:
    """Time that passes only when somebody says so."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        self.log = []
        monkeypatch.setattr(runner.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(runner, "touch_memory", self.touch)

    def touch(self, n_bytes):
        self.now += 1000
        self.log.append(("touch", n_bytes))

    def side(self, name, seconds, **options):
        left = list(seconds)

        @contextlib.contextmanager
        def work():
            self.log.append((name, "in"))
            self.now += left.pop(0)
            yield {"figure": self.now}
            self.now += 100
            self.log.append((name, "out"))

        return Side(name, work, 1, 10, **options)


def test_only_the_job_is_timed_not_the_touching_nor_the_freeing(monkeypatch):
    clock = Clock(monkeypatch)
    found = run_sides([clock.side("a", [9, 1, 2, 6])], 3, print)
    assert found["a"].seconds == [9, 1, 2, 6]
    assert found["a"].median_s == 2


def test_sides_take_turns_and_free_before_the_next_one_starts(monkeypatch):
    clock = Clock(monkeypatch)
    sides = [clock.side("a", [1, 1, 1]), clock.side("b", [1, 1, 1], needs_bytes=50, repeats=1)]
    told = []
    run_sides(sides, 2, told.append)
    a = [("touch", 10), ("a", "in"), ("a", "out")]
    b = [("touch", 50), ("b", "in"), ("b", "out")]
    assert clock.log == [*a, *b, *a, *b, *a]
    assert told == ["repeat 0 of 2 (not counted)", "repeat 1 of 2", "repeat 2 of 2"]


def test_figures_of_a_side_are_medians_without_the_first():
    measured = Measured([1, 1, 1, 1], [{"x": 99}, {"x": 3}, {"x": 5}, {"x": 4}])
    assert measured.median("x") == 4


def test_touching_never_takes_more_than_half_of_what_is_left(monkeypatch):
    asked = []
    empty = np.empty
    monkeypatch.setattr(runner.np, "empty", lambda n, dtype: asked.append(n) or empty(n, dtype))
    monkeypatch.setattr(runner, "memory_headroom", lambda: type("", (), {"bytes": 8192}))
    runner.touch_memory(1 << 40)
    assert asked == [4096]


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("n_windows", 5, "--n-windows 5 is too small; allowed: 10 and more"),
        ("window_size", 1, "--window-size 1 is too small; allowed: 2 and more"),
        ("repeats", 0, "--repeats 0 is too small; allowed: 1 and more"),
    ],
)
def test_a_size_that_cannot_be_is_named(option, value, text):
    with pytest.raises(ConfigError, match=text):
        BenchSize(**{option: value})


def test_windows_lie_end_to_end():
    windows = random_windows(5, 2, 7)
    assert (len(windows), windows.n_channels, windows.flat.shape) == (5, 2, (2, 35))
    assert windows.starts.tolist() == [0, 7, 14, 21, 28]
