"""The rows of a query are those of the same table in a file: SQLite and DuckDB."""

import datetime
import re
import shlex
import sqlite3
import stat
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualgaf import SQLSource, TableSource
from dualgaf.data.training_facts import source_settings
from dualgaf.errors import ConfigError, DualGAFError, SourceError
from dualgaf.series.tables.databases.sqlite import PIECE
from dualgaf.series.tables.databases.uri import DatabaseURI, check_no_password, is_uri

pytest.importorskip("adbc_driver_sqlite")
duckdb = pytest.importorskip("duckdb")

FIRST = datetime.datetime(2024, 1, 1)
ROWS = [
    (
        str(FIRST + datetime.timedelta(hours=hour)),
        0.1 * ((hour * 7) % 11),
        (hour * 3) % 5,
        "ab"[hour // 24 % 2],
    )
    for hour in range(24 * 8)
]
NAMES = ("time", "sat", "flow", "fault")


def sqlite_file(path, rows=ROWS, names=NAMES):
    """Columns without a declared type, so that each cell keeps its own."""
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE plant ({', '.join(names)})")
        connection.executemany(f"INSERT INTO plant VALUES ({','.join('?' * len(names))})", rows)
    connection.close()
    return f"sqlite:///{path}"


def duckdb_file(path, *statements):
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return f"duckdb:///{path}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    own = tmp_path_factory.mktemp("sql")
    pl.DataFrame(ROWS, NAMES, orient="row").write_csv(own / "plant.csv")
    sqlite_file(own / "plant.db")
    duckdb_file(
        own / "plant.duckdb",
        f"CREATE TABLE plant AS SELECT * FROM read_csv('{own / 'plant.csv'}')",
    )
    return own


@pytest.fixture(
    params=["sqlite:///{}/plant.db", "duckdb:///{}/plant.duckdb"], ids=["sqlite", "duckdb"]
)
def uri(request, folder):
    return request.param.format(folder)


def same(one, other):
    assert one.lengths == other.lengths
    assert one.labels == other.labels
    assert one.channel_names == other.channel_names
    for mine, theirs in zip(one.values, other.values, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for mine, theirs in zip(one.times, other.times, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_rows_of_a_query_are_those_of_a_file(uri, folder):
    read = SQLSource(uri, "SELECT * FROM plant", window_size=12).load()
    same(read, TableSource(folder / "plant.csv", window_size=12).load())
    assert read.lengths == (24,) * 8
    assert read.values[0][0].tolist() == [row[1] for row in ROWS[:24]]


def test_a_query_may_join_filter_sort_backwards_and_have_comments(uri, folder):
    query = """
    WITH faults(start, stop, name) AS (
        VALUES ('2024-01-03 00:00:00', '2024-01-04 23:00:00', 'leak'))
    SELECT p.time, p.sat, coalesce(f.name, 'good') AS class  /* the class */
    FROM plant p LEFT JOIN faults f ON CAST(p.time AS TEXT) BETWEEN f.start AND f.stop
    ORDER BY p.time DESC; -- newest first
    """
    read = SQLSource(uri, query, window_size=12).load()
    assert read.labels == ("good", "good", "leak", "leak", *["good"] * 4)
    assert read.channel_names == ("sat",)
    assert read.values[7][0].tolist() == [row[1] for row in ROWS[-24:]]


def test_a_query_may_lie_in_a_file(uri, folder, tmp_path):
    (tmp_path / "plant week.sql").write_text("SELECT time, flow, fault FROM plant;\n")
    read = SQLSource(uri, f"{tmp_path}/plant week.sql", window_size=12).load()
    assert read.channel_names == ("flow",)


def test_a_long_table_becomes_wide(uri, folder):
    query = (
        "SELECT time, fault, 'sat' AS tag, sat AS value FROM plant UNION ALL "
        "SELECT time, fault, 'flow', flow FROM plant"
    )
    read = SQLSource(uri, query, window_size=12, long=["time", "tag", "value"]).load()
    same(read, TableSource(folder / "plant.csv", window_size=12).load())


def test_a_fault_log_is_a_file(uri, tmp_path):
    (tmp_path / "log.csv").write_text("start,end,class\n2024-01-01,2024-01-04,leak\n")
    source = SQLSource(
        uri,
        "SELECT time, sat FROM plant",
        window_size=12,
        fault_log=tmp_path / "log.csv",
        unlabelled="class",
    )
    assert source.load().labels == ("leak",) * 4 + ("normal",) * 4
    contents = source.contents()
    (tmp_path / "log.csv").write_text("start,end,class\n2024-01-01,2024-01-03,leak\n")
    assert source.contents() != contents


def test_only_columns_that_are_needed_are_asked_for(uri, monkeypatch):
    from dualgaf.series.tables.databases import duckdb_file as of_duckdb
    from dualgaf.series.tables.databases import sqlite as of_sqlite

    asked = []
    for kind in (of_duckdb.DuckDB, of_sqlite.SQLite):
        real = kind.rows
        monkeypatch.setattr(
            kind,
            "rows",
            lambda self, q, c, real=real: asked.append([x.name for x in c]) or real(self, q, c),
        )
    query = "SELECT time, fault, sat, flow, flow * 2 AS twice FROM plant"
    read = SQLSource(uri, query, window_size=12, channels=["flow"]).load()
    assert read.channel_names == ("flow",)
    assert asked == [["time", "fault", "flow"]]
    found = SQLSource(uri, query, window_size=12, exclude=["twice", "sat"]).load()
    assert found.channel_names == ("flow",)
    assert asked[1] == ["time", "fault", "flow"]


def test_contents_are_those_of_the_rows_and_settings(uri):
    source = SQLSource(uri, "SELECT * FROM plant", window_size=12)
    assert source.contents() == source.contents()
    assert source.contents() == replace(source, query="SELECT * FROM plant -- same").contents()
    for other in (
        replace(source, query="SELECT * FROM plant WHERE sat > 0.3"),
        replace(source, window_size=6),
    ):
        assert other.contents() != source.contents()


def test_a_file_is_only_read(uri, folder):
    name = uri.rpartition("/")[2]
    before = (folder / name).read_bytes()
    for query in (
        "DELETE FROM plant",
        "INSERT INTO plant SELECT * FROM plant",
        "DROP TABLE plant",
        "WITH x AS (SELECT 1) DELETE FROM plant",
        "SELECT * FROM plant; DELETE FROM plant",
        "SELECT 1) AS asked; DELETE FROM plant; SELECT * FROM (SELECT 1",
    ):
        with pytest.raises(DualGAFError, match=r"only read|fails in|no column of times"):
            SQLSource(uri, query, window_size=12).load()
    assert (folder / name).read_bytes() == before
    assert {path.name for path in folder.iterdir()} == {"plant.csv", "plant.db", "plant.duckdb"}


def test_a_folder_that_nobody_may_write_is_read(uri, folder):
    mode = folder.stat().st_mode
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        read = SQLSource(uri, "SELECT * FROM plant", window_size=12).load()
    finally:
        folder.chmod(mode)
    same(read, TableSource(folder / "plant.csv", window_size=12).load())


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT * FROM nope", "fails in sqlite:///"),
        ("SELECT sat, flow FROM plant", "query has no column of times, and its rows have no order"),
        ("SELECT * FROM plant WHERE sat > 99", "gives no row in"),
        ("SELECT time, sat, sat FROM plant", "has two columns 'sat'; rename one"),
        ("UPDATE plant SET sat = 0", "data.query begins with UPDATE, and a database is only read"),
        (";", "data.query is no query"),
        (" ", "data.query is empty"),
        ("nowhere.sql", "there is no file nowhere.sql; type data.query=FILE.sql"),
    ],
)
def test_what_cannot_be_read_is_said(query, says, uri):
    with pytest.raises(DualGAFError, match=re.escape(says.replace("sqlite:///", uri[:10]))):
        SQLSource(uri, query, window_size=12).load()


def test_rows_without_times_are_in_the_order_of_the_query(uri):
    query = "SELECT sat, fault FROM plant ORDER BY time DESC"
    read = SQLSource(uri, query, window_size=12, time_column=None).load()
    assert np.concatenate(read.values, axis=1)[0].tolist() == [row[1] for row in ROWS[::-1]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sqlite:///nowhere.db", "there is no file nowhere.db; type data.uri=sqlite:///FILE"),
        ("sqlite://plant.db", "three slashes; type data.uri=sqlite:///plant.db"),
        ("plant.duckdb", "is a path; allowed: postgresql://"),
        ("mysql://u:s3cret@host/db", "data.uri begins with mysql://; allowed: postgresql://"),
        ("host=db password=s3cret", "data.uri begins with none of these"),
        ("postgresql://u:s3@cret@host/db", "in a user, password or name @ is written %40"),
        ("postgresql://u:s3/cret@host/db", "in a user, password or name @ is written %40"),
        ("postgresql://u:s3?cret@host/db", "in a user, password or name @ is written %40"),
        ("${oc.env:PLANT_URI}", 'in Python give os.environ["PLANT_URI"]'),
        (5, "data.uri is no text"),
    ],
)
def test_a_uri_that_is_none_is_not_repeated(text, says):
    with pytest.raises(DualGAFError, match=re.escape(says)) as caught:
        SQLSource(text, "SELECT 1", window_size=12).load()
    assert "s3" not in str(caught.value)
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "query", "advice", "real"),
    [
        (5, "SELECT * FROM plant", "data.uri=URI", "data.uri=sqlite:///plant.db"),
        ("mysql://h/d", "SELECT * FROM plant", "data.uri=URI", "data.uri=duckdb:///plant.duckdb"),
        ("plant.db", "SELECT * FROM plant", "data.uri=sqlite:///plant.db", None),
        ("duckdb:/plant.duckdb", "SELECT * FROM plant", "data.uri=duckdb:///plant.duckdb", None),
        ("duckdb:///plant.db", "SELECT * FROM plant", "data.uri=sqlite:///plant.db", None),
        (
            "sqlite:///no.db",
            "SELECT * FROM plant",
            "data.uri=sqlite:///FILE",
            "data.uri=sqlite:///plant.db",
        ),
        (None, "DROP TABLE plant", "'data.query=\"SELECT * FROM TABLE\"'", "SELECT * FROM plant"),
        (None, " ", "'data.query=\"SELECT * FROM TABLE\"'", "SELECT * FROM plant"),
        (None, " ", "data.query=FILE.sql", "data.query=plant.sql"),
        (None, "no.sql", "data.query=FILE.sql", "data.query=plant.sql"),
        (None, "SELECT sat, fault FROM plant ORDER BY time", "data.time_column=null", None),
    ],
)
def test_what_a_message_advises_is_typed_and_works(
    folder, tmp_path, monkeypatch, uri, query, advice, real
):
    from dualgaf.errors import typed_option
    from dualgaf.training.config import load_config, make_data

    monkeypatch.chdir(tmp_path)
    for name in ("plant.db", "plant.duckdb"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "plant.sql").write_text("SELECT * FROM plant;")
    uri = "sqlite:///plant.db" if uri is None else uri
    typed = {
        "data.uri": f"data.uri={uri}",
        "data.query": shlex.split(typed_option("data.query", query))[0],
    }

    def load():
        return make_data(
            load_config(["data=sql", "data.window_size=12", *typed.values()])
        ).source.load()

    with pytest.raises(DualGAFError, match=re.escape(advice)):
        load()
    (word,) = shlex.split(real if real and "=" in real else advice)
    if real and "=" not in real:
        word = word.replace("SELECT * FROM TABLE", real)
    typed[word.partition("=")[0]] = word
    assert sum(load().lengths) == len(ROWS)


@pytest.mark.parametrize(
    "kind", ["adbc_driver_sqlite.dbapi", "duckdb", "adbc_driver_postgresql.dbapi"]
)
def test_a_driver_that_is_missing_is_named_with_its_extra(kind, uri, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, kind, None)
    _, _, extra = kind.removesuffix(".dbapi").rpartition("_")
    where = {
        "sqlite": f"sqlite:///{folder}/plant.db",
        "duckdb": f"duckdb:///{folder}/plant.duckdb",
        "postgresql": "postgresql://127.0.0.1:1/plant",
    }[extra]
    with pytest.raises(
        SourceError, match=rf'not installed; type pip install "dualgaf\[{extra}\]"$'
    ):
        SQLSource(where, "SELECT * FROM plant").load()


def test_the_other_kind_of_file_is_named(folder):
    with pytest.raises(SourceError, match=re.escape(f"type data.uri=sqlite:///{folder}/plant.db")):
        SQLSource(f"duckdb:///{folder}/plant.db", "SELECT * FROM plant").load()
    with pytest.raises(SourceError, match="file is not a database"):
        SQLSource(f"sqlite:///{folder}/plant.duckdb", "SELECT * FROM plant").load()


def test_four_slashes_are_meant_where_three_find_nothing(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    meant = f"sqlite:///{folder}/plant.db"
    with pytest.raises(SourceError) as caught:
        SQLSource(f"sqlite:///{str(folder)[1:]}/plant.db", "SELECT * FROM plant").load()
    assert str(caught.value).endswith(f"type data.uri={meant}")
    assert SQLSource(meant, "SELECT * FROM plant", window_size=12).load().lengths == (24,) * 8


def test_a_label_by_file_is_refused(uri):
    with pytest.raises(ConfigError, match=r"data.label='file' is not known; allowed: column, auto"):
        SQLSource(uri, "SELECT * FROM plant", label="file")


# SQLite: each cell has its own type


def read_sqlite(tmp_path, cells, name="sat", **options):
    """A column of cells beside times and classes."""
    rows = [
        (str(FIRST + datetime.timedelta(minutes=k)), cell, "ab"[k % 120 // 60])
        for k, cell in enumerate(cells)
    ]
    path = tmp_path / "cells.db"
    path.unlink(missing_ok=True)
    uri = sqlite_file(path, rows, ("time", name, "fault"))
    return SQLSource(uri, "SELECT * FROM plant", window_size=4, **options)


def column(source):
    return np.concatenate(source.load().values, axis=1)[0]


MORE = PIECE + 100
"""Rows of which the driver does not look at the last."""


def test_fractions_after_a_piece_of_whole_numbers_are_read(tmp_path):
    cells = [*range(MORE), *(k + 0.5 for k in range(300))]
    assert column(read_sqlite(tmp_path, cells)).tolist() == cells


def test_numbers_after_a_piece_of_missing_cells_are_read(tmp_path):
    cells = [None] * MORE + [k + 0.25 for k in range(1900)]
    found = column(read_sqlite(tmp_path, cells, nan="interpolate"))
    assert found[-1900:].tolist() == cells[MORE:]


def test_a_text_after_a_piece_of_numbers_is_named_not_zero(tmp_path):
    cells = [0.1 * k for k in range(MORE + 100)]
    cells[MORE] = "Bad"
    with pytest.raises(SourceError, match=rf"data row {MORE + 1}: 'Bad' is not a number"):
        column(read_sqlite(tmp_path, cells))
    found = column(read_sqlite(tmp_path, cells, null_values=["Bad"], nan="interpolate"))
    assert found[:MORE].tolist() == cells[:MORE]
    assert found[MORE + 1 :].tolist() == cells[MORE + 1 :]


def test_numbers_of_several_pieces_are_those_of_a_frame(tmp_path):
    cells = np.random.default_rng(0).normal(size=2 * PIECE + 7).tolist()
    assert column(read_sqlite(tmp_path, cells)).tolist() == cells


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=8, max_size=40))
def test_numbers_among_texts_keep_all_digits(tmp_path_factory, numbers):
    cells = ["Bad", *numbers, 1.0 / 3.0]
    folder = tmp_path_factory.mktemp("cells")
    source = read_sqlite(folder, cells, null_values=["Bad"], nan="interpolate", channels=["sat"])
    assert column(source)[1:].tolist() == cells[1:]


def test_a_text_that_is_no_utf_8_is_named(tmp_path):
    source = read_sqlite(tmp_path, [1.0] * 10)
    with sqlite3.connect(tmp_path / "cells.db") as connection:
        connection.execute("ALTER TABLE plant ADD note")
        connection.execute("UPDATE plant SET note = CAST(x'41e4' AS TEXT)")
    connection.close()
    with pytest.raises(SourceError, match=r"column 'note', data row 1: the text is no UTF-8"):
        source.load()


def test_an_empty_result_takes_no_types(tmp_path):
    source = read_sqlite(tmp_path, [1.5] * 10)
    with pytest.raises(SourceError, match="gives no row"):
        replace(source, query="SELECT * FROM plant WHERE 0", channels=("sat",)).load()


# DuckDB: types that polars does not share


TYPES = (
    "CREATE TYPE state AS ENUM ('good', 'leak')",
    "CREATE TABLE plant AS SELECT TIMESTAMPTZ '2024-03-30 00:00:00+01' + i * INTERVAL 1 HOUR "
    "AS time, (i % 7)::DECIMAL(9, 2) / 4 AS sat, ((i % 5)::DECIMAL(9, 3)) AS flow, "
    "i::HUGEINT AS total, uuid() AS id, (i % 2 = 0) AS is_on, "
    "(CASE WHEN i < 48 THEN 'good' ELSE 'leak' END)::state AS fault, [i] AS list, "
    "INTERVAL 1 HOUR AS long, TIME '12:00:00' AS noon FROM range(96) AS r(i)",
)


def test_types_of_duckdb_are_numbers_texts_and_times(tmp_path):
    uri = duckdb_file(tmp_path / "types.duckdb", *TYPES)
    query = "SELECT * EXCLUDE (long, total, noon) FROM plant"
    read = SQLSource(uri, query, window_size=12).load()
    assert read.channel_names == ("sat", "flow", "is_on")
    assert set(read.labels) == {"good", "leak"}
    values = np.concatenate(read.values, axis=1)
    assert values[0].tolist() == [(i % 7) / 4 for i in range(96)]
    assert values[1].tolist() == [i % 5 for i in range(96)]
    assert values[2].tolist() == [float(i % 2 == 0) for i in range(96)]
    notes = " ".join(read.facts.notes)
    assert "column 'time' has times with a zone, read as those of UTC" in notes
    # Whole numbers are added up to HUGEINT.
    summed = "SELECT time, sum(total::BIGINT % 9) AS n, min(fault) AS fault FROM plant GROUP BY 1"
    read = SQLSource(uri, summed, window_size=12).load()
    assert np.concatenate(read.values, axis=1)[0].tolist() == [i % 9 for i in range(96)]


def test_an_interval_is_refused_by_name_unless_it_is_left_out(tmp_path):
    uri = duckdb_file(tmp_path / "types.duckdb", *TYPES)
    query = "SELECT time, sat, long, fault FROM plant"
    with pytest.raises(SourceError, match=r"column 'long' is INTERVAL.*write epoch\(\"long\"\)"):
        SQLSource(uri, query, window_size=12).load()
    left_out = SQLSource(uri, query, window_size=12, exclude=["long"])
    assert left_out.load().channel_names == ("sat",)
    assert SQLSource(uri, query, window_size=12, channels=["sat"]).load().channel_names == ("sat",)
    written = "SELECT time, sat, epoch(long) AS long, fault FROM plant"
    assert SQLSource(uri, written, window_size=12).load().values[0][1][0] == 3600


def test_days_of_times_with_a_zone_are_local_where_the_zone_is_typed(tmp_path):
    uri = duckdb_file(tmp_path / "types.duckdb", *TYPES)
    query = "SELECT time, sat, fault FROM plant"
    found = SQLSource(uri, query, window_size=12, time_zone="Europe/Berlin").load()
    # the clock goes forward on 31 March: 23 hours
    assert found.lengths[:2] == (24, 23)


def test_an_infinite_time_is_named(tmp_path):
    rows = (
        "SELECT 'infinity'::TIMESTAMP AS {}, 1.5 AS sat UNION ALL SELECT '2024-01-01'::TIMESTAMP, 2"
    )
    uri = duckdb_file(tmp_path / "inf.duckdb", "CREATE TABLE t AS SELECT 1")
    with pytest.raises(SourceError, match=r"column 'time', data row \d: the time is infinite"):
        SQLSource(uri, rows.format("time")).load()
    query = (
        "SELECT TIMESTAMP '2024-01-01' + i * INTERVAL 1 HOUR AS time, i * 0.5 AS sat, "
        "'infinity'::DATE AS until, 'a' AS fault FROM range(24) AS r(i)"
    )
    read = SQLSource(uri, query, window_size=12).load()
    assert "column 'until': 24 times are infinite, and taken as missing" in read.facts.notes


# what is secret


def test_what_is_secret_is_not_shown():
    text = "postgresql://bob:s3%40cret@db:5432/plant?sslpassword=key-pw&sslmode=require"
    source = SQLSource(text, "SELECT 1")
    uri = DatabaseURI.of(text)
    assert uri.shown == source.place == "postgresql://db:5432/plant"
    for told in (repr(source), repr(uri), str(source_settings(source)), source.set_name):
        for secret in ("bob", "s3", "key-pw"):
            assert secret not in told
    told = uri.masked('no access for user "bob" with s3@cret, s3%40cret or key-pw')
    assert told == 'no access for user "..." with ..., ... or ...'


@pytest.mark.parametrize(
    "word",
    [
        "data.uri=postgresql://u:s3cret@h/d",
        "+data.uri=postgres://u:s3cret@h/d",
        "data.uri='postgresql://u:s3cret@h/d'",
        "data.uri=postgresql://h/d?user=u&password=s3cret",
        "data.uri=postgresql://u:s3@cr/et@h/d",
        "data.uri=mysql://u:s3cret@h/d",
        "data.uri=postgresql://${oc.env:U}:s3cret@h/d",
    ],
)
def test_a_password_that_is_typed_is_refused(word):
    with pytest.raises(
        ConfigError, match=re.escape("type 'data.uri=${oc.env:PLANT_URI}'")
    ) as caught:
        check_no_password([word])
    assert "s3" not in str(caught.value)


@pytest.mark.parametrize(
    "word",
    [
        "data.uri=${oc.env:PLANT_URI}",
        "data.uri=postgresql://u@h:5432/d",
        "data.uri=postgresql://h:5432/d?sslmode=require",
        "data.uri=postgresql://${oc.env:U}:${oc.env:P}@h/d",
        "data.uri=postgresql://h/d?user=u&password=${oc.env:P}",
        "data.uri=sqlite:////data/plant.db",
        "data.root=plant",
        "-m",
    ],
)
def test_a_uri_without_a_password_is_taken(word):
    check_no_password([word])


def test_paths_are_no_uris():
    assert [is_uri(t) for t in ("a.csv", "C:\\a.csv", "s/qlite:a", Path("x"), "sqlite:///a")] == [
        *[False] * 4,
        True,
    ]
