"""Folders that can be read and may not mean what they say."""

import re

import numpy as np
import pytest
import yaml

from dualgaf.errors import SourceError
from dualgaf.series.inspection import Problem
from dualgaf.series.tables.source import TableSource


def table(values, step_s=60, start="2024-03-01T00:00", name="sat", faults="ab"):
    """Text of a file with a row every ``step_s`` seconds; the class changes in the middle."""
    first = np.datetime64(start, "s")
    lines = [f"datetime,{name},fault"]
    for row, value in enumerate(values):
        fault = faults[row * len(faults) // len(values)]
        lines.append(f"{first + np.timedelta64(row * step_s, 's')},{value},{fault}")
    return "\n".join(lines) + "\n"


def typed(error, source, **others):
    """The source once what the error says is typed."""
    options = Problem.of(error.value).type_this
    key, value = re.match(r"'?data\.(\w+)=(.*?)'?(?: |$)", options).groups()
    return TableSource(source.root, **{key: yaml.safe_load(value)}, **others)


def test_files_of_unequal_step_are_refused(tmp_path):
    (tmp_path / "fast.csv").write_text(table(range(20)))
    (tmp_path / "slow.csv").write_text(table(range(20), step_s=300, start="2024-03-02T00:00"))
    with pytest.raises(
        SourceError, match=r"fast\.csv has a row every 1min and slow\.csv every 5min"
    ):
        TableSource(tmp_path, window_size=4).load()


@pytest.mark.parametrize("gap_s", [0, 7200])
def test_a_pause_is_no_other_step(tmp_path, gap_s):
    later = np.datetime64("2024-03-02T00:00", "s")
    (tmp_path / "a.csv").write_text(table(range(20)))
    text = table(range(20), start=str(later))
    ends = table(range(20), start=str(later + np.timedelta64(1200 + gap_s, "s"))).split("\n", 1)[1]
    (tmp_path / "b.csv").write_text(text + ends)
    assert TableSource(tmp_path, window_size=4).load().facts.step_seconds == 60


NUMBERS = [20.0, 21.5, 23.0, 22.0, 20.5, 24.0]


@pytest.mark.parametrize("sentinel", [-9999, 9999, 32767, -999, 65535, -99999.0])
def test_numbers_that_stand_for_nothing_are_refused(tmp_path, sentinel):
    (tmp_path / "a.csv").write_text(table([*NUMBERS, sentinel, *NUMBERS, sentinel]))
    source = TableSource(tmp_path, window_size=2)
    with pytest.raises(SourceError, match=rf"{sentinel:g} in sat; if they mean missing") as error:
        source.load()
    found = typed(error, source, nan="interpolate", window_size=2).load()
    assert max(abs(series).max() for series in found.values) == 24
    measured = TableSource(tmp_path, channels=["sat"], window_size=2).load()
    assert sum((series == sentinel).sum() for series in measured.values) == 2


def test_every_such_number_is_told_at_once(tmp_path):
    rows = [f"2024-03-01T00:{k:02d},{a},{b},{'ab'[k // 6]}"
            for k, (a, b) in enumerate(zip([*NUMBERS, -9999] * 2, [32767, 5, 6] * 5, strict=False))
            if k < 12]  # fmt: skip
    (tmp_path / "a.csv").write_text("datetime,sat,flow,fault\n" + "\n".join(rows) + "\n")
    source = TableSource(tmp_path, window_size=2)
    with pytest.raises(SourceError, match="32767 in flow") as error:
        source.load()
    assert "data.null_values" in Problem.of(error.value).type_this


@pytest.mark.parametrize(
    "values",
    {
        "once": [*NUMBERS, 9999],
        "a meter that passes it": [9996, 9997, 9997, 9998, 9999, 9999, 9999, 10000],
        "the end of a full range": [0, 999, 999, 500, 0, 400, 999],
        "another number": [*NUMBERS, 5000, 5000],
        "nothing else": [9999] * 6,
    }.items(),
    ids=lambda item: item[0],
)
def test_numbers_that_are_measurements(tmp_path, values):
    (tmp_path / "a.csv").write_text(table(values[1]))
    found = TableSource(tmp_path, window_size=2).load()
    assert np.concatenate([s[0] for s in found.values]).tolist() == [float(v) for v in values[1]]


def test_a_clock_that_jumps_by_years_is_said(tmp_path):
    early = table(NUMBERS, start="1970-01-01T00:00")
    (tmp_path / "a.csv").write_text(early + table(NUMBERS).split("\n", 1)[1])
    notes = TableSource(tmp_path, window_size=2).load().facts.notes
    assert any("times jump from 1970-01-01T00:05:00 to 2024-03-01T00:00:00" in n for n in notes)


def test_days_that_are_cut_are_said(tmp_path):
    (tmp_path / "a.csv").write_text(table(range(48), step_s=3600))
    found = TableSource(tmp_path, window_size=2).load()
    assert any("a group is a day of a file (2 of them)" in note for note in found.facts.notes)
    assert len(found) == 2


def test_no_day_is_said_where_a_column_groups(tmp_path):
    first = np.datetime64("2024-03-01T00", "s")
    rows = (
        f"{first + np.timedelta64(k, 'h')},{k // 30},{k % 7},{'ab'[k // 24]}\n" for k in range(48)
    )
    (tmp_path / "a.csv").write_text("datetime,run,sat,fault\n" + "".join(rows))
    notes = TableSource(tmp_path, window_size=2).load().facts.notes
    assert not any("midnight" in note for note in notes)


@pytest.mark.parametrize(
    ("cells", "offered"),
    [
        ({"a": ["läuft"] * 40, "b": ["Leck"] * 40}, True),  # a class a file
        ({"a": ["läuft", "Leck"] * 20, "b": ["läuft"] * 40}, True),
        ({"a": ["läuft"] * 40, "b": ["läuft"] * 40}, False),
        ({name: [f"bei {k} geprüft" for k in range(40)] for name in "ab"}, False),
    ],
    ids=["a class a file", "classes", "one text", "notes"],
)
def test_a_column_with_few_texts_is_offered_whatever_it_is_called(tmp_path, cells, offered):
    for day, (name, texts) in enumerate(cells.items(), 1):
        rows = table([20.0 + k % 7 for k in range(40)], start=f"2024-03-0{day}T00:00", faults="c")
        head, *lines = rows.replace("fault", "Zustand").splitlines()
        lines = [line.removesuffix("c") + text for line, text in zip(lines, texts, strict=True)]
        (tmp_path / f"{name}.csv").write_text("\n".join([head, *lines]))
    facts = TableSource(tmp_path, window_size=2).load().facts
    assert facts.name == tmp_path.name
    (told,) = [note for note in facts.notes if "the name of the file is the class" in note]
    assert (
        told.endswith("; if column 'Zustand' has them, type data.label_column=Zustand") == offered
    )
    assert ("has them" in told) == offered


def test_names_of_files_as_classes_are_said_and_a_column_is_offered(tmp_path):
    for name in ("leak", "normal"):
        text = table(NUMBERS, start=f"2024-03-0{1 + (name == 'leak')}T00:00")
        (tmp_path / f"{name}.csv").write_text(text.replace("fault", "plant state"))
    notes = TableSource(tmp_path, window_size=2).load().facts.notes
    (told,) = [note for note in notes if "the name of the file is the class" in note]
    assert "leak (6 rows), normal (6 rows)" in told
    assert told.endswith("""type 'data.label_column="plant state"'""")
    found = TableSource(tmp_path, window_size=2, label_column="plant state").load()
    assert found.facts.classes == {"a": 6, "b": 6}
