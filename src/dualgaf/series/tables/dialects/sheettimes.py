"""Dates, times of day and durations of a workbook, as a CSV file of its sheet has them.

A workbook has numbers of days, and the reader of sheets makes a date of each: of a time of day and
of a duration one of 1899, or 1904, or some years later.
"""

import polars as pl

_BEFORE_1950 = r"^1(8\d\d|9[0-4]\d)-\d\d-\d\d \d\d:"
ISO = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
"""A date as the reader of sheets writes it."""
_MIDNIGHT = " 00:00:00"
_NEAR_MS = 20
"""Dates so near to whole seconds, all of a column, are those seconds."""
_DAY_MS = 86_400_000
_FROM_1950 = 16_000 * _DAY_MS
"""No earlier day of either calendar of workbooks is from 1950 on."""


def as_csv(texts: pl.Series, serial: pl.Series) -> pl.Series:
    """Dates, times of day and durations as a CSV file has them.

    Args:
        texts: cells; a date is ISO.
        serial: (rows,) milliseconds since the first day of the workbook's calendar; null where a
            cell is no date.

    Example:
        >>> texts = pl.Series(["t", "1899-12-31 00:05:00", "1900-01-01 12:00:00"])
        >>> as_csv(texts, pl.Series([None, 300_000, 129_600_000])).to_list()
        ['t', '00:05:00', '36:00:00']
    """
    is_date = serial.is_not_null()
    early = is_date & texts.str.contains(_BEFORE_1950).fill_null(False)
    early = early & (serial < _FROM_1950).fill_null(False)
    late = is_date & ~early
    beside = (serial + _NEAR_MS) % 1000
    if (beside.filter(is_date) <= 2 * _NEAR_MS).all():
        serial = ((serial + 500) // 1000) * 1000
        moment = texts.set(~late, None).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False)
        rounded = moment.dt.round("1s").dt.strftime("%Y-%m-%d %H:%M:%S")
        texts = texts.zip_with(~late | rounded.is_null(), rounded)
    if late.any() and (serial.filter(late) % _DAY_MS == 0).all():
        texts = texts.zip_with(~late, texts.str.replace(_MIDNIGHT, "", literal=True))
    if early.any():
        texts = texts.zip_with(~early, _clock_text(serial))
    return texts


def _clock_text(serial: pl.Series) -> pl.Series:
    """``H:MM:SS`` with as many hours as there are, and milliseconds where there are any."""
    seconds, rest = serial // 1000, serial % 1000
    parts = [seconds // 3600, seconds // 60 % 60, seconds % 60]
    frame = pl.DataFrame(
        [part.cast(pl.String).str.zfill(2).alias(f"{k}") for k, part in enumerate(parts)]
        + [("." + rest.cast(pl.String).str.zfill(3)).set(rest == 0, "").alias("ms")]
    )
    clock = pl.concat_str("0", "1", "2", separator=":")
    return frame.select(pl.concat_str(clock, "ms").alias("text"))["text"]
