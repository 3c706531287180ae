"""From a source to windows: read, split, make lengths equal, lay end to end, cut.

Splits come before windows, so no row of a series is in two splits. Classes, the length of ragged
series, the series scaler and the bounds of ``scaling=train`` come from the training split alone.
"""

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.data.plants import PlantScalers, plant_scalers, scaled_by_plant
from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.data.short_series import check_classes, long_enough, no_window, one_step
from dualgaf.data.window_digest import (
    digest_of,
    float32_digest,
    float32_tells_apart,
    labels_digest,
    window_hashes,
)
from dualgaf.errors import SeriesError, SplitError
from dualgaf.imaging.windows import Windows, window_starts
from dualgaf.series.doors import door_of, worded
from dualgaf.series.inspection import TableFacts
from dualgaf.series.lengths import equalise
from dualgaf.series.mapped import on_disk_above
from dualgaf.series.series import SeriesSet
from dualgaf.series.source import Source
from dualgaf.series.splits import split_series
from dualgaf.store.backing import disk_folder
from dualgaf.system.machine import is_in_memory, memory_headroom

Array = npt.NDArray[Any]

log = logging.getLogger(__name__)

MOST_MEMORY = 0.5
"""Of the memory that is left; numbers of tables that take more lie on a disk."""


@dataclass(frozen=True, eq=False)
class WindowedSplits:
    """All windows of a source, split by split, and what belongs to each; made by `read_windows`.

    Example:
        >>> from dualgaf import SimulatedSource
        >>> found = read_windows(SimulatedSource(n_windows=40, window_size=24), seed=0)
        >>> sorted(found.indices), found.windows.take(found.indices["test"][:2]).shape
        (['test', 'train', 'val'], (2, 12, 24))
    """

    windows: Windows
    """Every window of every split."""
    indices: dict[str, Array]
    """Split -> (N_split,) int64 indices into ``windows``."""
    labels: Array
    """(N,) int64 class of each window; -1 without a label."""
    class_names: tuple[str, ...]
    """K names, in the order of the class indices."""
    channel_names: tuple[str, ...]
    """C names."""
    groups: tuple[str, ...]
    """Group of each window: its day, run or subject."""
    scaler: SeriesScaler
    """Fitted on the training split."""
    start_times: Array | None = None
    """(N,) datetime64[us], int64 or float64: time of the first step of each window, if known."""
    end_times: Array | None = None
    """Time of the last step of each window."""
    sources: tuple[str, ...] = ()
    """File or array of each window; () where that is not known."""
    file: Path | None = None
    """Where they are kept in the cache, if they are."""
    facts: TableFacts | None = None
    """What was understood of the files that they come from."""
    plants: PlantScalers | None = None
    """What ``windows`` are scaled by, a plant each; None = by nothing, as they were read."""

    @cached_property
    def digest(self) -> str:
        """What tells the windows of the train split, and those of the val split, from others.

        Means will not do: those of a standardised archive are all 0.
        """
        return digest_of(self._hashes)

    @cached_property
    def labels_digest(self) -> str:
        """The same of the classes of these windows."""
        rows = np.concatenate(list(self._learnable.values()))
        hashes = np.concatenate(list(self._hashes.values()))
        return labels_digest(hashes, self.labels[rows], self.class_names)

    @cached_property
    def earlier_digest(self) -> str | None:
        """`digest` of version 1; None where it is the same for windows that differ."""
        every = np.concatenate([rows for name, rows in self.indices.items() if name != "predict"])
        if not float32_tells_apart(self.windows, every):
            return None
        return float32_digest(self.windows, self._learnable)

    @property
    def _learnable(self) -> dict[str, Array]:
        none = np.zeros(0, dtype=np.int64)
        return {split: self.indices.get(split, none) for split in ("train", "val")}

    @cached_property
    def _hashes(self) -> dict[str, Array]:
        return {name: window_hashes(self.windows, own) for name, own in self._learnable.items()}

    def standardised(self, rows: Array) -> tuple[Array, Array, Array]:
        """Series, classes and groups of windows.

        Args:
            rows: (M,) indices into ``windows``.

        Returns:
            (M, C, T) float32, as in a batch; (M,) int64; and (M,) int64, a number for each group.
        """
        series = self.scaler.transform(self.windows.take(rows))
        _, group = np.unique([self.groups[row] for row in rows], return_inverse=True)
        return series, self.labels[rows], group


def read_windows(source: Source, seed: int, left_bytes: int | None = None) -> WindowedSplits:
    """Read ``source`` and cut its windows.

    Numbers of tables that take more than half of the memory that is left lie on a disk, mapped.

    Args:
        source: what comes in, how it is cut and how it is split.
        seed: of the split.
        left_bytes: memory that may be taken; None = what the machine has.

    Raises:
        SourceError, SeriesError, SplitError: the source, a series or a split is not usable.
    """
    folder = disk_folder()
    left_bytes = memory_headroom().bytes if left_bytes is None else left_bytes
    with on_disk_above(math.inf if is_in_memory(folder) else left_bytes * MOST_MEMORY, folder):
        series_set = source.load()
    with worded(door_of(source)):
        return cut_windows(series_set, usable_splits(series_set, source, seed), source)


def usable_splits(series_set: SeriesSet, source: Source, seed: int) -> dict[str, SeriesSet]:
    """The series of each split, without those that are shorter than a window.

    Args:
        series_set: of ``source``.
        source: how it is cut and how it is split.
        seed: of the split.

    Raises:
        SeriesError, SplitError: no series is long enough, or they cannot be split.
    """
    if source.window_size is not None:
        series_set = long_enough(series_set, source.window_size, source)
    return split_series(series_set, source.split, seed)


def cut_windows(
    series_set: SeriesSet, splits: dict[str, SeriesSet], source: Source
) -> WindowedSplits:
    """The windows of series that were read and split.

    Args:
        series_set: of ``source``.
        splits: of `usable_splits`.
        source: how it is cut.

    Raises:
        SeriesError, SplitError: a series or a split is not usable.
    """
    door, steps, stride = door_of(source), source.window_size, source.stride
    splits, plants = _by_plant(splits, source)
    times = {(name, k): time for name, part in splits.items() for k, time in enumerate(part.times)}
    stretched = None
    if steps is None:
        stretched = max(series_set.lengths) if source.ragged == "resample" else None
        steps = stride = max(splits["train"].lengths)
        if steps < 2:
            raise SeriesError(one_step(series_set, door))
        splits = {name: equalise(part, source.ragged, steps, door) for name, part in splits.items()}
    # In the order of the source, whatever the split: a sweep over seeds finds equal images, unless
    # they are scaled by the training split.
    series = sorted(
        ((part.origins[k].source, part.origins[k].first_row, name, k))
        for name, part in splits.items()
        for k in range(len(part))
    )
    parts = [(splits[name], k) for *_, name, k in series]
    lengths = [part.values[k].shape[1] for part, k in parts]
    starts, of_series = window_starts(lengths, steps, stride or steps)
    indices = _indices(splits, [name for *_, name, _ in series], of_series, door)
    names = splits["train"].class_names
    clocks = [times[name, k] for *_, name, k in series]
    counts = np.bincount(of_series, minlength=len(series)).tolist()
    # A series that was stretched to the window ends where it ended.
    ends = window_ends(clocks, counts, stretched or steps, stride or steps)
    groups = (part.groups[k] for part, k in parts)
    codes = [-1 if (label := part.labels[k]) is None else names.index(label) for part, k in parts]
    labels = np.array(codes, dtype=np.int64)[of_series]
    check_classes(names, labels[indices["train"]], splits["train"], steps, door)
    return WindowedSplits(
        windows=Windows(_end_to_end([part.values[k] for part, k in parts]), starts, steps),
        indices={name: rows for name, rows in indices.items() if len(rows)},
        labels=labels,
        class_names=names,
        channel_names=splits["train"].channel_names,
        groups=_repeated(groups, counts),
        sources=_repeated((file for file, *_ in series), counts),
        scaler=SeriesScaler.fit(splits["train"].values),
        start_times=ends[0],
        end_times=ends[1],
        facts=series_set.facts,
        plants=plants,
    )


def _repeated(names: Iterable[str], counts: Iterable[int]) -> tuple[str, ...]:
    """Each name as often as its count says; millions of windows take no loop of Python."""
    found: list[str] = []
    for name, count in zip(names, counts, strict=True):
        found += [name] * count
    return tuple(found)


def _by_plant(
    splits: dict[str, SeriesSet], source: Source
) -> tuple[dict[str, SeriesSet], PlantScalers | None]:
    """Each plant scaled by its own training rows, where the source says so."""
    if getattr(source, "scale_by", "all") != "plant":
        return splits, None
    plants = plant_scalers(splits["train"])
    return {name: scaled_by_plant(part, plants, name) for name, part in splits.items()}, plants


def _end_to_end(series: list[Array]) -> Array:
    """(C, L) all series: the memory that they are views of, if they lie in it so; else a copy."""
    base, first = series[0].base, series[0]
    steps = sum(own.shape[1] for own in series)
    if isinstance(base, np.ndarray) and base.flags.c_contiguous and base.dtype == first.dtype:
        at, places = first.ctypes.data, first.shape[0] * steps
        skipped = (at - base.ctypes.data) // first.itemsize
        for own in series:
            if own.base is not base or own.ctypes.data != at:
                break
            if own.strides != (steps * own.itemsize, own.itemsize):
                break
            at += own.shape[1] * own.itemsize
        else:
            whole = base.reshape(-1)[skipped : skipped + places]
            return whole.reshape(first.shape[0], steps)
    return np.concatenate(series, axis=1)


def window_ends(
    clocks: list[Array | None], counts: list[int], steps: int, stride: int
) -> tuple[Array | None, Array | None]:
    """Time of the first and of the last step of each window; None where not all are known.

    Args:
        clocks: times of each series.
        counts: windows of each series.
        steps: between the first and the last row of a window, both counted.
        stride: steps between two windows.
    """
    known = [time for time in clocks if time is not None]
    if len(known) < len(clocks) or len({time.dtype for time in known}) != 1:
        return None, None

    def times(time: Array, n: int, first: int) -> Any:
        last = first + stride * (n - 1)
        if last < len(time):
            return time[first : last + 1 : stride]
        # What was padded ends with its last row.
        return time[np.minimum(first + stride * np.arange(n), len(time) - 1)]

    own = [(time, n) for time, n in zip(known, counts, strict=True) if n]
    start, end = (
        np.concatenate([times(time, n, first) for time, n in own]) for first in (0, steps - 1)
    )
    return start, end


def _indices(
    splits: dict[str, SeriesSet], of_each: list[str], of_series: Array, door: str
) -> dict[str, Array]:
    """Split -> indices of its windows.

    Args:
        splits: series by split.
        of_each: split of each series.
        of_series: (N,) series of each window.
        door: how options are typed.
    """
    order = list(splits)
    of_window = np.array([order.index(name) for name in of_each], dtype=np.int8)[of_series]
    found = {name: np.flatnonzero(of_window == number) for number, name in enumerate(order)}
    for name, rows in found.items():
        if not len(rows) and name != "predict":
            raise SplitError(no_window(name, splits[name].lengths, door))
    return found
