"""Clocks in parts: columns of years, months, days, hours and minutes, each a whole number.

Years, months and days are a date; a column of dates that has hours beside it goes on with them. An
hour from 1 to 24 is one that ends an interval as ``24:00`` does: it is read as it is written.
"""

import polars as pl

_DATE_PARTS = (("year", "jahr", "yr", "yyyy"), ("month", "monat", "mon"), ("day", "tag", "dom"))
_TIME_PARTS = (("hour", "stunde", "hr", "hh"), ("minute", "minuten", "mins"), ("second", "seconds"))
_RANGES = ((1900, 2100), (1, 12), (1, 31), (0, 24), (0, 59), (0, 59))


def date_parts(table: pl.DataFrame, free: list[str]) -> tuple[str, ...]:
    """The columns of year, month and day, and of hour, minute and second as far as they are there.

    Args:
        table: cells of a file.
        free: columns that may be part of a clock.

    Returns:
        Three names or more, or none.

    Example:
        >>> table = pl.DataFrame({"Year": ["2024"], "Month": ["1"], "Day": ["9"], "Hour": ["13"]})
        >>> date_parts(table, table.columns)
        ('Year', 'Month', 'Day', 'Hour')
    """
    found = [_part(table, free, names, *_RANGES[k]) for k, names in enumerate(_DATE_PARTS)]
    if None in found:
        return ()
    return (*(name for name in found if name is not None), *time_parts(table, free))


def time_parts(table: pl.DataFrame, free: list[str]) -> tuple[str, ...]:
    """The columns of hour, minute and second as far as they are there; none without an hour."""
    found = []
    for names, limits in zip(_TIME_PARTS, _RANGES[3:], strict=True):
        name = _part(table, free, names, *limits)
        if name is None:
            break
        found.append(name)
    return tuple(found)


def of_parts(table: pl.DataFrame, names: tuple[str, ...]) -> tuple[pl.DataFrame, str]:
    """The table with one column of times instead of its parts, and the name of that column.

    Args:
        table: cells of a file.
        names: of `date_parts`, or a column of dates and those of `time_parts`.

    Example:
        >>> table = pl.DataFrame({"Date": ["9.1.2024"], "Hour": [13], "Minute": [5]})
        >>> of_parts(table, ("Date", "Hour", "Minute"))[0].rows()
        [('9.1.2024 13:05',)]
    """
    is_date = names[0].lower() not in _DATE_PARTS[0]
    n_date = 1 if is_date else 3
    numbers = [
        table[name].cast(pl.Float64, strict=False).cast(pl.Int64).cast(pl.String).str.zfill(2)
        for name in names[is_date:]
    ]
    clock = numbers[3 - 3 * is_date :]
    if len(clock) == 1:
        clock = [*clock, pl.Series(["00"]).new_from_index(0, table.height)]
    day = [table[names[0]].cast(pl.String).str.strip_chars()] if is_date else numbers[:3]
    columns = {f"{k}": part for k, part in enumerate([*day, *clock])}
    keys = list(columns)
    texts = pl.DataFrame(columns).select(
        pl.concat_str(pl.concat_str(keys[:n_date], separator="-"),
                      pl.concat_str(keys[n_date:], separator=":") if clock else pl.lit("00:00"),
                      separator=" ").alias(" ".join(names))
    )  # fmt: skip
    return texts.hstack(table.drop(names)), " ".join(names)


def _part(
    table: pl.DataFrame, free: list[str], names: tuple[str, ...], low: int, high: int
) -> str | None:
    for name in free:
        if name.strip().lower() not in names:
            continue
        column = table[name]
        if not (column.dtype.is_numeric() or column.dtype == pl.String):
            continue
        numbers = column.cast(pl.Float64, strict=False)
        if not numbers.has_nulls() and (numbers.is_between(low, high) & (numbers % 1 == 0)).all():
            return name
    return None
