"""`TrainingFacts`: what a network has seen, kept in its checkpoint beside `ImagingState`.

With them new data can be compared with those of the training when the checkpoint is all there is:
which values each channel had, at what step and in which unit, and how tables were read.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dualgaf.data.training_limits import Limits, WindowStats, as_array, folds_of
from dualgaf.data.windowed import WindowedSplits
from dualgaf.plain import plain
from dualgaf.series.source import Source

Array = npt.NDArray[Any]

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Those that are kept of each channel."""
MOST_STEPS = 1 << 18
"""Quantiles come from so many steps; of more, evenly spaced windows are taken."""
AT_A_TIME = 256
"""Windows that are read at a time."""
MOST_ITEMS = 10_000
"""A field of a source that has more items is data, no setting."""
_PLACES = ("root", "uri", "query")
"""Fields of a source that say where its data lie, or how one gets there."""
_UNIT = re.compile(r"\[([^\[\]]+)\]\s*(?:\([^()]*\))?\s*$")


@dataclass(frozen=True, eq=False)
class TrainingFacts:
    """What was measured on the training split, and how it was read.

    Example:
        >>> from dualgaf import SimulatedSource
        >>> from dualgaf.data.windowed import read_windows
        >>> source = SimulatedSource(n_windows=40, window_size=24)
        >>> facts = TrainingFacts.of(read_windows(source, seed=0), source)
        >>> facts.step, facts.units[0], TrainingFacts.from_plain(facts.to_plain()).stride
        (300.0, 'degF', 24)
    """

    low: Array
    """(C,) float64: least value of each channel in a training window."""
    high: Array
    """(C,) float64: largest value."""
    quantiles: Array
    """(Q, C) float64: `QUANTILES` of each channel."""
    units: tuple[str | None, ...]
    """Unit of each channel; None where it is not known."""
    step: float | None
    """Between two steps of a window, the median; None where the source has no times."""
    clock: str | None
    """What ``step`` is in: ``seconds`` where times are dates, else ``number``."""
    stride: int
    """Steps between the starts of two windows of a series."""
    labels_digest: str
    """`WindowedSplits.labels_digest`."""
    source: dict[str, Any]
    """``source``, the class of the source, and its settings; not where its data lie."""
    limits: Limits | None = None
    """From where on a window is unlike the training; None in a checkpoint that does not tell."""

    @classmethod
    def of(cls, windowed: WindowedSplits, source: Source) -> Self:
        """Measure the training split; only windows are read.

        Args:
            windowed: of the source.
            source: how it was read and cut.
        """
        windows, rows = windowed.windows, windowed.indices["train"]
        fold = folds_of([windowed.groups[row] for row in rows])
        low = np.full((fold.max() + 1, windows.n_channels), np.inf)
        high = -low
        for first in range(0, len(rows), AT_A_TIME):
            part = windows.take(rows[first : first + AT_A_TIME])
            np.minimum.at(low, fold[first : first + AT_A_TIME], part.min(axis=2))
            np.maximum.at(high, fold[first : first + AT_A_TIME], part.max(axis=2))
        every = max(1, -(-len(rows) * windows.window_size // MOST_STEPS))
        seen = windows.take(rows[::every]).astype(np.float64)
        step, clock = sampling_step(windowed)
        read = None if windowed.facts is None else windowed.facts.units
        units = units_of(windowed.channel_names, source, read)
        return cls(
            low=low.min(axis=0),
            high=high.max(axis=0),
            quantiles=np.quantile(seen, QUANTILES, axis=(0, 2)),
            # Scaled by plant, a value is a number of deviations.
            units=units if windowed.plants is None else (None,) * len(units),
            step=step,
            clock=clock,
            # Where a series is a window, there is no other stride.
            stride=(source.window_size and source.stride) or windows.window_size,
            labels_digest=windowed.labels_digest,
            source=source_settings(source),
            limits=Limits.of(
                WindowStats.of(seen), fold[::every], windowed.labels[rows[::every]], (low, high)
            ),
        )

    def to_plain(self) -> dict[str, Any]:
        """Plain values and arrays."""
        return {
            "low": self.low,
            "high": self.high,
            "quantiles": self.quantiles,
            "quantiles_at": list(QUANTILES),
            "units": list(self.units),
            "step": self.step,
            "clock": self.clock,
            "stride": self.stride,
            "labels_digest": self.labels_digest,
            "source": self.source,
            "limits": None if self.limits is None else self.limits.to_plain(),
        }

    @classmethod
    def from_plain(cls, told: Mapping[str, Any]) -> Self:
        """The inverse of `to_plain`; arrays may be tensors on the CPU, or lists of numbers."""
        found = {field.name: told[field.name] for field in fields(cls) if field.name != "limits"}
        limits = told.get("limits")
        arrays = {name: as_array(found[name]) for name in ("low", "high", "quantiles")}
        return cls(
            **{**found, **arrays, "units": tuple(found["units"])},
            limits=None if limits is None else Limits.from_plain(limits),
        )


def sampling_step(windowed: WindowedSplits) -> tuple[float | None, str | None]:
    """From one step to the next in a training window, the median, and what it is in.

    Returns:
        Seconds where times are dates, else numbers of the time column; (None, None) without times.
    """
    starts, ends = windowed.start_times, windowed.end_times
    if starts is None or ends is None:
        return None, None
    rows = windowed.indices["train"]
    long = ends[rows] - starts[rows]
    is_dates = long.dtype.kind == "m"
    numbers = long / np.timedelta64(1, "s") if is_dates else long.astype(np.float64)
    step = float(np.median(numbers)) / (windowed.windows.window_size - 1)
    return step, "seconds" if is_dates else "number"


def units_of(
    channel_names: Sequence[str], source: object, read: Mapping[str, str] | None = None
) -> tuple[str | None, ...]:
    """The unit of each channel: what its files say, or its source, or its name in square brackets.

    Args:
        channel_names: C names.
        source: with ``units`` by name, or without.
        read: units by name, of the files.

    Example:
        >>> units_of(("Drybulb Temperature [C](Hourly)", "flow"), None, {"flow": "m3/h"})
        ('C', 'm3/h')
    """
    told = {**(getattr(source, "units", None) or {}), **(read or {})}
    named = {name: unit[1].strip() for name in channel_names if (unit := _UNIT.search(name))}
    return tuple(told.get(name, named.get(name)) for name in channel_names)


def source_settings(source: object) -> dict[str, Any]:
    """The class of a source and its settings as plain values: not its data, nor where they lie.

    Example:
        >>> from dualgaf import ArraySource
        >>> source_settings(ArraySource(train=([[[1.0, 2.0]]], ["a"]), stride=3))["stride"]
        3
    """
    found: dict[str, Any] = {"source": type(source).__name__}
    if is_dataclass(source):
        for field in fields(source):
            value = getattr(source, field.name)
            if is_dataclass(value) and not isinstance(value, type):
                value = {name: item for name, item in vars(value).items() if _is_setting(item)}
            if field.name not in _PLACES and _is_setting(value):
                found[field.name] = plain(value)
    return found


def _is_setting(value: object) -> bool:
    """Whether it is a number, a text, or a few of these in a row or by name."""
    if isinstance(value, Mapping):
        return all(map(_is_setting, value.values()))
    items = value if isinstance(value, tuple | list) else (value,)
    kinds = (bool, int, float, str, np.generic, type(None))
    return len(items) <= MOST_ITEMS and all(isinstance(item, kinds) for item in items)
