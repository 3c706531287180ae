"""`IntervalQuantiles`, beside NumPy."""

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch

from dualgaf.models.forest import quantiles as module
from dualgaf.models.forest.quantiles import IntervalQuantiles

Array = npt.NDArray[np.float64]


def of_interval(values: Array) -> list[float]:
    """Quantiles of one interval, as the page of the module tells them."""
    n = 1 + (len(values) - 1) // 4
    found = np.quantile(values, np.linspace(0, 1, n) if n > 1 else [0.5])
    found[1::2] -= values.mean()
    return found.tolist()


def of_view(view: Array) -> list[float]:
    n, found = len(view), []
    for depth in range(min(6, int(math.log2(n)) + 1)):
        length = -(-n // 2**depth)
        starts = np.linspace(0, n - length, 2 ** (depth + 1) - 1).round().astype(int)
        for start in sorted(set(starts.tolist())):
            found.append(of_interval(view[start : start + length]))
    return [number for interval in found for number in interval]


def by_numpy(signal: Array) -> list[list[float]]:
    """The quantiles of the four views of a signal."""
    first = np.diff(signal)
    smooth = np.convolve(np.pad(first, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    spectrum = np.abs(np.fft.rfft(signal - signal.mean()))[1:] / math.sqrt(len(signal))
    views = (signal, smooth, np.diff(first), spectrum)
    return [of_view(view) for view in views if len(view)]


@pytest.mark.parametrize("n_steps", [2, 3, 4, 5, 7, 15, 29, 64, 100])
def test_it_gives_what_numpy_gives(n_steps: int) -> None:
    series = np.random.default_rng(n_steps).normal(size=(3, 2, n_steps))
    got = IntervalQuantiles(2, n_steps)(torch.from_numpy(series).float()).numpy()
    for window, numbers in zip(series, got, strict=True):
        first, second = (by_numpy(signal) for signal in window)
        # View by view, depth by depth, the signals side by side.
        assert len(numbers) == sum(len(view) for view in (*first, *second))
        wanted = sorted(number for view in (*first, *second) for number in view)
        np.testing.assert_allclose(np.sort(numbers), wanted, atol=2e-4)
        np.testing.assert_allclose(numbers[: len(of_interval(window[0]))], of_interval(window[0]),
                                   atol=1e-5)  # fmt: skip


def test_a_level_is_not_in_differences_and_spectrum() -> None:
    read = IntervalQuantiles(1, 50)
    series = torch.rand(4, 1, 50) * torch.tensor([0.0, 1.0, 3.0, 1e3])[:, None, None]
    level = torch.tensor([0.0, 0.1, 1 / 3, 12.345])[:, None, None].expand(4, 1, 50)
    n_levels = read.views[0].n_numbers
    assert not read(level)[:, n_levels:].any()
    assert read(series)[1:, n_levels:].any(dim=1).all()


def test_windows_have_the_same_numbers_alone_and_among_others() -> None:
    series = torch.randn(33, 3, 40)
    read = IntervalQuantiles(3, 40)
    alone = torch.cat([read(window[None]) for window in series])
    torch.testing.assert_close(read(series), alone, atol=1.01 * module.GRID, rtol=0)


def test_torch_sorts_as_numpy_does() -> None:
    series = torch.randn(5, 2, 30)
    read = IntervalQuantiles(2, 30)
    followed = series.clone().requires_grad_()
    assert torch.equal(read(series), read(followed).detach())
    read(followed).sum().backward()
    assert followed.grad is not None


def test_of_many_signals_fewer_depths_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NUMBERS", 2000)
    few, many = IntervalQuantiles(2, 60), IntervalQuantiles(30, 60)
    assert len(few.views[0].depths) == 6  # type: ignore[arg-type]
    assert 1 <= len(many.views[0].depths) < 6  # type: ignore[arg-type]
    assert many(torch.randn(1, 30, 60)).shape[1] <= 2000
    assert len(IntervalQuantiles(3000, 60).views[0].depths) == 1  # type: ignore[arg-type]
