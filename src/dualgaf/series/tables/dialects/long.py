"""Tables with a row a value: exports of historians, and of InfluxDB.

A row has a time, the name of a sensor and its value. Such a table is turned so that a row is a time
and a column a sensor. Columns of classes, groups and marks stay beside the time; what else there is
is left out.
"""

import csv
from collections.abc import Collection
from typing import TYPE_CHECKING

import polars as pl

from dualgaf.errors import SourceError, typed_option
from dualgaf.series.tables.columns import (
    GROUP_NAMES,
    LABEL_NAMES,
    TIME_NAMES,
    find_column,
    need_list,
)
from dualgaf.series.tables.notes import Notes

if TYPE_CHECKING:
    from dualgaf.series.tables.settings import TableSettings

FLUX = ("_time", "_field", "_value")
"""Columns of time, name and value in the CSV files of InfluxDB."""
_HEAD_BYTES = 1 << 14
_LONG_NAMES = (
    (*TIME_NAMES, "zeit", "zeitstempel"),
    ("tag", "tagname", "tag_name", "sensor", "point", "point_name", "variable", "signal", "metric"),
    ("value", "val", "reading", "wert"),
)
_OWN = ("", "result", "table", "_start", "_stop")


def is_flux(raw: bytes) -> bool:
    """Whether a CSV file is one of InfluxDB, with annotations or without.

    Example:
        >>> is_flux(b",result,table,_time,_value,_field"), is_flux(b"_time,temp")
        (True, False)
    """
    head = raw[:_HEAD_BYTES]
    if not all(name.encode() in head for name in FLUX):
        return False
    return any(
        _is_flux_header(line.split(",")) for line in head.decode(errors="replace").splitlines()
    )


def read_flux(raw: bytes, file: str, notes: Notes) -> pl.DataFrame:
    """All tables of such a file as one, each cell a text.

    Args:
        raw: the file in UTF-8.
        file: its name, for messages.
        notes: what was found goes there.

    Raises:
        SourceError: a row has another number of cells than its header.
    """
    parts: list[list[str]] = []
    for line in raw.decode(errors="replace").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if _is_flux_header(line.split(",")):
            parts.append([line])
        elif parts:
            parts[-1].append(line)
    tables = []
    for lines in parts:
        names = next(csv.reader(lines[:1]))
        for row in csv.reader(lines[1:]):
            if len(row) != len(names):
                raise SourceError(
                    f"{file}: a row has {len(row)} cells, its header has {len(names)} names "
                    f"({','.join(row)[:60]!r}); mend or remove that row"
                )
        tables.append(pl.read_csv("\n".join(lines).encode(), infer_schema=False))
    table = pl.concat(tables, how="diagonal")
    notes.add("tables are those of InfluxDB, a column a _field", file)
    if "_measurement" in table.columns:
        if table["_measurement"].n_unique() > 1:
            table = table.with_columns(
                pl.concat_str("_measurement", "_field", separator=".").alias("_field")
            )
        table = table.drop("_measurement")
    return table.drop([name for name in _OWN if name in table.columns])


def kept_beside(header: Collection[str], source: "TableSettings") -> set[str]:
    """Columns of a long table that stay beside its times: classes, groups, plants, marks."""
    common = {*LABEL_NAMES, *GROUP_NAMES}
    asked = {source.label_column, source.split_column, source.working_column, source.plant_column}
    return {
        name
        for name in header
        if name.lower() in common or name in asked or name in (source.group_columns or ())
    }


def check_long(table: pl.DataFrame, source: "TableSettings", file: str) -> None:
    """Raise SourceError where a row seems to be one value of one sensor, by the names."""
    if source.channels or source.group_columns:
        return
    time, tag, value = (find_column(table.columns, names) for names in _LONG_NAMES)
    if time is None or tag is None or value is None:
        return
    if table.height > table[time].n_unique() and 1 < table[tag].n_unique() < table.height:
        raise SourceError(
            f"{file} has several rows a time; if each is one value of one sensor, type "
            f"{typed_option('data.long', [time, tag, value])}; if each is of one plant or run of "
            f"several, type {typed_option('data.group_columns', [tag])}"
        )


def widened(
    table: pl.DataFrame, names: tuple[str, ...], beside: Collection[str], file: str, notes: Notes
) -> pl.DataFrame:
    """A row a time, and a column a sensor.

    Args:
        table: a row a value.
        names: its columns of time, sensor and value.
        beside: columns that stay, if they are there.
        file: its name, for messages.
        notes: what is left out goes there.

    Raises:
        SourceError: a column is missing, a row has no sensor, or a sensor two values at a time.

    Example:
        >>> rows = pl.DataFrame({"t": [1, 1, 2], "tag": ["a", "b", "a"], "value": [5, 6, 7]})
        >>> widened(rows, ("t", "tag", "value"), (), "a.csv", Notes()).rows()
        [(1, 5, 6), (2, 7, None)]
    """
    need_list(table.columns, names, "data.long", file)
    time, tag, value = names
    index = [time, *(name for name in table.columns if name in beside and name not in names)]
    out = [name for name in table.columns if name not in (*index, tag, value)]
    table = table.with_columns(pl.col(tag).cast(pl.String).str.strip_chars())
    without = table[tag].is_null() | (table[tag] == "")
    if without.any():
        row = int(without.arg_true()[0])
        raise SourceError(
            f"{file}, data row {row + 1}: column {tag!r} has no name of a sensor "
            "(data.long); mend or remove that row"
        )
    double = table.select([*index, tag]).is_duplicated()
    if double.any():
        raise SourceError(_two_values(table, double, index, tag, out, file))
    clash = [name for name in table[tag].unique() if name in index]
    if clash:
        raise SourceError(
            f"{file}: a sensor is called {clash[0]!r}, as the column beside it is; rename one"
        )
    if out:
        notes.add(f"beside times, sensors and values are left out: {', '.join(out)}", file)
    return table.pivot(on=tag, index=index, values=value)


def _two_values(
    table: pl.DataFrame, double: pl.Series, index: list[str], tag: str, out: list[str], file: str
) -> str:
    rows = table.filter(double)
    first = rows.row(0, named=True)
    same = pl.all_horizontal(pl.col(name).eq_missing(first[name]) for name in [*index, tag])
    both = rows.filter(same)
    told = [name for name in out if both[name].n_unique() > 1]
    way = f"type {typed_option('data.group_columns', told[:1])}" if told else "remove one of them"
    return (
        f"{file}: sensor {first[tag]!r} has two values at {first[index[0]]} (data rows "
        f"{', '.join(str(row + 1) for row in table.select(same).to_series().arg_true()[:2])}); "
        + (f"if {told[0]!r} tells them apart, {way}" if told else way)
    )


def _is_flux_header(cells: list[str]) -> bool:
    return set(FLUX) <= {cell.strip().strip('"') for cell in cells}
