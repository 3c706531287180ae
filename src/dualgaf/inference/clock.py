"""`Clock`: times of rows that come one after the other, and where windows begin anew.

The rules are those by which tables are cut (`dualgaf.series.tables.rows.largest_gap`,
`dualgaf.series.tables.pieces`): a step of more than ``max_gap``, twice the step of the training
where nothing was typed; and the end of a day, where days are the groups.
"""

import logging
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.data.training_facts import TrainingFacts
from dualgaf.errors import ConfigError, SeriesError
from dualgaf.given import as_numpy
from dualgaf.series.inspection import duration_text
from dualgaf.series.series import clock_text

Array = npt.NDArray[Any]

FEW = 5
"""So many rows with gaps between them are said to be too far apart."""
TWICE = 2.0 * (1 + 1e-9)
"""Times the step of the training is no gap; as tables have it."""
_AS_THEY_ARE = (np.dtype(np.float64), np.dtype("datetime64[us]"))
_DAY = np.dtype("datetime64[D]")
_NO_TIME = np.timedelta64(0, "us")
RESAMPLED = 1.5
"""Likewise where rows were resampled: none is missing there, and clocks are not exact here."""

log = logging.getLogger(__name__)


class Clock:
    """What is known of the times of rows.

    Args:
        facts: of the training; None = no gap is known.

    Example:
        >>> clock = Clock(None)
        >>> days, is_new = clock.read(["2020-01-01T23:00", "2020-01-02T00:00"], 2)
        >>> is_new.tolist()
        [False, True]
    """

    def __init__(self, facts: TrainingFacts | None) -> None:
        self._facts = facts
        self._learned = {} if facts is None else facts.source
        self._last: Any = None
        self._kind: str | None = None  # M, or f for numbers; empty for rows without times
        self._gaps, self._told = 0, False
        self._limits: dict[str, float | None] = {}

    @property
    def by_day(self) -> bool:
        """Whether a day ends windows: rows have dates, and days were the groups of the training."""
        return self._ends_with_day(self._kind)

    @property
    def step(self) -> float | None:
        """Between two rows of the training, in µs or numbers; None where it cannot be compared."""
        return self._step(self._kind)

    def read(self, times: Any, n: int, *, anew: bool = False) -> tuple[Array | None, Array]:
        """Times of ``n`` rows, and (n,) whether windows begin anew with a row; `keep` takes them.

        Args:
            times: one for each row; None = rows follow each other.
            n: rows, at least one.
            anew: whether the first row begins a group, so that it follows no other.

        Raises:
            SeriesError: they are not as many, no times, or do not rise.
            ConfigError: rows before had times of another kind, or none.
        """
        found = None if times is None else _as_times(times)
        kind = "" if found is None else found.dtype.kind
        if self._kind not in (None, kind):
            words = {"": "no times", "M": "dates", "f": "numbers as times"}
            raise ConfigError(
                f"these rows have {words[kind]}, and rows before had {words[self._kind or '']}; "
                "give all rows times of one kind, or begin with another watch"
            )
        is_new = np.zeros(n, dtype=bool)
        is_new[0] = anew
        if found is None:
            return None, is_new
        if len(found) != n:
            raise SeriesError(f"there are {len(found)} times of {n} rows; give a time for each row")
        if n == 1 and self._follows_at_once(found[0], kind, anew):
            return found, is_new
        follows = self._last is not None and not anew
        before = np.array([self._last if follows else found[0]], dtype=found.dtype)
        every = np.concatenate([before, found])
        steps = np.diff(every.astype("datetime64[us]").astype(np.int64) if kind == "M" else every)
        is_wrong = ~(steps > 0) | (np.isnat(found) if kind == "M" else ~np.isfinite(found))
        is_wrong[0] &= follows or bool(found[0] != found[0])
        if is_wrong.any():
            row = int(np.argmax(is_wrong))
            raise SeriesError(
                f"row {row} is of {clock_text(found[row])}, and the row before it of "
                f"{clock_text(every[row])}; rows come in the order of time, each time once; leave "
                "the row out, or type watch.restart() to begin anew"
            )
        limit = self._limit(kind)
        is_new |= False if limit is None else steps > limit
        if self._ends_with_day(kind):
            is_new |= np.diff(every.astype("datetime64[D]").astype(np.int64)) != 0
        return found, is_new

    def keep(self, times: Array | None, is_new: Array) -> None:
        """Take rows of `read`; warn where nothing but gaps is between them."""
        self._kind = "" if times is None else times.dtype.kind
        if times is None:
            return
        earlier, self._last = self._last, times[-1]
        if len(is_new) == 1 and not is_new[0]:
            self._gaps, self._told = 0, False
            return
        kept = np.flatnonzero(~is_new)
        self._gaps = self._gaps + len(is_new) if not len(kept) else len(is_new) - 1 - kept[-1]
        if self._gaps >= FEW and not self._told and self.step is not None:
            pair = (times[-2] if len(times) > 1 else earlier, times[-1])
            log.warning(
                "the last %d rows are too far apart for a window, %s the last two; the network has "
                "learned rows %s apart",
                self._gaps,
                self.text(float((pair[1] - pair[0]).astype(np.float64))),
                self.text(self.step),
            )
        self._told = self._gaps >= FEW

    def forget(self) -> None:
        """No row was before the next one."""
        self._last, self._kind = None, None

    def text(self, step: float) -> str:
        """A step in words."""
        return duration_text(round(step / 1e6, 6)) if self._kind == "M" else f"{step:g}"

    def _follows_at_once(self, time: Any, kind: str, anew: bool) -> bool:
        """Whether one row plainly goes on with the one before; else all is looked at."""
        if self._last is None or anew:
            return False
        limit, step = self._limit(kind), time - self._last
        if kind == "M":
            if not step > _NO_TIME:  # NaT is not, either
                return False
            if self._ends_with_day(kind) and time.astype(_DAY) != self._last.astype(_DAY):
                return False
            return limit is None or bool(step.astype(np.int64) <= limit)
        return bool(0 < step < np.inf and (limit is None or step <= limit))

    def _ends_with_day(self, kind: str | None) -> bool:
        return kind == "M" and self._learned.get("group_columns", ()) in ((), [])

    def _step(self, kind: str | None) -> float | None:
        facts = self._facts
        if facts is None or facts.step is None or not kind:
            return None
        if (facts.clock == "seconds") != (kind == "M"):
            return None
        return facts.step * 1e6 if kind == "M" else facts.step

    def _limit(self, kind: str) -> float | None:
        """The largest step that is no gap, in µs or numbers; None = any."""
        if kind not in self._limits:
            self._limits[kind] = self._read_limit(kind)
        return self._limits[kind]

    def _read_limit(self, kind: str) -> float | None:
        step, given = self._step(kind), self._learned.get("max_gap", "auto")
        longest = RESAMPLED if self._learned.get("step") is not None else TWICE
        own = None if step is None else step * longest
        if given == "auto":
            return own
        from dualgaf.series.tables.columns import parse_gap  # tables load polars

        size, is_duration = parse_gap(given) or (0.0, False)
        if is_duration != (kind == "M"):
            return own
        wide = size * 1e6 if is_duration else size
        return max(wide, own or 0.0) if longest == RESAMPLED else wide


def _as_times(times: Any) -> Array:
    """datetime64[us] or float64, (n,)."""
    if type(times) is np.ndarray and times.ndim == 1 and times.dtype in _AS_THEY_ARE:
        return times
    array = np.atleast_1d(as_numpy(times, "times"))
    if any(getattr(time, "tzinfo", None) is not None for time in array[:1].tolist()):
        raise SeriesError(
            "times have a time zone, and those of the training are as a clock on the wall shows "
            "them; type time.replace(tzinfo=None)"
        )
    try:
        if array.dtype.kind in "MUO":
            return array.astype("datetime64[us]")
        if array.dtype.kind in "iuf":
            return array.astype(np.float64)
    except (TypeError, ValueError):
        pass
    raise SeriesError(
        f"times hold {str(array.flat[0])!r}; needed: dates (datetime64, datetime or ISO text) or "
        "numbers; type np.datetime64(TEXT)"
    )
