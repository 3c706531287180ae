"""Two exports of one plant that say other things of the same time.

Files whose rows are equal over a window are of one plant; so, it seems, are two of which the later
begins before the earlier one ends. Where such files have other values at a time at which they have
the same class, one of them is wrong, or they are of two plants: the user is asked. Files that begin
and end together, with no rows alike, are plants or runs beside each other.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from dualgaf.errors import SourceError
from dualgaf.series.tables.rows import FileRows

Pair = tuple[int, int]


def following(tables: Sequence[FileRows]) -> set[Pair]:
    """Pairs of which the later begins inside of the earlier and ends after it.

    Args:
        tables: files with dates and rows.
    """
    if len(tables) < 2:
        return set()
    spans = [(table.rows["time"].min(), table.rows["time"].max()) for table in tables]
    order = sorted(range(len(tables)), key=lambda index: spans[index])
    found = set()
    for place, one in enumerate(order):
        for other in order[place + 1 :]:
            if spans[other][0] > spans[one][1]:  # type: ignore[operator]
                break
            if spans[one][0] < spans[other][0] and spans[one][1] < spans[other][1]:  # type: ignore[operator]
                found.add((one, other))
    return found


def check_same_times(
    tables: Sequence[FileRows], channels: Sequence[str], pairs: Iterable[Pair]
) -> None:
    """Raise SourceError where two files have other values at one time.

    Args:
        tables: files with dates.
        channels: names.
        pairs: those that are compared.
    """
    for one, other in sorted(pairs):
        differ = _differing(tables[one], tables[other], channels)
        if differ.height:
            first = differ.row(0, named=True)
            names = f"{tables[one].file} and {tables[other].file}"
            raise SourceError(
                f"{names} have other values at the same time, {first['shown']} (data rows "
                f"{first['row'] + 1} and {first['row_right'] + 1}; {differ.height} such times); if "
                "they are exports of one plant, remove the wrong one or choose files with "
                'data.pattern="..."; if they are two plants or runs, type data.same_time=keep'
            )


def _differing(one: FileRows, other: FileRows, channels: Sequence[str]) -> pl.DataFrame:
    """Rows of one time and class, and other values; none where a file has a time twice."""
    frames = []
    for table in (one, other):
        rows = table.rows.filter(pl.col("keep"))
        if rows.select("time", "plant").is_duplicated().any():
            return pl.DataFrame()
        shown = pl.col("local" if "local" in rows.columns else "time").alias("shown")
        frames.append(rows.select("time", "plant", "label", "row", shown))
    both = frames[0].join(
        frames[1], on=["time", "plant", "label"], nulls_equal=True, maintain_order="left"
    )
    if not both.height:
        return both
    a, b = (
        table.matrix(channels)[both[name].to_numpy()]
        for table, name in ((one, "row"), (other, "row_right"))
    )
    differ = ~((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=1)
    return both.filter(pl.Series(differ))
