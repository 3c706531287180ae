"""Which windows are unlike all that a network has learned, and in words why.

The limits are `dualgaf.data.training_limits.Limits`, chosen on the training split alone. Where a
fifth of the windows of a file are outside in a channel, and its numbers in another unit would all
fit, the whole file is taken to be in that unit, and each of its windows is unlike.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.data.training_facts import TrainingFacts
from dualgaf.data.training_limits import LIKE, MIDDLE, STILL, VALUE, Limits, WindowStats
from dualgaf.imaging.windows import Windows
from dualgaf.inference.units import READINGS, Reading, plain_unit, readings_into
from dualgaf.series.series import clock_text

Array = npt.NDArray[Any]

AT_A_TIME = 256
"""Windows that are looked at together."""
WHOLE_FILE = 0.2
"""Fraction of the windows of a file from which on its unit is asked for."""
ENOUGH = 2000
"""Windows of a file that tell its unit."""
PLACES = 1 << 18
"""Numbers that are converted together."""
NEARLY_ALL = 0.95
"""Fraction of its windows that another unit has to explain."""
UNIT = STILL + 1
"""Code of a window whose channel is in another unit."""


Reader = Callable[[Array], Iterator[tuple[int, WindowStats]]]


@dataclass(frozen=True, eq=False)
class Unlike:
    """What is unlike the training, window by window."""

    codes: Array
    """(N, C) int8: `LIKE`, `VALUE`, `MIDDLE`, `STILL` or `UNIT`."""
    texts: tuple[str, ...]
    """N texts, ``channel: how``, the worst first, with semicolons between; empty where nothing
    is."""

    @property
    def windows(self) -> Array:
        """(C,) windows that are unlike in each channel."""
        return np.asarray((self.codes != LIKE).sum(axis=0))

    def told(self, channel_names: Sequence[str], n: int | None = None) -> dict[str, Any]:
        """Fields of `Prediction`, of the first ``n`` windows."""
        counts = (self.codes[:n] != LIKE).sum(axis=0).tolist()
        named = zip(channel_names, counts, strict=True)
        return {
            "unlike": self.texts[:n],
            "unlike_windows": {name: count for name, count in named if count},
        }


def compare(
    windows: Windows,
    rows: Array,
    channel_names: Sequence[str],
    facts: TrainingFacts | None,
    *,
    source: Sequence[str],
    start: Array | None = None,
    units: Mapping[str, str] | None = None,
) -> Unlike | None:
    """Compare windows with those of a training.

    Args:
        windows: all windows.
        rows: (N,) int64, those to look at.
        channel_names: C names.
        facts: of the training.
        source: file of each of the N windows.
        start: (N,) time of the first row of each; None = not known.
        units: unit of a channel, where the new files tell.

    Returns:
        None where the checkpoint does not hold what is needed.
    """
    if facts is None or facts.limits is None:
        return None
    stats_of = _reader(windows, rows)
    codes = np.concatenate([
        facts.limits.compare(stats) for _, stats in stats_of(np.arange(len(rows)))
    ])  # fmt: skip
    readings = _other_units(stats_of, codes, facts, source)
    for channel, name in enumerate(channel_names):
        told, known = (units or {}).get(name), facts.units[channel]
        pair = plain_unit(told), plain_unit(known)
        if None not in pair and pair[0] != pair[1]:
            codes[:, channel] = UNIT
            for file in set(source):
                readings[file, channel] = Reading(str(pair[0]), str(pair[1]), 1.0)
    words = _Words(codes, facts, channel_names, source, start, readings)
    texts = [""] * len(rows)
    unlike = np.flatnonzero((codes != LIKE).any(axis=1))
    for first, stats in stats_of(unlike):
        for k in range(len(stats.low)):
            texts[unlike[first + k]] = words.of(int(unlike[first + k]), stats.take([k]))
    return Unlike(codes, tuple(texts))


def _reader(windows: Windows, rows: Array) -> Reader:
    """What limits look at, of some of ``rows``: each part's first and its numbers.

    Of few windows, as of those of a stream, they are found once.
    """
    if len(rows) <= AT_A_TIME:
        every = WindowStats.of(windows.take(rows))
        return lambda places: iter([(0, every.take(places))])
    return lambda places: _in_parts(windows, rows[places])


def _in_parts(windows: Windows, rows: Array) -> Iterator[tuple[int, WindowStats]]:
    for first in range(0, len(rows), AT_A_TIME):
        yield first, WindowStats.of(windows.take(rows[first : first + AT_A_TIME]))


def _other_units(
    stats_of: Reader, codes: Array, facts: TrainingFacts, source: Sequence[str]
) -> dict[tuple[str, int], Reading]:
    """By file and channel the unit that explains it; codes of such files become `UNIT`."""
    limits, found = facts.limits, dict[tuple[str, int], Reading]()
    assert limits is not None
    files = np.array(source)
    for file in dict.fromkeys(source):
        own = np.flatnonzero(files == file)
        outside = np.isin(codes[own], (VALUE, MIDDLE))
        channels = np.flatnonzero(outside.any(axis=0))
        if not len(channels):
            continue
        some = own[:: -(-len(own) // ENOUGH)]
        stats = WindowStats.joined([part for _, part in stats_of(some)])
        for channel, reading in _explained(stats, channels, facts, limits).items():
            found[file, channel] = reading
            if outside[:, channel].mean() >= WHOLE_FILE:
                codes[own, channel] = np.where(outside[:, channel], codes[own, channel], UNIT)
    return found


@np.errstate(over="ignore", invalid="ignore")
def _explained(
    stats: WindowStats, channels: Array, facts: TrainingFacts, limits: Limits
) -> dict[int, Reading]:
    """By channel the unit that would bring nearly all windows of a file nearest to the training.

    All readings are tried at once. Each grows with what is read, so the median of what it gives is
    that of the one or two in the middle, which are found once a channel.
    """
    scale, offset = (
        np.array(column)[:, None] for column in zip(*(r[2:] for r in READINGS), strict=True)
    )
    centre = facts.quantiles[len(facts.quantiles) // 2, channels]
    middle = stats.middle[:, channels]
    places = (len(middle) - 1) // 2, len(middle) // 2
    ends = np.partition(middle, places, axis=0)[places[0] : places[1] + 1]
    own = abs((ends * scale[..., None] + offset[..., None]).mean(axis=1) - centre)
    is_nearer = own < abs(ends.mean(axis=0) - centre)  # (R, C) each
    is_nearer &= facts.high[channels] > facts.low[channels]  # one value tells no unit
    is_nearer &= ~np.isnan(middle).any(axis=0)
    is_nearer &= np.stack([readings_into(facts.units[k]) for k in channels.tolist()], axis=1)
    pairs = np.argwhere(is_nearer)
    at_a_time = max(1, PLACES // len(middle))
    for first in range(0, len(pairs), at_a_time):
        of, at = pairs[first : first + at_a_time].T
        low, high, mid = (values[:, channels[at]].T * scale[of] + offset[of] for values in stats)
        bounds, medians = (part[:, channels[at], None] for part in (limits.values, limits.middle))
        inside = (low >= bounds[0]) & (high <= bounds[1])
        inside &= (mid >= medians[0]) & (mid <= medians[1])
        is_nearer[of, at] = inside.mean(axis=1) >= NEARLY_ALL
    best = np.where(is_nearer, own, np.inf).argmin(axis=0)
    return {
        channel: READINGS[best[k]]
        for k, channel in enumerate(channels.tolist())
        if is_nearer[best[k], k]
    }


class _Words:
    """Words for windows."""

    def __init__(
        self,
        codes: Array,
        facts: TrainingFacts,
        channel_names: Sequence[str],
        source: Sequence[str],
        start: Array | None,
        readings: Mapping[tuple[str, int], Reading],
    ) -> None:
        assert facts.limits is not None
        self.codes, self.facts, self.limits = codes, facts, facts.limits
        self.names, self.source, self.readings = channel_names, source, readings
        self.start = start
        self._first = self._first_of_run()

    def of(self, row: int, stats: WindowStats) -> str:
        """Of one window, the worst channel first."""
        channels = np.flatnonzero(self.codes[row] != LIKE)
        told = [self._how(row, int(channel), stats) for channel in channels]
        return "; ".join(text for _, text in sorted(told, key=lambda pair: -pair[0]))

    def _how(self, row: int, channel: int, stats: WindowStats) -> tuple[float, str]:
        code, limits, facts = self.codes[row, channel], self.limits, self.facts
        low, high = facts.low[channel], facts.high[channel]
        spread = max(high - low, 1e-12 * max(abs(low), abs(high)), 1e-300)
        text = _as_shown(high - low)
        if code == STILL:
            moved = limits.moved[channel]
            how = f"flat at {text(stats.middle[0, channel])}, training moves by {moved:.3g}"
            return 0.0, f"{self.names[channel]}: {how} or more{self._since(row, channel)}"
        value, far = stats.middle[0, channel], 0.0
        if code == VALUE:
            below = low - stats.low[0, channel]
            above = stats.high[0, channel] - high
            far = max(below, above)
            value = (stats.low if below >= above else stats.high)[0, channel]
        if code == MIDDLE:
            low, high = limits.medians[:, channel]
            far = max(low - value, value - high)
        how = f"{text(value)}{' in the middle' if code == MIDDLE else ''}, training {text(low)} "
        how += f"to {text(high)}{self._unit(row, channel)}{self._since(row, channel)}"
        return far / spread, f"{self.names[channel]}: {how}"

    def _unit(self, row: int, channel: int) -> str:
        reading = self.readings.get((self.source[row], channel))
        return "" if reading is None else f", as {reading.unit} where {reading.learned} was learned"

    def _since(self, row: int, channel: int) -> str:
        if self.start is None:
            return ""
        first = self.start[self._first[row, channel]]
        known = first.dtype.kind != "M" or not np.isnat(first)
        return f", since {clock_text(first)}" if known else ""

    def _first_of_run(self) -> Array:
        """(N, C) the window with which a run of unlike ones began, in a file."""
        n = len(self.codes)
        new = np.array([k == 0 or self.source[k] != self.source[k - 1] for k in range(n)])
        is_unlike = self.codes != LIKE
        begins = is_unlike & (new[:, None] | ~np.roll(is_unlike, 1, axis=0))
        return np.asarray(np.maximum.accumulate(np.where(begins, np.arange(n)[:, None], 0), axis=0))


def _as_shown(size: float) -> Callable[[float], str]:
    """Numbers with the digits that a range of such a size needs."""
    places = 1 if not size > 0 else min(max(2 - math.floor(math.log10(size)), 0), 12)

    def shown(value: float) -> str:
        return f"{value:.4g}" if abs(value) >= 1e7 else f"{value:.{places}f}"

    return shown
