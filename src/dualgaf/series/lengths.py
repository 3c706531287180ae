"""Series of unequal length as windows of one length, by an explicit rule.

* ``resample``: linear interpolation onto ``length`` evenly spaced points from the first to the last
  step of each series. Speed is changed, nothing is lost; suits words, gestures, strokes.
* ``pad``: the last value is repeated up to ``length``; what lies beyond ``length`` is cut off.
* ``truncate``: the first ``length`` steps are kept; a shorter series is an error.
* ``error``: any series of another length is an error.

The caller takes ``length`` from the longest training series, so it applies the rule after the
split: the rows in `Origin` describe the series before it.
"""

from typing import Literal, get_args

import numpy as np

from dualgaf.errors import ConfigError, SeriesError
from dualgaf.series.arrays import Array
from dualgaf.series.doors import FILES, typed, unknown
from dualgaf.series.series import SeriesSet

RaggedRule = Literal["resample", "pad", "truncate", "error"]


def equalise(series_set: SeriesSet, rule: str, length: int, door: str = FILES) -> SeriesSet:
    """All series with ``length`` steps.

    Args:
        series_set: any set.
        rule: ``resample``, ``pad``, ``truncate`` or ``error``; see the module.
        length: steps of every series of the result, at least 1.
        door: how options are typed, see `dualgaf.series.doors`.

    Returns:
        The same object where every series has that length already.

    Raises:
        SeriesError: ``truncate`` and a series is shorter; ``error`` and one is not equal.
        ConfigError: another rule.

    Example:
        >>> ragged = SeriesSet.from_arrays([np.array([[0.0, 1.0]]), np.array([[0.0, 1.0, 4.0]])])
        >>> equalise(ragged, "resample", 3).values[0].tolist()
        [[0.0, 0.5, 1.0]]
        >>> equalise(ragged, "pad", 3).values[0].tolist()
        [[0.0, 1.0, 1.0]]
        >>> equalise(ragged, "truncate", 2).values[1].tolist()
        [[0.0, 1.0]]
    """
    check_ragged_rule(rule, door)
    if length < 1:
        raise SeriesError(f"length={length} is too small; allowed: 1 and more")
    lengths = series_set.lengths
    if all(own == length for own in lengths):
        return series_set
    if rule == "error":
        index = next(i for i, own in enumerate(lengths) if own != length)
        raise SeriesError(
            f"series have {min(lengths)} to {max(lengths)} steps ({series_set.describe(index)}: "
            f"{lengths[index]}), needed: {length} each; type {typed(door, 'ragged', 'resample')}, "
            f"pad or truncate, or give {door}window_size"
        )
    if rule == "truncate" and min(lengths) < length:
        index = lengths.index(min(lengths))
        raise SeriesError(
            f"{series_set.describe(index)} has {lengths[index]} steps, truncate needs {length}; "
            f"type {typed(door, 'ragged', 'resample')} or {typed(door, 'ragged', 'pad')}"
        )
    one = _resampled if rule == "resample" else _padded
    return series_set.replace_values(
        [
            series if series.shape[1] == length else one(series, length)
            for series in series_set.values
        ]
    )


def check_ragged_rule(rule: object, door: str = FILES) -> None:
    """Raise ConfigError unless ``rule`` is known."""
    if rule not in get_args(RaggedRule):
        raise ConfigError(unknown(door, "ragged", rule, get_args(RaggedRule)))


def _resampled(series: Array, length: int) -> Array:
    last = series.shape[1] - 1
    position = np.linspace(0, last, length)
    left = np.minimum(position.astype(np.int64), max(last - 1, 0))
    right = np.minimum(left + 1, last)
    weight = position - left
    return np.ascontiguousarray(
        series[:, left] * (1 - weight) + series[:, right] * weight, dtype=series.dtype
    )


def _padded(series: Array, length: int) -> Array:
    kept = series[:, :length]
    missing = length - kept.shape[1]
    return np.ascontiguousarray(np.pad(kept, ((0, 0), (0, missing)), mode="edge"))
