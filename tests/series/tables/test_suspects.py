"""Columns that are no measurements, and columns that look alike and are some."""

import re

import pytest

from dualgaf.errors import SourceError
from dualgaf.series.tables.source import TableSource

ROWS = 24


def _folder(tmp_path, **columns):
    """One file with times, a sensor, a class that changes every 6 rows, and other columns."""
    columns = {
        "datetime": [f"2020-01-01 {row // 12:02d}:{row % 12 * 5:02d}" for row in range(ROWS)],
        "temp": [row % 3 for row in range(ROWS)],
        "fault": ["xyz"[row // 6 % 3] for row in range(ROWS)],
    } | columns
    rows = zip(*columns.values(), strict=True)
    text = ",".join(columns) + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    (tmp_path / "a.csv").write_text(text)
    return tmp_path


BY_CLASS = {
    "a code of the class": ("q7", [(row // 6 % 3 * 5 + 2) % 7 for row in range(ROWS)]),
    "as fractions": ("severity", [row // 6 % 3 / 4 for row in range(ROWS)]),
    "in true and false": ("alarm", [str(row // 6 % 3 == 1) for row in range(ROWS)]),
}
COUNTING = {
    "row": ("n", range(ROWS)),
    "from 40 on": ("__index_level_0__", range(40, 40 + ROWS)),
    "pandas": ("Unnamed: 0", range(ROWS)),
    "step": ("step", [row // 2 for row in range(ROWS)]),
    "Unix seconds": ("seconds", [1577836800 + 300 * row for row in range(ROWS)]),
    "Unix milliseconds of another zone": (
        "ms",
        [1000 * (1577836800 + 3600 + 300 * row) for row in range(ROWS)],
    ),
    "id": ("unit_id", [7] * ROWS),
}
MEASURED = {
    "a meter": [1000 + row + row // 5 for row in range(ROWS)],
    "a meter of steady load": [1000 + 2 * row for row in range(ROWS)],
    "a set point": [21.5] * ROWS,
    "a state": [int(row % 12 < 6) for row in range(ROWS)],
    "counts that begin anew": [row % 12 for row in range(ROWS)],
    "most of a class": [row // 6 % 3 if row != 20 else 1 for row in range(ROWS)],
}


@pytest.mark.parametrize("case", BY_CLASS)
@pytest.mark.parametrize("way", ["exclude", "channels"])
def test_a_column_that_tells_the_class(tmp_path, case, way):
    name, cells = BY_CLASS[case]
    if case == "in true and false":  # two classes
        cells = [str(row % 12 < 6) for row in range(ROWS)]
        folder = _folder(
            tmp_path, fault=["xy"[row // 6 % 2] for row in range(ROWS)], **{name: cells}
        )
    elif case == "as fractions":  # three groups
        day = [row // 6 for row in range(ROWS)]
        folder = _folder(tmp_path, **{name: cells, "day": day})
    else:
        folder = _folder(tmp_path, **{name: cells})
    with pytest.raises(SourceError, match=f"column '{name}' tells the class: it is ") as caught:
        TableSource(folder).load()
    assert f"type data.exclude=[{name}] to leave it out, or data.channels=[temp,{name}]" in str(
        caught.value
    )
    names = {"exclude": [name], "channels": ["temp", name]}[way]
    kept = ("temp",) if way == "exclude" else ("temp", name)
    assert TableSource(folder, **{way: names}).load().channel_names == kept


@pytest.mark.parametrize("case", COUNTING)
def test_a_column_that_counts(tmp_path, case):
    name, cells = COUNTING[case]
    with pytest.raises(SourceError) as caught:
        TableSource(_folder(tmp_path, **{name: cells})).load()
    assert re.match(
        f"column '{name}' (is a number of the row|is the date once more|counts or is a second cl)",
        str(caught.value),
    )
    assert "data.exclude=[" in str(caught.value)
    assert "data.channels=[" in str(caught.value)


@pytest.mark.parametrize("case", MEASURED)
def test_columns_that_are_measurements(tmp_path, case):
    series_set = TableSource(_folder(tmp_path, q=MEASURED[case])).load()
    assert series_set.channel_names == ("temp", "q")


def test_names_are_quoted_as_they_must_be_typed(tmp_path):
    folder = _folder(tmp_path, **{"Ground Truth": [row // 6 % 3 for row in range(ROWS)]})
    with pytest.raises(SourceError, match=re.escape("type 'data.exclude=[\"Ground Truth\"]' to l")):
        TableSource(folder).load()


def test_few_rows_prove_nothing(tmp_path):
    (tmp_path / "a.csv").write_text("temp,flow,fault\n1,1,a\n2,2,a\n1,3,b\n2,4,b\n")
    assert TableSource(tmp_path).load().channel_names == ("temp", "flow")


def test_a_column_that_tells_the_class_of_its_file(tmp_path):
    for number, name in enumerate(("normal", "leak")):
        rows = "".join(f"{row},{row % 3},{number}\n" for row in range(6))
        (tmp_path / f"{name}.csv").write_text("step,temp,truth\n" + rows)
    with pytest.raises(SourceError, match="column 'truth' tells the class: it is 1 for 'leak', 0"):
        TableSource(tmp_path).load()
