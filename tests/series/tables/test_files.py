"""Reading one file: which files, headers, rows, separators."""

import gzip

import polars as pl
import pytest

from dualgaf.errors import SourceError
from dualgaf.series.tables.files import list_files, read_table, stem


def _written(tmp_path, text, name="a.csv"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    return path


def test_files_of_a_folder_are_sorted_and_others_left_out(tmp_path):
    for name in ("b.csv", "a.csv.gz", "c.parquet", "README.md", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "d.csv").touch()
    assert [path.name for path in list_files(tmp_path, None)] == ["a.csv.gz", "b.csv", "c.parquet"]
    assert [path.name for path in list_files(tmp_path, "**/*.csv")] == ["b.csv", "d.csv"]
    assert list_files(tmp_path / "b.csv", None) == [tmp_path / "b.csv"]


def test_a_missing_folder(tmp_path):
    with pytest.raises(SourceError) as caught:
        list_files(tmp_path / "no", None)
    assert str(caught.value) == f"there is no folder or file {tmp_path}/no; type data.root=FOLDER"


def test_an_empty_folder(tmp_path):
    with pytest.raises(SourceError) as caught:
        list_files(tmp_path, None)
    assert str(caught.value) == (
        f"folder {tmp_path} is empty; needed: .csv, .tsv, .txt (also with .gz), .parquet and .xlsx "
        "files in it"
    )


@pytest.mark.parametrize(
    ("pattern", "wanted"), [(None, "table"), ("*.csv", "file that fits data.pattern=*.csv")]
)
def test_no_file_that_fits_lists_what_is_there(tmp_path, pattern, wanted):
    (tmp_path / "plant.hdf").touch()
    with pytest.raises(SourceError) as caught:
        list_files(tmp_path, pattern)
    assert str(caught.value) == (
        f"folder {tmp_path} has no {wanted}; it has: plant.hdf; allowed: .csv, .tsv, .txt (also "
        'with .gz), .parquet and .xlsx; type data.pattern="*.csv" or data.root=FOLDER'
    )


@pytest.mark.parametrize("pattern", ["*", None])
def test_an_unknown_kind_of_file(tmp_path, pattern):
    path = tmp_path / "plant.xls"
    path.touch()
    with pytest.raises(SourceError) as caught:
        list_files(tmp_path if pattern else path, pattern)
    assert str(caught.value) == (
        "plant.xls is of an unknown kind; allowed: .csv, .tsv, .txt (also with .gz), .parquet and "
        '.xlsx; type data.pattern="*.csv"; save a spreadsheet as .xlsx or as CSV'
    )


def test_stem():
    assert [stem(name) for name in ("a.csv", "b.c.csv.gz", "x/d.parquet")] == ["a", "b.c", "d"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.csv is empty; needed: a header and data rows"),
        ("\n\n", "a.csv is empty; needed: a header and data rows"),
        ("x,y\n", "a.csv has a header and no data row"),
        ("x,x \n1,2\n", "a.csv has two columns 'x'; give each its own name"),
        (
            "x,y\n1,2\n1,2,3\n",
            "a.csv, data row 2 has 3 cells, the header has 2 names ('1,2,3'); mend or remove",
        ),
        ("x,y\n1,2\n1\n3,4\n", "a.csv, data row 2 has 1 cells, the header has 2 names ('1')"),
        ('x,y\n"1",2\n1\n3,4\n', "a.csv, data row 2 has 1 cells, the header has 2 names ('1')"),
        ("x,y\n1,2\n\n3,4\n", "a.csv, data row 2 has 0 cells, the header has 2 names ('')"),
        (
            "# by X\n1,2\n",
            "a.csv, line 1 is '# by X', which is no header of the 2 cells below",
        ),
        ("Plant 7\n1,2\n3,4\n", "a.csv, line 1 is 'Plant 7', which is no header of the 2 cells b"),
        (
            's,"a "*b""",f\n1,"1",a\n2,"x\ny",b\n',
            "a.csv: its quotes do not pair up: the header has 3 na",
        ),
        ("x,y\n1,2,3\n", "a.csv: the header has 2 names and data row 1 has 3 cells: the first ce"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, text, message):
    with pytest.raises(SourceError) as caught:
        read_table(_written(tmp_path, text), "a.csv")
    assert str(caught.value).startswith(message)


def test_lines_above_the_header_are_left_out_where_the_user_says_so(tmp_path):
    path = _written(tmp_path, "Plant 7,,\n\nx,y\n1,2\n")
    assert read_table(path, "a.csv", header_line=3).to_dicts() == [{"x": "1", "y": "2"}]
    with pytest.raises(SourceError, match=r"a\.csv has 4 lines; data\.header_line=9 is beyond"):
        read_table(path, "a.csv", header_line=9)


@pytest.mark.parametrize("name", ["broken.parquet", "broken.csv.gz"])
def test_broken_files(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x1f\x8b not what it says")
    with pytest.raises(SourceError, match=f"{name} cannot be read: "):
        read_table(tmp_path / name, name)


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (b"PK\x03\x04", "a workbook, or another archive, and no text; give it the name that ends "),
        (b"\x1f\x8b\x08", "packed by gzip and no text; give it the name that ends with .csv.gz"),
        (b"PAR1", "a Parquet file and no text; give it the name that ends with .parquet"),
    ],
)
def test_a_file_that_is_called_something_else(tmp_path, first, told):
    (tmp_path / "a.csv").write_bytes(first + b"x")
    with pytest.raises(SourceError) as caught:
        read_table(tmp_path / "a.csv", "a.csv")
    assert str(caught.value).startswith(f"a.csv is {told}")


def test_a_file_that_was_cut_off_while_it_was_packed(tmp_path):
    whole = gzip.compress(b"x,y\n" + b"1,2\n" * 1000)
    (tmp_path / "a.csv.gz").write_bytes(whole[:-12])
    with pytest.raises(SourceError, match=r"a\.csv\.gz cannot be read: "):
        read_table(tmp_path / "a.csv.gz", "a.csv.gz")


def test_cells_stay_what_they_are_and_the_header_loses_its_blanks(tmp_path):
    table = read_table(_written(tmp_path, 'x  , y\n01,"a,b"\n1.0,\n', "a.csv.gz"), "a.csv.gz")
    assert table.to_dict(as_series=False) == {"x": ["01", "1.0"], "y": ["a,b", None]}


def test_a_mark_of_unicode_at_the_beginning_is_no_part_of_the_first_name(tmp_path):
    assert read_table(_written(tmp_path, "\ufeffx,y\n1,2\n"), "a.csv").columns == ["x", "y"]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_cells_are_cut_where_header_and_rows_agree(tmp_path, mark):
    rows = [["time", "sat, supply", "oat"], ["1", "2,5", "3"], ["2", "2,75", "3"]]
    quoted = [
        [f'"{cell}"' if mark == "," and "," in cell else cell for cell in row] for row in rows
    ]
    text = "\n".join(mark.join(row) for row in quoted)
    table = read_table(_written(tmp_path, text), "a.csv")
    assert table.columns == rows[0]
    assert table.rows() == [tuple(row) for row in rows[1:]]


@pytest.mark.parametrize(
    ("separator", "row"),
    [("semicolon", {"a": "1", "b,c": "2,3"}), ("comma", {"a;b": "1;2", "c": "3"})],
)
def test_two_separators_that_fit_alike_are_asked_for(tmp_path, separator, row):
    path = _written(tmp_path, "a;b,c\n1;2,3\n")
    with pytest.raises(SourceError) as caught:
        read_table(path, "a.csv")
    assert str(caught.value) == (
        "a.csv: comma and semicolon both cut every line into 2 cells; type data.separator=comma or "
        "data.separator=semicolon"
    )
    assert f"data.separator={separator}" in str(caught.value)
    assert read_table(path, "a.csv", separator).to_dicts() == [row]


def test_parquet_keeps_its_types(tmp_path):
    pl.DataFrame({"x": [1.5], "y": [True]}).write_parquet(tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet", "a.parquet").dtypes == [pl.Float64, pl.Boolean]
