"""What to do with values that are missing (NaN) or infinite.

``error`` stops at the first one and says where it is. ``interpolate`` draws a straight line between
the finite neighbours in the same channel of the same series; before the first and after the last
finite value, that value is repeated. Where a series is cut afterwards, `fill_again` fills the gaps
of each piece from that piece alone: what is learned must not follow from values of another split.
"""

import logging
from typing import Literal, get_args

import numpy as np

from dualgaf.errors import ConfigError, SeriesError, typed_option
from dualgaf.series.arrays import Array
from dualgaf.series.doors import ARRAYS, FILES, typed, unknown
from dualgaf.series.series import SeriesSet

NanPolicy = Literal["error", "interpolate"]

log = logging.getLogger(__name__)


def repair_nan(
    series_set: SeriesSet, policy: str, *, drop_dead: bool = False, door: str = FILES
) -> SeriesSet:
    """The set without NaN and infinite values.

    Args:
        series_set: any set.
        policy: ``error`` or ``interpolate``.
        drop_dead: leave out a series with a channel that has no finite value, and log how many;
            for sources whose series are pieces of a longer record.
        door: how options are typed, see `dualgaf.series.doors`.

    Returns:
        The same object where all values are finite, else a set with the gaps filled. Series
        without gaps are not copied.

    Raises:
        SeriesError: ``error`` and there is such a value; ``interpolate`` and a channel of a series
            has no finite value at all, with ``drop_dead`` of every series.
        ConfigError: another policy.

    Example:
        >>> gaps = SeriesSet.from_arrays(np.array([[[0.0, np.nan, 2.0, np.inf]]]))
        >>> repair_nan(gaps, "interpolate").values[0].tolist()
        [[0.0, 1.0, 2.0, 2.0]]
    """
    check_nan_policy(policy, door)
    broken = [i for i, series in enumerate(series_set.values) if not np.isfinite(series).all()]
    if not broken:
        return series_set
    if policy == "error":
        raise SeriesError(_first_gap(series_set, broken[0], door))
    return _filled_set(series_set, broken, drop_dead, door)


def fill_again(series_set: SeriesSet) -> SeriesSet:
    """Gaps that were filled before, filled from the values of each series alone.

    Args:
        series_set: pieces of series, see `SeriesSet.cut`.

    Returns:
        The same object where there are no gaps. A piece with a channel that has nothing but gaps is
        left out.

    Raises:
        SeriesError: every piece has such a channel.

    Example:
        >>> gaps = SeriesSet.from_arrays(np.array([[[0.0, 1.0, np.nan, 9.0]]]))
        >>> fill_again(repair_nan(gaps, "interpolate").cut([(0, 0, 3)])).values[0].tolist()
        [[0.0, 1.0, 1.0]]
    """
    values, broken = list(series_set.values), []
    for index, gap in enumerate(series_set.gaps):
        if gap is not None and gap.any():
            values[index] = np.where(gap, np.nan, values[index]).astype(values[index].dtype)
            broken.append(index)
    if not broken:
        return series_set
    return _filled_set(series_set.replace_values(values), broken, drop_dead=True)


def _filled_set(
    series_set: SeriesSet, broken: list[int], drop_dead: bool, door: str = FILES
) -> SeriesSet:
    dead = [i for i in broken if not np.isfinite(series_set.values[i]).any(axis=1).all()]
    if dead and (not drop_dead or len(dead) == len(series_set)):
        raise SeriesError(_dead(series_set, dead[0], drop_dead, door))
    values, gaps = list(series_set.values), list(series_set.gaps)
    for index in set(broken) - set(dead):
        gaps[index] = ~np.isfinite(values[index])
        values[index] = _filled(values[index])
    if not dead:
        return series_set.replace_values(values, gaps)
    log.warning(
        "%s: %d of %d series are left out, as a sensor has no value in them: %s",
        series_set.name,
        len(dead),
        len(series_set),
        "; ".join(_dead_channels(series_set, index) for index in dead[:3])
        + ("; ..." if len(dead) > 3 else ""),
    )
    kept = [index for index in range(len(series_set)) if index not in set(dead)]
    return series_set.replace_values(values, gaps).take(kept)


def cut_at_holes(series_set: SeriesSet, limit: int) -> tuple[SeriesSet, int]:
    """Series that end where a channel has no value for more than ``limit`` steps.

    Args:
        series_set: any set.
        limit: steps of the longest hole that is kept.

    Returns:
        The pieces between longer holes, and how many steps lie in such holes.

    Raises:
        SeriesError: nothing is left.

    Example:
        >>> holes = SeriesSet.from_arrays(np.array([[[0.0, np.nan, 2.0, np.nan, np.nan, 5.0]]]))
        >>> pieces, steps = cut_at_holes(holes, 1)
        >>> pieces.lengths, steps
        ((3, 1), 2)
    """
    kept = [~in_long_holes(series, limit) for series in series_set.values]
    if all(own.all() for own in kept):
        return series_set, 0
    pieces = []
    for index, own in enumerate(kept):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], own, [False]]).astype(np.int8)))
        pieces += [(index, int(a), int(b)) for a, b in edges.reshape(-1, 2)]
    if not pieces:
        raise SeriesError(
            f"{series_set.name}: every row lies in a hole of more than {limit} rows; type "
            "data.fill_limit=null, or leave out the sensors that have no values with data.exclude"
        )
    return series_set.cut(pieces), sum(int((~own).sum()) for own in kept)


def in_long_holes(series: Array, limit: int) -> Array:
    """Whether a channel has no value there, in a run of more than ``limit``.

    Args:
        series: (C, L), not finite where a value is missing.
        limit: steps of the longest hole that is no long one.

    Returns:
        (L,) bool.

    Example:
        >>> in_long_holes(np.array([[0.0, np.nan, 2.0, np.nan, np.nan]]), 1).tolist()
        [False, False, False, True, True]
    """
    found = np.zeros(series.shape[1], dtype=bool)
    for row in ~np.isfinite(series):
        if not row.any():
            continue
        edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(np.int8)))
        for a, b in edges.reshape(-1, 2):
            if b - a > limit:
                found[a:b] = True
    return found


def check_nan_policy(policy: object, door: str = FILES) -> None:
    """Raise ConfigError unless ``policy`` is known."""
    if policy not in get_args(NanPolicy):
        raise ConfigError(unknown(door, "nan", policy, get_args(NanPolicy)))


def _first_gap(series_set: SeriesSet, index: int, door: str) -> str:
    series = series_set.values[index]
    channel, step = np.argwhere(~np.isfinite(series))[0]
    n_gaps = int(np.count_nonzero(~np.isfinite(series)))
    return (
        f"{series_set.describe(index)}, channel {series_set.channel_names[channel]!r}, index "
        f"{step}: {series[channel, step]} ({n_gaps} such values in this series); allowed: finite "
        f"numbers; type {typed(door, 'nan', 'interpolate')} to fill gaps from their neighbours"
    )


def _dead_channels(series_set: SeriesSet, index: int) -> str:
    finite = np.isfinite(series_set.values[index]).any(axis=1)
    names = [series_set.channel_names[channel] for channel in np.flatnonzero(~finite)[:5]]
    return f"{', '.join(names)} of {series_set.origins[index].source}, {series_set.groups[index]}"


def _dead(series_set: SeriesSet, index: int, every: bool, door: str) -> str:
    channel = int(np.flatnonzero(~np.isfinite(series_set.values[index]).any(axis=1))[0])
    name = series_set.channel_names[channel]
    out = f"leave the channel out: type {typed_option('data.exclude', [name])}"
    told = f"{series_set.describe(index)}, channel {name!r} has no finite value"
    if every:
        return f"{told}, and so it is in every series; {out}"
    told = f"{told}, so there is nothing to interpolate"
    if door == ARRAYS:
        out = f"type np.delete(x, {channel}, axis=1) in every split"
        return f"{told}; leave the series out, or the channel: {out}"
    return f"{told}; leave the channel or the series out"


def _filled(series: Array) -> Array:
    series = series.copy()
    steps = np.arange(series.shape[1])
    for row in series:
        finite = np.isfinite(row)
        row[~finite] = np.interp(steps[~finite], steps[finite], row[finite])
    return series
