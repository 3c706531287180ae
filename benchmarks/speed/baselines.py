"""What dualgaf is compared with: the earlier system, and pyts as one would write it in a loop.

`EarlierSystem` follows the guide of the earlier training script, for each of the two fields:

1. the windows go into a named segment of /dev/shm, a second one takes float32 images;
2. processes run pyts over large portions of windows (its float64 temporaries are several times the
   portion) and write what comes out into the second segment;
3. the images are copied into private memory, the segments are removed.
4. When both fields are there, each is copied into a segment once more, threads convert it to
   uint8 into another one, and that is copied out.

It is written anew for this comparison. The portions are those that the earlier script used in
place of the chunk size a user asked for: half of what each worker gets.
"""

import contextlib
import os
import secrets
import signal
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dualgaf.imaging.packing import encode
from dualgaf.imaging.windows import Windows
from dualgaf.system.machine import format_bytes, memory_headroom, shm_free
from dualgaf.system.termination import SIGNALS, signals_held_back

Array = npt.NDArray[Any]

METHODS = ("summation", "difference")
PYTS_BLOCK = 200
"""Windows that pyts gets at a time: more make it slower, its temporaries leave the cache."""
LEAST_PORTION = 400
"""Windows that a worker of the earlier system gets at least."""
MEMORY_OF_STORE = 11
"""Memory that the earlier system takes at its peak, in sizes of its uint8 result (measured)."""


def pyts_is_here() -> bool:
    """Whether pyts can be imported."""
    try:
        import pyts.image  # noqa: F401
    except ImportError:
        return False
    return True


def obstacle(image_bytes: int) -> str | None:
    """Why the earlier system cannot run here, and what to type; None where it can.

    A full /dev/shm would end this process by SIGBUS, and full memory by SIGKILL, so both are
    looked at before.

    Args:
        image_bytes: bytes of both fields in uint8.
    """
    if not pyts_is_here():
        return "pyts is not installed; type pip install pyts"
    named, whole = image_bytes // 2 * 5, image_bytes * MEMORY_OF_STORE
    for what, wanted, free in (
        ("in /dev/shm", named, shm_free() or 0),
        ("of memory", whole, memory_headroom().bytes),
    ):
        if wanted > free:
            return (
                f"the earlier system needs {format_bytes(wanted)} {what}, {format_bytes(free)} "
                "are free; type a smaller --n-windows"
            )
    return None


def draw_with_pyts(windows: Windows, n: int) -> list[Array]:
    """Draw n windows with pyts in this process, block by block.

    Returns:
        For each block GASF, then GADF: (block, C, T, T) uint8.
    """
    drawn: list[Array] = []
    for first in range(0, n, PYTS_BLOCK):
        x = windows.block(first, min(first + PYTS_BLOCK, n))
        drawn += [encode(_fields(x, method), "uint8") for method in METHODS]
    return drawn


def _fields(x: Array, method: str) -> Array:
    """(n, C, T) series -> (n, C, T, T) float32 by pyts, which draws in float64."""
    from pyts.image import GramianAngularField

    images = GramianAngularField(method=method).fit_transform(x.reshape(-1, x.shape[-1]))
    drawn: Array = images.astype(np.float32).reshape(*x.shape, x.shape[-1])
    return drawn


class _Shared(NamedTuple):
    """An array in a named segment."""

    name: str
    shape: tuple[int, ...]
    dtype: str


class EarlierSystem:
    """The earlier system; see the module's first lines.

    Args:
        n_jobs: processes that draw, and threads that convert.
    """

    def __init__(self, n_jobs: int) -> None:
        import pyts.image  # noqa: F401  # once here, where it takes seconds, not in each worker

        self.n_jobs = n_jobs
        self._names: set[str] = set()

    def build(self, series: Array) -> list[Array]:
        """Draw both fields of (N, C, T) series.

        Returns:
            GASF and GADF, each (N, C, T, T) uint8, a pixel g stored as ``round((g + 1) * 127.5)``.
        """
        fields = [self._generate(series, method) for method in METHODS]
        for index in range(len(fields)):
            fields[index] = self._convert(fields[index])
        return fields

    def shared_bytes(self) -> int:
        """Bytes that the segments take right now."""
        taken = 0
        for name in list(self._names):
            with contextlib.suppress(FileNotFoundError):
                taken += Path("/dev/shm", name).stat().st_blocks * 512
        return taken

    def _generate(self, series: Array, method: str) -> Array:
        shape = (*series.shape, series.shape[-1])
        with (
            self._segment(series.shape, series.dtype.str) as (source, values),
            self._segment(shape, "float32") as (target, images),
        ):
            values[:] = series
            draw = partial(_draw_portion, source, target, method)
            with _forked_pool(self.n_jobs) as pool:
                list(pool.map(draw, *self._portions(len(series))))
            return images.copy()

    def _convert(self, field: Array) -> Array:
        with (
            self._segment(field.shape, "float32") as (source, values),
            self._segment(field.shape, "uint8") as (target, levels),
        ):
            values[:] = field
            with ThreadPoolExecutor(self.n_jobs) as threads:
                convert = partial(_convert_portion, source, target)
                list(threads.map(convert, *self._portions(len(field))))
            return levels.copy()

    def _portions(self, n: int) -> tuple[list[int], list[int]]:
        size = max(LEAST_PORTION, n // (2 * self.n_jobs))
        firsts = list(range(0, n, size))
        return firsts, [min(first + size, n) for first in firsts]

    @contextlib.contextmanager
    def _segment(self, shape: tuple[int, ...], dtype: str) -> Iterator[tuple[_Shared, Array]]:
        """An array in a new named segment, which is gone when the block ends, whatever ends it."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        name = f"dualgaf-bench-{os.getpid()}-{secrets.token_hex(8)}"
        segment = SharedMemory(name, create=True, size=size)
        self._names.add(name)
        try:
            yield _Shared(name, shape, dtype), np.ndarray(shape, dtype, buffer=segment.buf)
        finally:
            segment.unlink()
            segment.close()
            self._names.discard(name)


@contextlib.contextmanager
def _forked_pool(n_jobs: int) -> Iterator[ProcessPoolExecutor]:
    # Forked, as on the Linux of the earlier system: pyts is loaded already, which favours it.
    context = get_context("fork")
    with ProcessPoolExecutor(n_jobs, context, _end_at_once_on_ctrl_c) as pool:
        # In the middle of a fork Ctrl-C is lost, or leaves workers that nobody ends.
        with signals_held_back(), warnings.catch_warnings():
            # Python 3.12 and later warn of locks that other threads may hold; BLAS has threads.
            warnings.filterwarnings("ignore", "This process .* is multi-thr", DeprecationWarning)
            pool.submit(os.getpid)  # the first task makes the executor fork all its workers
        yield pool


def _end_at_once_on_ctrl_c() -> None:
    """Instead of printing the stack of a worker."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _draw_portion(source: _Shared, target: _Shared, method: str, first: int, last: int) -> None:
    with _attached(source) as series:
        x = series[first:last].copy()
    fields = _fields(x, method)
    with _attached(target) as images:
        images[first:last] = fields


def _convert_portion(source: _Shared, target: _Shared, first: int, last: int) -> None:
    with _attached(source) as fields:
        values = fields[first:last].copy()
    stored = np.round((values.clip(-1, 1).astype(np.float64) + 1.0) * 127.5).astype(np.uint8)
    with _attached(target) as levels:
        levels[first:last] = stored


@contextlib.contextmanager
def _attached(array: _Shared) -> Iterator[Array]:
    segment = SharedMemory(array.name)
    try:
        yield np.ndarray(array.shape, array.dtype, buffer=segment.buf)
    finally:
        segment.close()
