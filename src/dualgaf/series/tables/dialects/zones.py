"""Offsets and marks behind times, and local days of a zone.

A time with an offset is kept as it is written: its day is the local day. Beside it stands the
instant in UTC, which tells order and gaps, so that the autumn hour that comes twice stays apart.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from dualgaf.errors import ConfigError, SourceError, not_allowed

_HOURS = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2,
    "BST": 1, "EET": 2, "EEST": 3, "MSK": 3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7,
    "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10, "AEST": 10, "AEDT": 11,
    "JST": 9, "KST": 9, "NZST": 12, "NZDT": 13,
}  # fmt: skip
"""Hours ahead of UTC by mark."""
UTC_MARKS = frozenset({"Z", "UTC", "GMT"})
"""Those that mean the same everywhere."""
MARK = (
    r"^(.*\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AaPp][Mm])?) ?"
    r"(Z|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?|[A-Z]{3,4})$"
)
"""A text that ends with a time of day and an offset or mark."""
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?")


def check_zone(name: object) -> None:
    """Raise ConfigError unless a zone of that name is known, or it is None.

    Example:
        >>> check_zone("Europe/Berlin")
    """
    if name is None:
        return
    try:
        if isinstance(name, str):
            ZoneInfo(name)
            return
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise ConfigError(
        not_allowed(
            "data.time_zone",
            name,
            "a zone such as Europe/Berlin, America/Chicago or UTC, or null",
            "data.time_zone=Europe/Berlin",
        )
    )


def offsets_of(marks: pl.Series) -> pl.Series | None:
    """Seconds ahead of UTC; None where a mark is not known.

    Example:
        >>> offsets_of(pl.Series(["+01:00", "CDT", "Z", "-0330"])).to_list()
        [3600, -18000, 0, -12600]
    """
    known: dict[str, int] = {}
    for mark in marks.drop_nulls().unique().to_list():
        if mark in _HOURS:
            known[mark] = 3600 * _HOURS[mark]
        elif (found := _OFFSET.fullmatch(mark)) is not None:
            size = 3600 * int(found[2]) + 60 * int(found[3] or 0)
            known[mark] = -size if found[1] == "-" else size
        else:
            return None
    return marks.replace_strict(known, return_dtype=pl.Int64)


def check_marks(marks: Collection[str], file: str, zone: str | None, time: pl.Series) -> None:
    """Raise SourceError where a mark means an offset that a zone never has.

    Args:
        marks: letters such as CST.
        file: its name, for messages.
        zone: ``data.time_zone``.
        time: dates of the file, whose year is looked at.

    Example:
        >>> new_year = pl.Series(["2024-01-01"]).str.to_date()
        >>> check_marks({"CST"}, "a.csv", "America/Chicago", new_year)
    """
    if zone is None or not marks:
        return
    year = time[0].year
    dates = (datetime(year, month, 1, tzinfo=ZoneInfo(zone)) for month in range(1, 13))
    known = {date.utcoffset() for date in dates}
    for mark in sorted(marks):
        if timedelta(hours=_HOURS[mark]) not in known:
            raise SourceError(
                f"times of {file} are marked {mark}, which is read as {_hours(3600 * _HOURS[mark])}"
                f", and {zone} never has that; type the zone of the plant, or export times with an "
                "offset (+01:00)"
            )


def local_and_instant(
    times: Mapping[str, pl.Series],
    offsets: Mapping[str, pl.Series | None],
    zone: str | None,
    apart: Mapping[str, Sequence[pl.Series]],
) -> tuple[dict[str, pl.Series], dict[str, pl.Series], list[str]]:
    """Local times of each file, and the instants that tell their order.

    Args:
        times: as they are written, by file; at least one.
        offsets: seconds ahead of UTC by file; None where nothing says.
        zone: ``data.time_zone``.
        apart: by file, what tells plants and runs apart: each has its own autumn hour.

    Returns:
        Local times; instants in UTC of the files whose local times do not tell the order; and
        sentences.

    Raises:
        SourceError: offsets that are no summer and winter time of one place, files with and without
            offsets, or a local time that comes twice or never, and no zone that tells more.
    """
    if zone is None:
        return _as_written(times, offsets)
    local, instant = {}, {}
    for file, time in times.items():
        if time.dtype != pl.Datetime:
            raise SourceError(
                f"{file}: data.time_zone={zone} needs dates, and the times are numbers; type "
                "data.time_zone=null, or say how they are written with data.time_format=..."
            )
        offset = offsets[file]
        if offset is None:
            local[file], instant[file] = time, _instants(time, file, zone, apart.get(file, ()))
        else:
            instant[file] = _less(time, offset)
            local[file] = (
                instant[file].dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
            ).dt.replace_time_zone(None)
    said = [f"days are those of {zone}"]
    return local, instant, said


def _as_written(
    times: Mapping[str, pl.Series], offsets: Mapping[str, pl.Series | None]
) -> tuple[dict[str, pl.Series], dict[str, pl.Series], list[str]]:
    known = {file: offset for file, offset in offsets.items() if offset is not None}
    if not known:
        return dict(times), {}, []
    without = next((file for file in times if file not in known), None)
    if without is not None:
        raise SourceError(
            f"times of {next(iter(known))} have an offset or mark of their zone and those of "
            f"{without} have none; type the zone of the plant: data.time_zone=Europe/Berlin"
        )
    distinct = sorted({int(v) for offset in known.values() for v in offset.unique()})
    if len(distinct) > 2 or distinct[-1] - distinct[0] not in (0, 3600):
        raise SourceError(
            f"times have the offsets {', '.join(map(_hours, distinct[:4]))}, which is no winter "
            "and summer time of one place; type the zone of the plant: "
            "data.time_zone=Europe/Berlin"
        )
    told = " and ".join(map(_hours, distinct))
    said = ["times and days are those of UTC; data.time_zone=Europe/Berlin gives local days"]
    if distinct != [0]:
        said = [f"times and days are local, as they are written with {told}"]
    if len(distinct) == 1:
        return dict(times), {}, said
    return dict(times), {file: _less(times[file], known[file]) for file in times}, said


def _hours(seconds: int) -> str:
    sign = "-" if seconds < 0 else "+"
    return f"UTC{sign}{abs(seconds) // 3600:02d}:{abs(seconds) // 60 % 60:02d}"


def _less(time: pl.Series, offset: pl.Series) -> pl.Series:
    return (time.cast(pl.Int64) - offset * 1_000_000).cast(pl.Datetime("us"))


def _instants(time: pl.Series, file: str, zone: str, apart: Sequence[pl.Series]) -> pl.Series:
    """UTC of local times without an offset; the autumn hour by the order of rows."""
    early, late = (
        time.dt.replace_time_zone(zone, ambiguous=way, non_existent="null")
        .dt.convert_time_zone("UTC")
        .dt.replace_time_zone(None)
        for way in ("earliest", "latest")
    )
    if early.has_nulls():
        row = int(early.is_null().arg_true()[0])
        raise SourceError(
            f"{file}, data row {row + 1}: {time[row]} does not exist in {zone}, where clocks go "
            "forward in spring; if times are those of winter all year, type data.time_zone=null"
        )
    twice = early != late
    if not twice.any():
        return early
    names = {f"{k}": name for k, name in enumerate([time, *apart])}
    seen = pl.DataFrame(names).select(
        pl.int_range(pl.len()).over(list(names)), n=pl.len().over(list(names))
    )
    if (seen["n"].filter(twice) != 2).any():
        row = int((twice & (seen["n"] != 2)).arg_true()[0])
        raise SourceError(
            f"{file}, data row {row + 1}: {time[row]} comes twice in {zone}, where clocks go back "
            "in autumn, and there is no offset that tells which it is; export times with an offset "
            "(+01:00) or in UTC; if they are those of winter all year, type data.time_zone=null"
        )
    second = seen.to_series(0) == 1
    return early.zip_with(~(twice & second), late)
