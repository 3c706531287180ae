"""What the cells of a column mean, whatever its file is and whatever else stands in it.

A column is numbers as soon as one of its cells is a number; then a cell that is none is an error. A
notation that can be read in one way only is read so and said: a decimal comma, marks between
thousands, one unit behind each number, on and off. Where both readings of ``1,234`` fit all cells,
the user is asked.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl

from dualgaf.errors import SourceError, typed_option
from dualgaf.series.arrays import Array
from dualgaf.series.labels import is_missing

Decimal = Literal["auto", "point", "comma"]

SWITCHES = (
    *(("off", "on"), ("false", "true"), ("closed", "open"), ("no", "yes")),
    *(("stopped", "running"), ("stop", "run"), ("inactive", "active"), ("disabled", "enabled")),
    *(("aus", "ein"), ("aus", "an"), ("nein", "ja"), ("falsch", "wahr"), ("zu", "auf")),
)
"""Texts of a column that means 0 and 1."""

_POINT = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_COMMA = r"[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?"
_POINT_THOUSANDS = r"[+-]?\d{1,3}(,\d{3})*(\.\d+)?"
_MARKS = "['\u2019 \u00a0\u202f]"
_OTHER_THOUSANDS = rf"[+-]?\d{{1,3}}({_MARKS}\d{{3}})*(\.\d+)?"
_COMMA_THOUSANDS = r"[+-]?\d{1,3}([. \u00a0\u202f]\d{3})*(,\d+)?"
_UNIT = r"^([+-]?[\d.,]*\d[\d.,'\u2019]*)\s*([^\d\s.,:/+-][^\d:/]{0,11})$"
_LEAST_PIECE = 4096
"""Rows of a piece; smaller ones are joined at once."""
_AS_MINUTES = "durations, in min"
_DURATION = r"(?:(\d+) days?,? )?(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)"


@dataclass(frozen=True)
class CellRules:
    """How cells are written, as the user says it."""

    null_values: tuple[str, ...] = ("", "NA", "NaN", "nan", "null", "#VALUE!")
    """Cells that are missing values: as texts, and those that are numbers as numbers, too."""
    decimal: str = "auto"
    """``point``, ``comma``; ``auto``: a point, and a comma where nothing else fits."""

    @cached_property
    def null_numbers(self) -> tuple[float, ...]:
        """Those of ``null_values`` that are numbers: ``-999`` means ``-999.0``, too."""
        return tuple(number for number in self._numbers if np.isfinite(number))

    @cached_property
    def has_infinite_null(self) -> bool:
        """Whether one of ``null_values`` is infinite."""
        return any(np.isinf(self._numbers))

    @cached_property
    def _numbers(self) -> list[float]:
        found = []
        for text in self.null_values:
            try:
                found.append(float(text))
            except ValueError:
                continue
        return found


@dataclass(frozen=True)
class Column:
    """One column of one file, understood."""

    name: str
    kind: Literal["numbers", "empty", "text"]
    """``empty``: no cell has a value."""
    values: Array | None = None
    """(rows,) float32 or float64 where they are numbers; NaN where a cell is missing."""
    further: tuple[Array, ...] = ()
    """What comes behind ``values`` where a driver gave them in pieces, until they are `joined`."""
    unit: str | None = None
    """What stands behind each number."""
    found: str | None = None
    """What was found out about the notation, in words."""
    example: str | None = None
    """The first cell of a text column."""
    n_texts: int = 0
    """Different cells of a text column."""
    ends: tuple[float, float] | None = None
    """The lowest and the highest of ``values``, NaN where one is missing; None = not looked at."""

    @property
    def is_finite(self) -> bool:
        """Whether it is known that every value is there."""
        return self.ends is not None and bool(np.isfinite(self.ends).all())

    def joined(self) -> "Column":
        """With its values in one piece.

        Example:
            >>> Column("sat", "numbers", np.ones(1), (np.zeros(2),)).joined().values.tolist()
            [1.0, 0.0, 0.0]
        """
        if self.values is None or not self.further:
            return self
        return replace(self, values=np.concatenate([self.values, *self.further]), further=())


def understood(column: pl.Series, file: str, rules: CellRules, unit: str | None = None) -> Column:
    """A column as numbers, as nothing, or as text.

    Args:
        column: texts, or what a Parquet file has.
        file: its name, for messages.
        rules: of the cells.
        unit: of the column, where a row of units says it.

    Raises:
        SourceError: some of its cells are numbers and one is none, or its numbers can be read in
            two ways; names file, column, data row and cell.

    Example:
        >>> understood(pl.Series("sat", ["21,5", "22,25"]), "a.csv", CellRules()).values.tolist()
        [21.5, 22.25]
    """
    name = column.name
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        if column.null_count() == len(column):
            return Column(name, "empty")
        if column.n_chunks() * _LEAST_PIECE > len(column):
            column = column.rechunk()
        first, *further = (_array(piece, rules) for piece in column.get_chunks())
        return Column(name, "numbers", first, tuple(further), unit=unit)
    if column.dtype == pl.Null:
        return Column(name, "empty")
    if column.dtype == pl.Duration:
        minutes = column.dt.total_microseconds() / 6e7
        return Column(name, "numbers", _array(minutes, rules), unit="min", found=_AS_MINUTES)
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return Column(name, "text", example=f"{column.dtype}")
    column = column.cast(pl.String)
    if (plain := _plain_numbers(column, rules)) is not None:
        return Column(name, "numbers", _array(plain, rules), unit=unit)
    texts = present(column, rules.null_values)
    if texts.null_count() == len(texts):
        return Column(name, "empty")
    if rules.decimal != "comma":
        parsed = texts.cast(pl.Float64, strict=False)
        if parsed.null_count() == texts.null_count():
            return Column(name, "numbers", _array(parsed, rules), unit=unit)
    return _by_notation(texts, column, file, rules, unit)


def _plain_numbers(texts: pl.Series, rules: CellRules) -> pl.Series | None:
    """The numbers of a column that is nothing else; None where it takes a closer look."""
    if rules.decimal == "comma" or rules.has_infinite_null or not len(texts):
        return None
    parsed = texts.cast(pl.Float64, strict=False)
    if parsed.null_count() > texts.null_count() or not parsed.is_not_nan().any():
        return None
    return parsed


def present(texts: pl.Series, null_values: Sequence[str]) -> pl.Series:
    """Texts without blanks around them; null where they mean a missing value."""
    texts = texts.str.strip_chars()
    return texts.set(texts.is_in([*null_values, ""]), None)


def label_texts(column: pl.Series, null_values: Sequence[str] = ()) -> pl.Series:
    """Classes, groups or marks as text, the same text for the same cell in every file.

    A number is written in one way: ``01``, ``1`` and ``1.0`` are ``1``, and so is ``True``.

    Args:
        column: of any type.
        null_values: texts that are no label.

    Returns:
        Texts without blanks around them; null where there is no label.

    Example:
        >>> label_texts(pl.Series(["01", "1.0", "True", " leak", "?", None])).to_list()
        ['1', '1', '1', 'leak', None, None]
    """
    if column.dtype == pl.Boolean:
        column = column.cast(pl.Int64)
    texts = present(column.cast(pl.String), null_values)
    known = texts.unique().drop_nulls().to_list()
    names = {text: _one_text(text) for text in known}
    return texts.replace_strict(names, return_dtype=pl.String) if names else texts


def same_unit(first: Column, own: Column, first_file: str, file: str) -> None:
    """Raise SourceError where one column has two units in two files."""
    if first.unit != own.unit and first.kind == own.kind == "numbers":
        raise SourceError(
            f"column {own.name!r} is in {first.unit or 'no unit'} in {first_file} and in "
            f"{own.unit or 'no unit'} in {file}; convert one of them, choose files with "
            f"data.pattern=..., or type {typed_option('data.exclude', [own.name])}"
        )


def _one_text(text: str) -> str | None:
    if is_missing(text):
        return None
    small = text.lower()
    if small in ("true", "false"):
        return "1" if small == "true" else "0"
    if re.fullmatch(r"[+-]?\d+(\.0*)?", text):
        return str(int(text.partition(".")[0]))
    if re.fullmatch(r"[+-]?\d*\.\d+", text):
        return repr(float(text))
    return text


def _array(column: pl.Series, rules: CellRules) -> Array:
    if column.dtype not in (pl.Float32, pl.Float64):
        column = column.cast(pl.Float64)
    if column.has_nulls():
        column = column.fill_null(float("nan"))
    values = column.to_numpy()
    for number in rules.null_numbers:
        values = np.where(values == number, np.float32("nan"), values).astype(values.dtype)
    return values


def _by_notation(
    texts: pl.Series, column: pl.Series, file: str, rules: CellRules, unit: str | None
) -> Column:
    """Cells that are not all written with a decimal point alone."""
    name = column.name
    small = texts.str.to_lowercase()
    for off, on in SWITCHES:
        if small.is_in([off, on]).fill_null(True).all():
            values = small.replace_strict({off: 0.0, on: 1.0}, return_dtype=pl.Float64)
            return Column(name, "numbers", _array(values, rules), found=f"{off} = 0, {on} = 1")
    if _all(texts.drop_nulls().head(1), _DURATION) and _all(texts, _DURATION):
        parts = texts.str.extract_groups(f"^{_DURATION}$").struct.unnest()
        days, hours, minutes, seconds = (parts.to_series(k).cast(pl.Float64) for k in range(4))
        total = 1440 * days.fill_null(0) + 60 * hours + minutes + seconds / 60
        return Column(name, "numbers", _array(total, rules), unit="min", found=_AS_MINUTES)
    said = []
    if texts.str.contains("^'[^']*'$").fill_null(True).all():
        texts = texts.str.strip_chars("' ")
        said.append("numbers in quotes")
    bare = texts.str.extract(_UNIT, 1)
    units = texts.str.extract(_UNIT, 2).str.strip_chars()
    if bare.null_count() == texts.null_count() and units.n_unique() == 1 + units.has_nulls():
        texts, unit = bare, str(units.drop_nulls()[0])
        said.append(f"in {unit}")
    thousands_comma = _all(texts, _POINT_THOUSANDS)
    if rules.decimal != "comma" and _all(texts, _POINT):
        texts = texts.str.strip_chars()
    elif rules.decimal != "point" and _all(texts, _COMMA):
        # 1,234 alone may be 1234, and may be 1.234
        if rules.decimal == "auto" and thousands_comma:
            raise SourceError(_two_readings(column, texts, file))
        texts = texts.str.replace(",", ".", literal=True)
        said.append("decimal comma")
    elif rules.decimal != "comma" and thousands_comma:
        texts = texts.str.replace_all(",", "", literal=True)
        said.append("commas between thousands")
    elif rules.decimal != "comma" and _all(texts, _OTHER_THOUSANDS):
        texts = texts.str.replace_all(_MARKS, "")
        said.append("marks between thousands")
    elif rules.decimal != "point" and _all(texts, _COMMA_THOUSANDS):
        texts = texts.str.replace_all("[. \u00a0\u202f]", "").str.replace(",", ".", literal=True)
        said.append("decimal comma, points or blanks between thousands")
    parsed = texts.cast(pl.Float64, strict=False)
    if rules.decimal == "comma" and not said and parsed.null_count() == texts.null_count():
        pointed = texts.str.contains(r"\.").fill_null(False)
        if pointed.any():
            row = int(pointed.arg_true()[0])
            raise SourceError(
                f"{file}, column {name!r}, data row {row + 1}: {column[row]!r} has a decimal "
                "point, and data.decimal=comma; type data.decimal=auto"
            )
    if parsed.null_count() == texts.null_count():
        return Column(
            name, "numbers", _array(parsed, rules), unit=unit, found=", ".join(said) or None
        )
    if parsed.null_count() == len(parsed):
        known = texts.drop_nulls()
        return Column(name, "text", example=str(known[0]), n_texts=known.n_unique())
    raise SourceError(_stray(column, texts.is_not_null() & parsed.is_null(), file, rules))


def _all(texts: pl.Series, pattern: str) -> bool:
    return bool(texts.str.contains(f"^{pattern}$").fill_null(True).all())


def _two_readings(column: pl.Series, texts: pl.Series, file: str) -> str:
    cell = str(texts.filter(texts.str.contains(",").fill_null(False))[0])
    return (
        f"{file}, column {column.name!r}: {cell!r} may be {cell.replace(',', '')} and "
        f"{cell.replace(',', '.')}, and no cell tells which; type data.decimal=point or "
        "data.decimal=comma"
    )


def _stray(column: pl.Series, stray: pl.Series, file: str, rules: CellRules) -> str:
    row = int(stray.arg_true()[0])
    cells = column.cast(pl.String).filter(stray).str.strip_chars().unique(maintain_order=True)
    # An empty cell always is missing.
    missing = [*filter(None, rules.null_values), *cells[:5].to_list()]
    return (
        f"{file}, column {column.name!r}, data row {row + 1}: {column[row]!r} is not a number "
        f"({stray.sum()} such cells); if that means missing, type "
        f"{typed_option('data.null_values', missing)}; to leave the column out, type "
        f"{typed_option('data.exclude', [column.name])}"
    )
