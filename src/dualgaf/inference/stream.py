"""`Watch`: rows as they come, judged each time a window is full.

Windows are those of a file with the same rows: they begin with the first row, a window each
``stride`` rows, and nothing goes over a gap, the end of a day or of a group. Only the rows of
windows that are not full yet are kept, so that memory stays as it is.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.data.compatibility import SAME_STEP
from dualgaf.data.imaging_state import ImagingState
from dualgaf.errors import ConfigError, OtherDataError, SeriesError, not_allowed
from dualgaf.given import as_numbers
from dualgaf.imaging.windows import Windows
from dualgaf.inference.clock import Clock
from dualgaf.inference.holes import Holes
from dualgaf.inference.new_arrays import NewWindows
from dualgaf.inference.parts import AT_A_TIME
from dualgaf.inference.predictions import Prediction
from dualgaf.series.doors import ARRAYS
from dualgaf.series.missing import check_nan_policy, repair_nan
from dualgaf.series.series import SeriesSet

Array = npt.NDArray[Any]

SOURCE = "stream"
"""What stands in the place of a file."""


class Watch:
    """Takes rows, gives predictions; `Predictor.watch` makes it.

    Args:
        judge: windows that are read -> prediction.
        imaging: what was learned.
        stride: rows between the starts of two windows; None = as in training.
        nan: what is done with a value that is missing: ``error``, or ``interpolate``, which fills a
            window from its own rows; None = as in training, where rows of holes that are longer
            than its ``data.fill_limit`` are left out.
        plant: which plant rows are of, where each was scaled by itself.

    Raises:
        ConfigError: an option is not allowed.
    """

    def __init__(
        self,
        judge: Callable[[NewWindows], Prediction],
        imaging: ImagingState,
        stride: int | None = None,
        nan: str | None = None,
        plant: str | None = None,
    ) -> None:
        facts, steps = imaging.facts, imaging.window_size
        learned = {} if facts is None else facts.source
        self._judge, self._imaging = judge, imaging
        self._stride = allowed_stride(imaging, stride)
        self._nan = str(nan or learned.get("nan", "error"))
        check_nan_policy(self._nan, ARRAYS)
        self._scaler = None if imaging.plants is None else imaging.plants[_known(imaging, plant)]
        if imaging.plants is None and plant is not None:
            raise ConfigError(
                f"plant={plant!r} says what rows are scaled by, and the network was trained "
                "without data.scale_by=plant; leave plant out"
            )
        limit = learned.get("fill_limit") if nan is None and self._nan == "interpolate" else None
        self._holes = None if limit is None else Holes(imaging.channel_names, int(limit))
        self._clock = Clock(facts)
        self._rows = np.empty(
            (len(imaging.channel_names), steps + (AT_A_TIME - 1) * self._stride), imaging.dtype
        )
        self._times: Array | None = None
        self._none: Prediction | None = None
        self._none_of: Any = None
        self._filled = 0
        self._group: str | None = None

    @property
    def channel_names(self) -> tuple[str, ...]:
        """C names, in the order of the values of a row."""
        return self._imaging.channel_names

    @property
    def window_size(self) -> int:
        """T, rows of a window."""
        return self._imaging.window_size

    @property
    def stride(self) -> int:
        """Rows between the starts of two windows."""
        return self._stride

    def push(self, rows: Any, times: Any = None, *, group: str | None = None) -> Prediction:
        """Take rows, and judge the windows that are full now.

        Args:
            rows: (C,) one, or (n, C) in the order of time; values as `channel_names` has them.
            times: of each row: dates (datetime64, datetime or ISO text) or numbers; None = rows
                follow each other without a gap. What is in a file a gap, or the end of a day, is
                one here.
            group: the day, run or subject of these rows; where it changes, windows begin anew.

        Returns:
            A row for each window that these rows have filled, in their order. Where there is none
            its length is 0, so that ``if found := watch.push(row)`` asks for one.

        Raises:
            SeriesError: rows are no such array, a value is missing, or times do not rise. Nothing
                of the rows is taken then. Or a window cannot be drawn, as in training; it is left
                out, and so is what is after it in these rows.
            OtherDataError: rows are at another step than those of the training.

        Example:
            >>> import dualgaf
            >>> watch = dualgaf.load("RUN/checkpoints/best.ckpt").watch()  # doctest: +SKIP
            >>> if found := watch.push([21.5, 0.3], "2020-02-01T08:00"):  # doctest: +SKIP
            ...     print(found.end[-1], found.classes[-1])
        """
        values = self._checked(rows)
        if not values.shape[1]:
            return self._nothing()
        clock, is_new = self._clock.read(times, values.shape[1], anew=group != self._group)
        self._group = group
        self._clock.keep(clock, is_new)
        if self._times is None and clock is not None:
            self._times = np.empty(self._rows.shape[1], clock.dtype)
        if self._holes is not None:
            values, clock, is_new = self._without_holes(self._holes, values, clock, is_new)
        if not values.shape[1] or self._takes_one(values, clock, is_new):
            return self._nothing()
        return Prediction.joined([self._nothing(), *self._pushed(values, clock, is_new)])

    def restart(self) -> None:
        """Begin anew: no window has rows from before and after it."""
        self._filled, self._times = 0, None
        self._clock.forget()
        if self._holes is not None:
            self._holes.forget()

    def _checked(self, rows: Any) -> Array:
        """(C, n) numbers of the type of the training."""
        n_channels, shape = len(self._rows), np.shape(rows)
        is_plain = type(rows) is np.ndarray and rows.dtype == np.float64
        values = rows if is_plain else as_numbers(rows, "rows")
        values = values[None] if values.ndim == 1 else np.atleast_2d(values)
        if values.ndim != 2 or values.shape[1] != n_channels:
            turned = values.ndim == 2 and values.shape[0] == n_channels
            raise SeriesError(
                f"rows have shape {shape}; the network has learned the {n_channels} channels "
                f"{', '.join(self.channel_names)}; give ({n_channels},) for one row, or "
                f"(n, {n_channels})" + ("; type rows.T" if turned else "")
            )
        found: Array = values.T
        if self._scaler is not None:
            found = self._scaler.standardise(found)
        found = found.astype(self._rows.dtype, copy=False)
        if self._nan == "error" and not np.isfinite(found).all():
            row, channel = np.argwhere(~np.isfinite(found).T)[0]
            raise SeriesError(
                f"row {row}, channel {self.channel_names[channel]!r}: {values[row, channel]}; "
                'allowed: finite numbers; type watch(nan="interpolate") to fill it from the rows '
                "of its window, or leave the row out"
            )
        return found

    def _without_holes(
        self, holes: Holes, values: Array, clock: Array | None, is_new: Array
    ) -> tuple[Array, Array | None, Array]:
        """What is not in a hole that is too long; after one windows begin anew."""
        inside, before = holes.read(values, is_new)
        if before:
            self._filled = 0
        if not inside.any():
            return values, clock, is_new
        kept = ~inside
        is_new = is_new | np.concatenate([[False], inside[:-1]])
        return values[:, kept], None if clock is None else clock[kept], is_new[kept]

    def _takes_one(self, values: Array, clock: Array | None, is_new: Array) -> bool:
        """Take one row that goes on with those before and fills no window, as nearly all do."""
        at = self._filled
        if len(is_new) > 1 or is_new[0] or at + 1 >= self.window_size:
            return False
        self._rows[:, at] = values[:, 0]
        if clock is not None and self._times is not None:
            self._times[at] = clock[0]
        self._filled = at + 1
        return True

    def _pushed(self, values: Array, clock: Array | None, is_new: Array) -> Iterator[Prediction]:
        ends = [*np.flatnonzero(is_new).tolist(), values.shape[1]]
        if ends[0]:
            yield from self._taken(values, clock, 0, ends[0])
        for first, after in pairwise(ends):
            self._filled = 0
            yield from self._taken(values, clock, first, after)

    def _taken(
        self, values: Array, clock: Array | None, first: int, after: int
    ) -> Iterator[Prediction]:
        """Rows of one piece, as many at a time as there is room for."""
        while first < after:
            n = min(after - first, self._rows.shape[1] - self._filled)
            room = slice(self._filled, self._filled + n)
            self._rows[:, room] = values[:, first : first + n]
            if clock is not None and self._times is not None:
                self._times[room] = clock[first : first + n]
            self._filled += n
            first += n
            if self._filled >= self.window_size:
                yield self._judged(None if clock is None else self._times)

    def _judged(self, times: Array | None) -> Prediction:
        """The windows that are full; what the next ones do not need is forgotten."""
        steps, stride = self.window_size, self._stride
        n = (self._filled - steps) // stride + 1
        flat, starts = self._rows[:, : self._filled].copy(), np.arange(n, dtype=np.int64) * stride
        known: dict[str, Any] = {"window_size": steps}
        if times is not None:
            known |= {"start": times[starts], "end": times[starts + steps - 1]}
            step = np.median(np.diff(times[: self._filled]).astype(np.float64))
            known["by_day"] = self._clock.by_day and self._group is None
        left = self._filled - n * stride
        self._rows[:, :left] = flat[:, n * stride :]
        if times is not None:
            times[:left] = times[n * stride : self._filled].copy()
        self._filled = left
        if times is not None:
            self._check_step(float(step))
        windows = Windows(flat, starts, steps)
        if not np.isfinite(flat).all():
            windows, kept = self._filled_up(windows)
            known |= {name: known[name][kept] for name in ("start", "end") if name in known}
        if not len(windows):
            return self._nothing()
        name = self._group or SOURCE
        days = known["start"].astype("datetime64[D]").astype(str) if known.get("by_day") else None
        known["source"] = (SOURCE,) * len(windows)
        known["group"] = (name,) * len(windows) if days is None else tuple(days.tolist())
        return self._judge(NewWindows(windows, known, {}, is_part=True))

    def _filled_up(self, windows: Windows) -> tuple[Windows, Array]:
        """Each filled from its own rows; those of a sensor without any value are left out."""
        every = windows.take(np.arange(len(windows)))
        is_known = np.asarray(np.isfinite(every).any(axis=2))
        kept = np.flatnonzero(is_known.all(axis=1))
        if not len(kept):
            return Windows(windows.flat, windows.starts[:0], windows.window_size), kept
        whole = repair_nan(SeriesSet.from_arrays(every[kept], name="rows"), self._nan, door=ARRAYS)
        return Windows.stacked(np.stack(whole.values)), kept

    def _check_step(self, step: float) -> None:
        learned = self._clock.step
        if learned is not None and abs(step - learned) > SAME_STEP * learned:
            raise OtherDataError(
                f"rows are {self._clock.text(step)} apart, and the network has learned rows "
                f"{self._clock.text(learned)} apart; give rows as far apart as those"
            )

    def _nothing(self) -> Prediction:
        """No window; the same object for each row, as nothing in it can be changed."""
        kind = None if self._times is None else self._times.dtype
        if self._none is None or self._none_of != kind:
            self._none, self._none_of = self._no_window(), kind
        return self._none

    def _no_window(self) -> Prediction:
        names = self._imaging.class_names
        told: dict[str, Any] = {"window_size": self.window_size}
        if self._times is not None:
            told |= {"start": self._times[:0], "end": self._times[:0]}
        return Prediction.of_arrays(names, np.empty((0, len(names))), **told)


def allowed_stride(imaging: ImagingState, stride: int | None) -> int:
    """The stride of new windows: as typed, or as in training.

    Raises:
        ConfigError: rows between two windows would not be judged.
    """
    steps, facts = imaging.window_size, imaging.facts
    if stride is None:
        return steps if facts is None else min(facts.stride, steps)
    if isinstance(stride, bool) or not isinstance(stride, int) or not 1 <= stride <= steps:
        allowed = f"1 to {steps}, the length of a window, so that each row is judged"
        raise ConfigError(not_allowed("stride", stride, allowed, f"stride={steps}"))
    return stride


def _known(imaging: ImagingState, plant: str | None) -> str:
    assert imaging.plants is not None
    names = [*imaging.plants]
    if plant not in names:
        told = "which plant are the rows of?" if plant is None else f"plant={plant!r} is not known"
        raise OtherDataError(
            f"{told} The network was trained with data.scale_by=plant; allowed: "
            f"{', '.join(names)}; type watch(plant={names[0]!r})"
        )
    return str(plant)
