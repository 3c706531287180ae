"""What the build reaches on this machine: `python -m dualgaf bench`.

All sides run in turn, repeat after repeat, in one process, so that a noisy moment hits each of
them; the first repeat is thrown away, medians are shown. The limit is a plain copy of as many bytes
into the same kind of fresh memory by as many threads.
"""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.build import build_store
from dualgaf.errors import ConfigError
from dualgaf.hardware import HardwarePreset
from dualgaf.imaging.packing import encode
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.machine import Machine, format_bytes
from dualgaf.plan import BuildRequest, make_plan
from dualgaf.pool.chunk import BLOCK_BYTES
from dualgaf.pool.settings import PoolSettings
from dualgaf.store.backing import open_writer
from dualgaf.store.layout import StoreLayout

Array = npt.NDArray[Any]

PYTS_BLOCK = 200
"""Windows that pyts gets at a time: more make it slower, its temporaries leave the cache."""
PYTS_SHARE = 10
"""pyts draws a tenth of the windows; its rate does not depend on their number."""


@dataclass(frozen=True)
class BenchSize:
    """The job to be timed."""

    n_windows: int = 1000
    """N."""
    n_channels: int = 20
    """C."""
    window_size: int = 96
    """T, and the side of the images."""
    repeats: int = 5
    """Repeats that count; one more is run before them."""

    def __post_init__(self) -> None:
        for option, least in (("n_windows", PYTS_SHARE), ("n_channels", 1), ("repeats", 1)):
            if getattr(self, option) < least:
                typed = f"--{option.replace('_', '-')}"
                raise ConfigError(
                    f"{typed} {getattr(self, option)} is too small; allowed: {least} and more"
                )


def run_bench(size: BenchSize, progress: Callable[[str], None] = print) -> str:
    """Time every side and return the table.

    Args:
        size: the job.
        progress: called with a line before each repeat.

    Returns:
        Text: the machine, then a row a side with seconds, windows/s, GB/s of images, and the ratio
        to pyts where that is installed.
    """
    windows = _random_windows(size)
    recipe = ImagingRecipe(image_size=size.window_size)
    sides = _sides(windows, recipe)
    times: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(size.repeats + 1):
        progress(f"repeat {repeat} of {size.repeats}" + ("" if repeat else " (not counted)"))
        for name, (draw, _) in sides.items():
            started = time.perf_counter()
            draw()
            times[name].append(time.perf_counter() - started)
    return f"{Machine.read()}\n\n{_table(sides, times, size, recipe)}"


def _sides(windows: Windows, recipe: ImagingRecipe) -> dict[str, tuple[Callable[[], object], int]]:
    n = len(windows)
    ours = {
        "threads, private memory": PoolSettings(backend="thread", shm=False),
        "threads, shared memory": PoolSettings(backend="thread"),
        "processes, shared memory (their start included)": PoolSettings(backend="process"),
    }
    sides: dict[str, tuple[Callable[[], object], int]] = {
        "limit: copy into shared memory": (lambda: _copy_only(windows, recipe), n)
    }
    for name, settings in ours.items():
        request = BuildRequest(n, windows.n_channels, windows.window_size, recipe)
        plan = make_plan(request, HardwarePreset("bench"), settings)
        sides[name] = (lambda plan=plan: build_store(windows, plan), n)  # type: ignore[misc]
    part = n // PYTS_SHARE
    if _pyts_is_here():
        sides["pyts in blocks, one process"] = (lambda: _draw_with_pyts(windows, part), part)
    return sides


def _copy_only(windows: Windows, recipe: ImagingRecipe) -> None:
    """Write as many bytes as a store has, from a block in the cache, with two threads."""
    layout = StoreLayout(len(windows), recipe.row_shape(windows.n_channels), recipe.storage)
    rows = max(1, BLOCK_BYTES // layout.row_bytes)
    block = np.zeros((rows, *layout.row_shape), dtype=layout.dtype)
    with open_writer(layout, ("memfd",)) as writer, ThreadPoolExecutor(2) as threads:
        for done in [
            threads.submit(writer.write_rows, first, block[: last - first])
            for first, last in layout.chunks(rows)
        ]:
            done.result()


def _draw_with_pyts(windows: Windows, n: int) -> list[Array]:
    from pyts.image import GramianAngularField

    drawn = []
    for first in range(0, n, PYTS_BLOCK):
        x = windows.block(first, min(first + PYTS_BLOCK, n))
        series = x.reshape(-1, x.shape[-1])
        for method in ("summation", "difference"):
            fields = GramianAngularField(method=method).fit_transform(series)
            drawn.append(encode(fields.astype(np.float32), "uint8"))
    return drawn


def _table(
    sides: dict[str, tuple[Callable[[], object], int]],
    times: dict[str, list[float]],
    size: BenchSize,
    recipe: ImagingRecipe,
) -> str:
    row_bytes = recipe.row_bytes(size.n_channels)
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    rates = {name: sides[name][1] / medians[name] for name in sides}
    pyts = next((rate for name, rate in rates.items() if name.startswith("pyts")), None)
    lines = [
        f"{size.n_windows} windows of {size.window_size} steps, {size.n_channels} channels, "
        f"{recipe.storage} {recipe.layout}, {format_bytes(row_bytes * size.n_windows)}; medians of "
        f"{size.repeats} repeats",
        f"{'':48} {'seconds':>9} {'windows/s':>10} {'GB/s':>6} {'x pyts':>7}",
    ]
    for name, rate in rates.items():
        ratio = f"{rate / pyts:7.1f}" if pyts else "      -"
        lines.append(
            f"{name:48} {medians[name]:9.4f} {rate:10.0f} {rate * row_bytes / 1e9:6.2f} {ratio}"
        )
    if pyts is None:
        lines.append("pyts is not installed, so there is no ratio; type pip install pyts")
    return "\n".join(lines)


def _random_windows(size: BenchSize) -> Windows:
    steps = size.n_windows * size.window_size
    noise = np.random.default_rng(0).normal(size=(size.n_channels, steps))
    return Windows(
        noise.cumsum(axis=1), np.arange(size.n_windows) * size.window_size, size.window_size
    )


def _pyts_is_here() -> bool:
    try:
        import pyts.image  # noqa: F401
    except ImportError:
        return False
    return True
