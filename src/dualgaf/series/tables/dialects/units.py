"""A row with units between the header and the numbers.

It is one where every column of numbers begins with a text and most of these texts are units. Texts
that are none may be the names of the columns: then the header is another line, and it is asked for.
"""

import re

import polars as pl

from dualgaf.errors import SourceError, typed_option
from dualgaf.series.tables.notes import Notes

_SAMPLE_ROWS = 12
_NUMBER = re.compile(r"[+-]?[\d.,]*\d[\d.,]*([eE][+-]?\d+)?")
_UNITS = """
% %rh °c °f c f k degc degf deg-c deg-f deg celsius fahrenheit kelvin w kw mw wh kwh mwh j kj
mj gj btu btu/h kbtu ton tons pa kpa mpa hpa bar mbar psi psig psia inh2o inwc in.w.c. inwg atm
l/s l/min l/h m3/h m³/h m^3/h m3/s m³/s cfm scfm gpm kg/s kg/h lb/h lb/s g/kg kg/kg kj/kg w/m2
w/m² kw/m2 kwh/m2 kva kvar var va v mv kv a ma ka hz khz rpm 1/min 1/s rad rad/s m/s m/s2 km/h
ft/min fpm ft/s s sec ms min h hr hrs d day days m mm cm km µm um in ft m2 m² ft2 m3 m³ ft3 l ml
gal kg g mg t lb n nm kn ppm ppb lux lx db dba - -- 1 none n/a na unit units unitless
dimensionless number count bool boolean binary 0/1 on/off status text string date time datetime
timestamp utc local µg/m3 µg/m³ ug/m3 mg/m3 mol mmol ph ns µs us m3/hr kgph
"""
"""Texts in small letters that are units, or stand where a column has none."""


def take_units(
    table: pl.DataFrame, file: str, null_values: tuple[str, ...], line: int | None, notes: Notes
) -> tuple[pl.DataFrame, dict[str, str]]:
    """The table without a row of units, and the units by column.

    Args:
        table: cells as texts.
        file: its name, for messages.
        null_values: cells that are missing values.
        line: the line of the header that was typed.
        notes: what was found goes there.

    Raises:
        SourceError: the first row has texts above numbers that are no units.

    Example:
        >>> rows = pl.DataFrame({"t": [None, "0:05"], "sat": ["[°C]", "21.5"]})
        >>> take_units(rows, "a.csv", (), None, Notes())[1]
        {'sat': '°C'}
    """
    if table.height < 2 or any(dtype != pl.String for dtype in table.dtypes):
        return table, {}
    found: dict[str, str] = {}
    ones: list[str] = []  # 1 is the unit of a ratio, and a number
    above_times: list[str] = []
    for column in table.head(_SAMPLE_ROWS):
        cells = [None if c is None or c.strip() in null_values else c.strip() for c in column]
        first, rest = cells[0], [cell for cell in cells[1:] if cell is not None]
        if first is None or not rest:
            continue
        if all(_NUMBER.fullmatch(cell) for cell in rest):
            if first == "1":
                ones.append(column.name)
            elif _NUMBER.fullmatch(first):
                return table, {}
            else:
                found[column.name] = first
        elif all(any(map(str.isdigit, cell)) for cell in rest):
            if any(map(str.isdigit, first)):
                return table, {}  # a time above times
            above_times.append(first)
    texts = {name: text.strip(" []()") for name, text in found.items()}
    known = sum(map(_is_unit, texts.values()))
    if found and 2 * known >= len(found):
        notes.add(
            "the row below the header has units: "
            + ", ".join(f"{name} in {text}" for name, text in list(texts.items())[:3])
            + (", ..." if len(texts) > 3 else ""),
            file,
        )
        return table.slice(1), {n: t for n, t in texts.items() if _is_unit(t)}
    if found and len(found) + len(above_times) > 1 and not ones and line is None:
        raise _no_units(file, [*above_times, *found.values()], list(found.values()))
    return table, {}


def _no_units(file: str, texts: list[str], above_numbers: list[str]) -> SourceError:
    return SourceError(
        f"{file}: the row below the header has {', '.join(map(repr, texts[:3]))} above numbers; if "
        "these are the names of the columns, type data.header_line=2 (or the line they are in, "
        "counted in the file); if they mean missing, type "
        f"{typed_option('data.null_values', list(dict.fromkeys(above_numbers)))} "
        "data.header_line=1"
    )


def _is_unit(text: str) -> bool:
    return text.lower() in _UNITS.split()
