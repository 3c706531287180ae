"""What to do with values that are missing (NaN) or infinite.

``error`` stops at the first one and says where it is. ``interpolate`` draws a straight line between
the finite neighbours in the same channel of the same series; before the first and after the last
finite value, that value is repeated.
"""

from typing import Literal, get_args

import numpy as np

from dualgaf.errors import ConfigError, SeriesError, unknown_choice
from dualgaf.series.arrays import Array
from dualgaf.series.series import SeriesSet

NanPolicy = Literal["error", "interpolate"]


def repair_nan(series_set: SeriesSet, policy: str) -> SeriesSet:
    """The set without NaN and infinite values.

    Args:
        series_set: any set.
        policy: ``error`` or ``interpolate``.

    Returns:
        The same object where all values are finite, else a set with the gaps filled. Series
        without gaps are not copied.

    Raises:
        SeriesError: ``error`` and there is such a value; ``interpolate`` and a channel of a series
            has no finite value at all.
        ConfigError: another policy.

    Example:
        >>> gaps = SeriesSet.from_arrays(np.array([[[0.0, np.nan, 2.0, np.inf]]]))
        >>> repair_nan(gaps, "interpolate").values[0].tolist()
        [[0.0, 1.0, 2.0, 2.0]]
    """
    check_nan_policy(policy)
    broken = [i for i, series in enumerate(series_set.values) if not np.isfinite(series).all()]
    if not broken:
        return series_set
    if policy == "error":
        raise SeriesError(_first_gap(series_set, broken[0]))
    values = list(series_set.values)
    for index in broken:
        values[index] = _filled(series_set, index)
    return series_set.replace_values(values)


def check_nan_policy(policy: object) -> None:
    """Raise ConfigError unless ``policy`` is known."""
    if policy not in get_args(NanPolicy):
        raise ConfigError(unknown_choice("data.nan", policy, get_args(NanPolicy)))


def _first_gap(series_set: SeriesSet, index: int) -> str:
    series = series_set.values[index]
    channel, step = np.argwhere(~np.isfinite(series))[0]
    n_gaps = int(np.count_nonzero(~np.isfinite(series)))
    return (
        f"{series_set.describe(index)}, channel {series_set.channel_names[channel]!r}, index "
        f"{step}: {series[channel, step]} ({n_gaps} such values in this series); allowed: finite "
        "numbers; type data.nan=interpolate to fill gaps from their neighbours"
    )


def _filled(series_set: SeriesSet, index: int) -> Array:
    series = series_set.values[index].copy()
    steps = np.arange(series.shape[1])
    for channel, row in enumerate(series):
        finite = np.isfinite(row)
        if not finite.any():
            raise SeriesError(
                f"{series_set.describe(index)}, channel {series_set.channel_names[channel]!r} has "
                "no finite value, so there is nothing to interpolate; leave the channel or the "
                "series out"
            )
        row[~finite] = np.interp(steps[~finite], steps[finite], row[finite])
    return series
