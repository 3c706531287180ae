"""How long a window takes right now, and how many of them make a good task.

`measure_window_s` draws a few made-up windows and writes them, by the code that a build uses, into
memory of the same kind. So the load that other programs put on the machine is in the figure. The
windows are never the user's: one that crashes the kernel may cost a worker, not this process.

`auto_chunk_rows` makes a task of about `TASK_S` of them: long enough that handing it out costs
nothing, short enough that a worker that falls behind, or dies, delays nobody for long.
"""

import contextlib
import math
import time
from dataclasses import dataclass

import numpy as np

from dualgaf.errors import StoreFullError
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.pool.chunk import ChunkFiller
from dualgaf.store.backing import open_writer
from dualgaf.store.layout import StoreLayout
from dualgaf.store.writer import StoreWriter

TASK_S = 0.03
"""Duration of a task: handing one out takes 0.1 to 0.2 ms with processes, less with threads."""
TASKS_A_WORKER = 8
"""At least so many: a worker that waits for the last task of another loses an eighth at most."""
MEMORY_PARTS = 64
"""The tasks under way fill at most a 64th of the free memory: it is read again between tasks."""
SAMPLE_BYTES = 8 << 20
"""Images drawn for the measurement: 2 to 4 ms where memory is fresh."""
SAMPLE_WINDOWS = 512


@dataclass(frozen=True)
class Drawing:
    """What is drawn: everything that decides how long a window takes."""

    recipe: ImagingRecipe
    """How."""
    n_channels: int
    """C."""
    window_size: int
    """T."""
    dtype: str = "float64"
    """NumPy type of the series; the kernel is compiled for it."""
    read_only: bool = False
    """Whether the series are read-only, as worker processes see them: another type to the
    compiler."""
    private: bool = False
    """Whether the images go to private memory."""


def measure_window_s(drawing: Drawing) -> float:
    """Seconds that one worker takes to draw and write a window at this moment.

    The first window is not counted: the kernel may have to be compiled for it. Of a window with
    very many channels only some are drawn, and the figure is scaled up.

    Args:
        drawing: what is drawn, and into which memory.

    Raises:
        StoreFullError: there is no memory for 8 MiB of images.

    Example:
        >>> measure_window_s(Drawing(ImagingRecipe(24), 3, 48)) > 0
        True
    """
    channel_bytes = drawing.recipe.row_bytes(1)
    channels = max(1, min(drawing.n_channels, SAMPLE_BYTES // channel_bytes))
    rows = max(1, min(SAMPLE_WINDOWS, SAMPLE_BYTES // (channels * channel_bytes)))
    windows = _made_up(drawing, channels, rows + 1)
    bounds = np.tile([[-1.0], [1.0]], channels) if drawing.recipe.scaling == "train" else None
    renderer = Renderer(drawing.recipe, drawing.window_size, bounds)
    layout = StoreLayout(rows + 1, drawing.recipe.row_shape(channels), drawing.recipe.storage)
    with _memory(layout, drawing.private) as writer:
        filler = ChunkFiller(renderer, windows, writer)
        filler.fill(0, 1)
        started = time.perf_counter()
        filler.fill(1, rows + 1)
        seconds = time.perf_counter() - started
    return seconds / rows * drawing.n_channels / channels


def auto_chunk_rows(
    window_s: float, n_windows: int, workers: int, row_bytes: int, free_bytes: int
) -> int:
    """Windows per task: about `TASK_S`, at least `TASKS_A_WORKER` tasks a worker, equal.

    Args:
        window_s: from `measure_window_s`.
        n_windows: N, windows of the whole build.
        workers: who draw at the same time.
        row_bytes: bytes of a window's images.
        free_bytes: memory that is free; tasks are small beside it.

    Example:
        >>> auto_chunk_rows(0.0003, 4000, workers=2, row_bytes=368640, free_bytes=2**34)
        100
    """
    most = min(
        TASK_S / window_s,
        n_windows / (TASKS_A_WORKER * workers),
        free_bytes / (MEMORY_PARTS * workers * row_bytes),
    )
    # As many tasks for each worker: one task more for one of them would leave the others idle.
    tasks = math.ceil(n_windows / max(1.0, most) / workers) * workers
    return math.ceil(n_windows / tasks)


def _made_up(drawing: Drawing, channels: int, rows: int) -> Windows:
    """Overlapping windows of a zigzag within [-1, 1], which every scaling allows."""
    steps = drawing.window_size + rows
    zigzag = np.abs(np.linspace(-2.0, 2.0, steps)) - 1.0
    flat = np.tile(zigzag.astype(drawing.dtype), (channels, 1))
    windows = Windows(flat, np.arange(rows, dtype=np.int64), drawing.window_size)
    flat.flags.writeable = windows.starts.flags.writeable = not drawing.read_only
    return windows


def _memory(layout: StoreLayout, private: bool) -> StoreWriter:
    if not private:
        with contextlib.suppress(StoreFullError):  # no memfd here: what drawing takes is still told
            return open_writer(layout, ["memfd"])
    return open_writer(layout, ["private"])
