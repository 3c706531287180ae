"""What stands around the cells of a table: letters, names of files, lines, units."""

import pytest

from dualgaf.errors import SourceError
from dualgaf.series.tables.dialects.encodings import as_utf8
from dualgaf.series.tables.dialects.hive import keys_of
from dualgaf.series.tables.files import list_files, read_table
from dualgaf.series.tables.notes import Notes
from dualgaf.series.tables.source import TableSource
from table_folders import folder_of, hour_of, rows_of

# -- letters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Temp °C", "cp1252"),
        ("Außenluft 3 m³/h", "cp1252"),
        ("Größe in €", "cp1252"),
        ("température à l'entrée", "cp1252"),
        ("a,b", "utf-16-le"),
        ("a,b", "utf-16-be"),
        ("ö,b", "utf-16"),
        ("ö,b", "utf-32"),
        ("ö,b", "utf-8-sig"),
    ],
)
def test_letters_that_can_be_told_from_the_bytes(text, encoding):
    assert as_utf8(text.encode(encoding), "a.csv", None, Notes()).decode() == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Temp °C", "cp850"),
        ("Zuluft für Büro", "cp850"),
        ("Außenluft für ä", "cp850"),
        ("ciśnienie źródła", "cp1250"),
        ("Температура", "cp1251"),
        ("温度", "gbk"),
    ],
)
def test_letters_that_cannot_are_asked_for_and_the_advice_works(text, encoding):
    raw = f"x,{text}\n1,2\n".encode(encoding)
    with pytest.raises(SourceError, match=r"a\.csv, line 1: b'.*' is not UTF-8, and cp1252 makes"):
        as_utf8(raw, "a.csv", None, Notes())
    assert as_utf8(raw, "a.csv", encoding, Notes()).decode() == f"x,{text}\n1,2\n"


@pytest.mark.parametrize(
    ("raw", "encoding", "told"),
    [
        ("x\n°C".encode(), "cp1252", "a.csv is written in UTF-8, and data.encoding=cp1252 makes"),
        ("x\n°C".encode("cp1252"), "utf-8", "a.csv, line 2: b'x\\n\\xb0C' is not utf-8; type data"),
        (
            "x\ny\n�C".encode(),
            None,
            "a.csv, line 3: a letter was lost before ('x\\ny\\n�C', U+FFFD",
        ),
        (
            b"\xff\xfex",
            None,
            "a.csv, line 1: b'\\xff\\xfex' is not utf-16; type data.encoding=null",
        ),
    ],
)
def test_wrong_letters_are_an_error(raw, encoding, told):
    with pytest.raises(SourceError) as caught:
        as_utf8(raw, "a.csv", encoding, Notes())
    assert str(caught.value).startswith(told)


# -- files and folders ----------------------------------------------------------------------------


def test_names_that_a_pattern_asks_for_are_read(tmp_path):
    folder = folder_of(tmp_path, _a__csv="x\n1\n", b__csv="x\n1\n")
    notes = Notes()
    assert [path.name for path in list_files(folder, "*.csv", notes)] == ["b.csv"]
    assert notes.lines() == ["names that begin with . or _ are left out: _a.csv"]
    assert [path.name for path in list_files(folder, "_*.csv")] == ["_a.csv"]


def test_a_note_names_three_files_and_counts_the_others():
    notes = Notes()
    for number in range(5):
        notes.add("tabs", f"{number}.csv")
        notes.add("tabs", f"{number}.csv")
    notes.add("that is all")
    assert notes.lines() == ["tabs: 0.csv, 1.csv, 2.csv and 2 more", "that is all"]


def test_keys_of_folders_are_texts_and_no_channels(tmp_path):
    assert keys_of("a=b=c/__HIVE_DEFAULT_PARTITION__=1/x=__HIVE_DEFAULT_PARTITION__/f.csv") == {
        "a": "b=c",
        "__HIVE_DEFAULT_PARTITION__": "1",
        "x": None,
    }
    folder = folder_of(
        tmp_path,
        year_is_2023_in_a__csv=rows_of(*hour_of(1, 2, day="2023-01-12")),
        year_is_2024_in_a__csv=rows_of(*hour_of(3, 4)),
    )
    series_set = TableSource(folder).load()
    assert series_set.channel_names == ("temp",)
    assert {origin.source for origin in series_set.origins} == {
        "year=2023/a.csv",
        "year=2024/a.csv",
    }


@pytest.mark.parametrize("asked", [{"group_columns": ["plant"]}, {"label_column": "plant"}])
def test_a_key_may_be_a_group_or_the_label(tmp_path, asked):
    folder = folder_of(
        tmp_path,
        plant_is_1_in_a__csv=rows_of(*hour_of(1, 2)),
        plant_is_02_in_a__csv=rows_of(*hour_of(3, 5)),
    )
    series_set = TableSource(folder, **asked).load()
    if "label_column" in asked:
        assert sorted(series_set.labels) == ["1", "2"]
    else:
        assert sorted(series_set.groups) == ["plant=02/a.csv/2", "plant=1/a.csv/1"]


def test_a_key_and_a_column_that_differ(tmp_path):
    folder = folder_of(tmp_path, fault_is_leak_in_a__csv=rows_of(*hour_of(1, 2, label="dirt")))
    with pytest.raises(SourceError) as caught:
        TableSource(folder).load()
    assert str(caught.value) == (
        "fault=leak/a.csv, column 'fault', data row 1 is 'dirt', and its folder says 'leak'; "
        "rename the folder or the column"
    )
    same = folder_of(tmp_path, fault_is_leak_in_a__csv=rows_of(*hour_of(1, 2, label="leak")))
    assert TableSource(same).load().labels == ("leak",)


# -- lines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rows", "told"),
    [
        ("x,y\n1,2\n3", [("1", "2")], "the last line has 1 of 2 cells and is left out: a.csv"),
        ("x,y\n1,2\n\nmean 1\nEnd\n", [("1", "2")], "the last line has 1 of 2 cells and is left"),
        ("x,y,z\n1,2,3\nEnd, of it\n", [("1", "2", "3")], "the last line has 2 of 3 cells and is"),
        (
            "x,y,\n1,2,\n3,4",
            [("1", "2"), ("3", "4")],
            "a blank cell at the end of each line is left",
        ),
        (
            "Plant 7; north\nx,y\n1,2\n",
            [("1", "2")],
            "lines above the header are left out (1): a.c",
        ),
        (
            "Plant,7\nkind\nx,y,z\n1,2,3\n",
            [("1", "2", "3")],
            "lines above the header are left out (2)",
        ),
        ("x,y\r1,2\r", [("1", "2")], None),
        ("#x,y\n1,2\n", [("1", "2")], "names of columns are those of the comment above the rows"),
        ("x,y\n1,\n3,\n", [("1", None), ("3", None)], None),
    ],
)
def test_what_stands_around_a_table_is_left_out_and_said(tmp_path, text, rows, told):
    (tmp_path / "a.csv").write_bytes(text.encode())
    notes = Notes()
    table = read_table(tmp_path / "a.csv", "a.csv", notes=notes)
    assert table.rows() == rows
    assert "".join(notes.lines()).startswith(told or "")
    assert bool(notes.lines()) == (told is not None)
    assert table.columns == ["x", "y", "z"][: len(rows[0])]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x,y\n1\n", "a.csv, data row 1 has 1 cells, the header has 2 names ('1'); mend"),
        ("x,y\n1,2\n3\n4,5\n", "a.csv, data row 2 has 1 cells, the header has 2 names ('3'); mend"),
    ],
)
def test_rows_that_are_cut_elsewhere_are_errors(tmp_path, text, told):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(SourceError) as caught:
        read_table(tmp_path / "a.csv", "a.csv")
    assert str(caught.value).startswith(told)


def test_a_column_without_a_name_that_has_a_value_stays(tmp_path):
    (tmp_path / "a.csv").write_text("x,y,\n1,2,\n3,4,5\n")
    assert read_table(tmp_path / "a.csv", "a.csv").columns == ["x", "y", ""]


def test_units_of_a_row_are_kept_and_compared(tmp_path):
    rows = [f"2024-01-12 12:{5 * k:02d},{20 + k % 3},{k % 4},a" for k in range(6)]
    text = rows_of(",[degC],l/s,", *rows, head="time,temp,flow,fault")
    folder = folder_of(tmp_path, a__csv=text)
    assert TableSource(folder).load().facts.units == {"temp": "degC", "flow": "l/s"}
    other = text.replace("degC", "degF").replace("2024-01", "2024-02")
    with pytest.raises(
        SourceError, match=r"'temp' is in degC in a\.csv and in degF in b\.csv; conv"
    ):
        TableSource(folder_of(tmp_path, b__csv=other)).load()


@pytest.mark.parametrize("first", ["Bad,Bad", "NA,NA", "1,2"])
def test_a_first_row_of_data_is_no_row_of_units(tmp_path, first):
    text = rows_of(f"2024-01-12 11:55,{first},a", *(f"2024-01-12 12:{5 * k:02d},{k % 3},{k % 4},a"
                 for k in range(6)), head="time,temp,flow,fault")  # fmt: skip
    source = TableSource(
        folder_of(tmp_path, a__csv=text), null_values=["Bad", "NA"], nan="interpolate"
    )
    assert source.load().lengths == (7,)
