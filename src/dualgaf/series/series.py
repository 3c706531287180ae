"""`SeriesSet`: labelled multivariate series of equal or unequal length, and where each came from.

1. `SeriesSet.from_arrays` turns arrays, tensors or lists into channels-first series.
2. Each series carries its group (the day, run or subject that must not be split), the rows it came
   from, the split its source prescribes, and its times, so that splits can be checked later.
3. `take` and `cut` give smaller sets; nothing is copied, the series are views.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, TypeVar, get_args

import numpy as np

from dualgaf.errors import SeriesError, unknown_choice
from dualgaf.series.arrays import Array, channels_first, named_channels
from dualgaf.series.inspection import TableFacts
from dualgaf.series.labels import sorted_classes, text_labels

Split = Literal["train", "val", "test", "predict"]
SPLITS: tuple[Split, ...] = get_args(Split)
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Origin:
    """The rows of a file or array that a series came from."""

    source: str
    """Name of the file or array."""
    first_row: int
    """First data row of the series in it, counted from 0; the series covers L rows from there."""


@dataclass(frozen=True, eq=False)
class SeriesSet:
    """N series of the same C channels with labels, groups and origins.

    Raises:
        SeriesError: the fields do not have the same length, a series is not (C, L) floating point,
            or there is no series or no channel at all.

    Example:
        >>> series_set = SeriesSet.from_arrays(np.zeros((3, 2, 5)), ["b", "a", "b"])
        >>> len(series_set), series_set.n_channels, series_set.class_names
        (3, 2, ('a', 'b'))
    """

    values: tuple[Array, ...]
    """One (C, L_i) array a series, all float64 or all float32; the steps of a channel lie side by
    side, and series may be views of one array."""
    labels: tuple[str | None, ...]
    """Class of each series; None where it has no label (predict)."""
    channel_names: tuple[str, ...]
    """Name of each channel."""
    groups: tuple[str, ...]
    """The unit (day, run, subject) that must not be split."""
    origins: tuple[Origin, ...]
    """The rows each series came from."""
    official: tuple[str | None, ...]
    """Split that the source prescribes: train, val, test, predict; None where it has none."""
    name: str
    """Name of the whole set, for messages."""
    times: tuple[Array | None, ...] = ()
    """Time of each step of a series, (L_i,) datetime64[us], int64 or float64; None where not known;
    () = none is known."""
    gaps: tuple[Array | None, ...] = ()
    """Where values of a series were missing and are filled, (C, L_i) bool; None where none were;
    () = nowhere."""
    step_labels: tuple[Array | None, ...] = ()
    """Class of each step of a series, (L_i,) texts and None, where a change of it does not end the
    series: in data that are predicted. () = ``labels`` say all."""
    plants: tuple[str | None, ...] = ()
    """Plant that each series is of; None where that is not known; () = of none."""
    facts: TableFacts | None = None
    """What was understood of the files that they came from; of a whole source only."""

    def __post_init__(self) -> None:
        n_series = len(self.values)
        if not n_series:
            raise SeriesError(
                f"{self.name} has no series at all; needed: at least one (C, L) array"
            )
        steps = ("times", "gaps", "step_labels", "plants")
        for field in steps:
            object.__setattr__(self, field, getattr(self, field) or (None,) * n_series)
        for field in ("labels", "groups", "origins", "official", *steps):
            if len(getattr(self, field)) != n_series:
                raise SeriesError(
                    f"{field} has {len(getattr(self, field))} entries for {n_series} series; "
                    "give one a series"
                )
        _check_values(self.values, len(self.channel_names))
        for mark in set(self.official) - {None}:
            if mark not in SPLITS:
                raise SeriesError(unknown_choice("official", mark, SPLITS))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_channels(self) -> int:
        """C, the number of channels."""
        return len(self.channel_names)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Steps of each series."""
        return tuple(series.shape[1] for series in self.values)

    @property
    def start_times(self) -> tuple[str | None, ...]:
        """Time of the first step of each series, as text; None where not known."""
        return tuple(None if time is None else clock_text(time[0]) for time in self.times)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Sorted labels, each once; in order of size where all of them are numbers."""
        return sorted_classes(self.labels)

    def take(self, indices: Array | Sequence[int]) -> Self:
        """The series of these indices, in this order, without copying them."""
        chosen = [int(index) for index in indices]

        def pick(items: tuple[_Item, ...]) -> tuple[_Item, ...]:
            return tuple(items[index] for index in chosen)

        return type(self)(
            values=pick(self.values),
            labels=pick(self.labels),
            channel_names=self.channel_names,
            groups=pick(self.groups),
            origins=pick(self.origins),
            official=pick(self.official),
            name=self.name,
            times=pick(self.times),
            gaps=pick(self.gaps),
            step_labels=pick(self.step_labels),
            plants=pick(self.plants),
        )

    def cut(self, pieces: Sequence[tuple[int, int, int]]) -> Self:
        """Pieces of series as series of their own.

        Args:
            pieces: (index, first, last): steps first..last-1 of series ``index``.

        Returns:
            One series a piece. Origins, times and gaps move along.

        Raises:
            SeriesError: a piece is empty or reaches outside its series.

        Example:
            >>> whole = SeriesSet.from_arrays(np.zeros((1, 2, 10)))
            >>> whole.cut([(0, 4, 10)]).origins
            (Origin(source='arrays', first_row=4),)
        """
        for index, first, last in pieces:
            if not 0 <= first < last <= self.values[index].shape[1]:
                raise SeriesError(
                    f"steps {first} to {last} are not inside series {index} of "
                    f"{self.values[index].shape[1]} steps"
                )
        whole = self.take([index for index, _, _ in pieces])
        origins = zip(whole.origins, pieces, strict=True)
        times = zip(whole.times, pieces, strict=True)
        gaps = zip(whole.gaps, pieces, strict=True)
        classes = zip(whole.step_labels, pieces, strict=True)
        return replace(
            whole,
            values=tuple(
                np.ascontiguousarray(self.values[index][:, first:last])
                for index, first, last in pieces
            ),
            origins=tuple(Origin(o.source, o.first_row + first) for o, (_, first, _) in origins),
            times=tuple(t if t is None else t[first:last] for t, (_, first, last) in times),
            gaps=tuple(g if g is None else g[:, first:last] for g, (_, first, last) in gaps),
            step_labels=tuple(t if t is None else t[first:last] for t, (_, first, last) in classes),
        )

    def replace_values(
        self, values: Sequence[Array], gaps: Sequence[Array | None] | None = None
    ) -> Self:
        """The same set with other values, one (C, L) array a series, and other gaps if given."""
        return replace(self, values=tuple(values), gaps=self.gaps if gaps is None else tuple(gaps))

    def describe(self, index: int) -> str:
        """Words for one series in a message: its index, file or array, and first row."""
        origin = self.origins[index]
        return f"series {index} ({origin.source}, row {origin.first_row})"

    @classmethod
    def from_arrays(
        cls,
        x: Any,
        y: Any = None,
        *,
        groups: Sequence[Any] | None = None,
        channel_names: Sequence[str] | None = None,
        official: str | None = None,
        name: str = "arrays",
    ) -> Self:
        """A set from arrays in memory.

        Args:
            x: (N, C, T) array or tensor, or a list of (C, L_i) arrays, or a list of frames, whose
                rows are times and whose columns are channels. float32 stays, every other number
                becomes float64. Arrays of the right type are not copied. A value that is masked,
                None or NA is NaN.
            y: N integers (they become their text) or strings; None = no labels; a label that
                `is_missing` is None.
            groups: N names of the units that must not be split; None = each series is its own.
            channel_names: C names; None = the columns of frames, else channel_0, channel_1, ...
            official: split that all of these series belong to, if they were split before.
            name: name of the arrays, for messages and origins.

        Raises:
            SeriesError: a shape, a type or a length does not fit.

        Example:
            >>> ragged = [np.zeros((2, 5)), np.zeros((2, 7))]
            >>> SeriesSet.from_arrays(ragged, [0, 1]).lengths
            (5, 7)
        """
        values, columns = channels_first(x, name)
        n_series, n_channels = len(values), values[0].shape[0]
        names = _names(columns, channel_names, n_channels, name)
        labels = (None,) * n_series if y is None else text_labels(y, name)
        if len(labels) != n_series:
            raise SeriesError(
                f"{name}: x has {n_series} series and y has {len(labels)} labels; give one label "
                "a series"
            )
        if groups is not None and len(groups) != n_series:
            raise SeriesError(
                f"{name}: x has {n_series} series and groups has {len(groups)} entries; give one "
                "group a series"
            )
        own = range(n_series) if groups is None else groups
        ends = np.cumsum([series.shape[1] for series in values])
        return cls(
            values=values,
            labels=labels,
            channel_names=names,
            groups=tuple(f"{name}/{group}" if groups is None else str(group) for group in own),
            origins=tuple(
                Origin(name, int(end) - series.shape[1])
                for end, series in zip(ends, values, strict=True)
            ),
            official=(official,) * n_series,
            name=name,
        )


def join_sets(parts: Sequence[SeriesSet], name: str) -> SeriesSet:
    """All series of several sets with the same channels as one set.

    Args:
        parts: at least one set.
        name: name of the whole.

    Returns:
        The joined set; float64 as soon as one part is float64.

    Raises:
        SeriesError: the sets do not have the same channels.

    Example:
        >>> one = SeriesSet.from_arrays(np.zeros((2, 1, 4)))
        >>> len(join_sets([one, one], "twice"))
        4
    """
    first = parts[0]
    for part in parts[1:]:
        if part.channel_names != first.channel_names:
            raise SeriesError(
                f"{part.name} has {part.n_channels} channels ({_shortened(part.channel_names)}), "
                f"{first.name} has {first.n_channels} ({_shortened(first.channel_names)}); "
                "all parts of a set must have the same channels"
            )
    dtype = np.result_type(*(part.values[0].dtype for part in parts))
    return SeriesSet(
        values=tuple(series.astype(dtype, copy=False) for part in parts for series in part.values),
        labels=tuple(label for part in parts for label in part.labels),
        channel_names=first.channel_names,
        groups=tuple(group for part in parts for group in part.groups),
        origins=tuple(origin for part in parts for origin in part.origins),
        official=tuple(mark for part in parts for mark in part.official),
        name=name,
        times=tuple(time for part in parts for time in part.times),
        gaps=tuple(gap for part in parts for gap in part.gaps),
        step_labels=tuple(classes for part in parts for classes in part.step_labels),
        plants=tuple(plant for part in parts for plant in part.plants),
    )


def clock_text(time: Any) -> str:
    """A time as text: ISO to the microsecond where there are any, or the number of a step.

    Example:
        >>> clock_text(np.datetime64("2020-01-01T00:05:00.250000")), clock_text(np.float64(3))
        ('2020-01-01T00:05:00.250000', '3')
    """
    if isinstance(time, np.datetime64):
        return str(time.astype("datetime64[us]")).removesuffix(".000000")
    return str(int(time)) if float(time).is_integer() else repr(float(time))


def _names(
    columns: tuple[str, ...] | None, given: Sequence[str] | None, n_channels: int, name: str
) -> tuple[str, ...]:
    """Names of channels: those that were given must be those of the frames, if there are any."""
    names = named_channels(columns if given is None else given, n_channels, name)
    if columns is not None and columns != names:
        raise SeriesError(
            f"{name}: channel_names are {', '.join(names)}, the columns of the frames are "
            f"{', '.join(columns)}; leave channel_names out, or rename the columns"
        )
    return names


def _check_values(values: Sequence[Array], n_channels: int) -> None:
    dtype = values[0].dtype
    if dtype not in (np.float32, np.float64):
        raise SeriesError(f"series are {dtype}; allowed: float32, float64")
    for index, series in enumerate(values):
        if series.ndim != 2 or series.shape[0] != n_channels or series.dtype != dtype:
            raise SeriesError(
                f"series {index} has shape {series.shape} and type {series.dtype}; needed: "
                f"({n_channels}, L) {dtype} as {n_channels} channel names and the first series say"
            )
        if series.shape[1] > 1 and series.strides[1] != series.itemsize:
            raise SeriesError(
                f"series {index} is not C-contiguous along its steps; use np.ascontiguousarray"
            )


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
