"""What a query on a real PostgreSQL server gives: each type that is not what it seems."""

import datetime
import re
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from dualgaf import SQLSource, TableSource
from dualgaf.errors import DualGAFError, SourceError
from postgres_server import PASSWORD, USER, WRITTEN, running

FIRST = datetime.datetime(2024, 1, 1)
HOURS = 24 * 8

PLANT = f"""
CREATE TABLE plant AS SELECT TIMESTAMP '2024-01-01' + i * INTERVAL '1 hour' AS time,
    0.1 * ((i * 7) % 11)::float8 AS sat, (i * 3) % 5 AS flow,
    CASE WHEN (i / 24) % 2 = 0 THEN 'a' ELSE 'b' END AS fault
FROM generate_series(0, {HOURS - 1}) AS s(i)
"""
TYPES = f"""
CREATE TABLE types AS SELECT TIMESTAMP '2024-01-01' + i * INTERVAL '1 hour' AS time,
    (i % 7)::numeric / 4 AS part, ((i % 5) / 8.0)::numeric(9, 3) AS fixed,
    (1.5 + i % 3)::numeric::money AS cost, i * INTERVAL '1 minute' AS long,
    (TIME '00:00' + (i % 24) * INTERVAL '1 hour')::timetz AS zoned,
    CASE WHEN i % 24 = 0 THEN TIME '24:00' ELSE TIME '00:00' + (i % 24) * INTERVAL '1 hour' END
        AS daytime,
    (DATE '2023-12-31' + (i + 23) / 24) AS day,
    md5((i / 24)::text)::uuid AS run, i % 2 = 0 AS is_on, NULLIF(i % 6, 5)::float4 AS holes,
    (ARRAY['good', 'leak'])[1 + (i / 24) % 2]::state AS fault,
    (20 + i % 3)::celsius AS sat, ARRAY[i] AS list, '{{"a": 1}}'::jsonb AS more,
    '\\x00ff'::bytea AS bytes
FROM generate_series(0, {HOURS - 1}) AS s(i)
"""


@pytest.fixture(scope="module")
def server():
    with running() as found:
        found.execute(
            PLANT,
            "CREATE TYPE state AS ENUM ('good', 'leak')",
            "CREATE DOMAIN celsius AS double precision CHECK (VALUE > -273)",
            TYPES,
            "CREATE SEQUENCE counter",
        )
        yield found


def source(server, query, **options):
    return SQLSource(server.uri, query, **{"window_size": 12, **options})


def values(found, channel):
    place = found.channel_names.index(channel)
    return np.concatenate(found.values, axis=1)[place].tolist()


def test_rows_are_those_of_a_file_to_the_bit(server, tmp_path):
    rows = {
        "time": [FIRST + datetime.timedelta(hours=i) for i in range(HOURS)],
        "sat": [0.1 * ((i * 7) % 11) for i in range(HOURS)],
        "flow": [(i * 3) % 5 for i in range(HOURS)],
        "fault": ["ab"[i // 24 % 2] for i in range(HOURS)],
    }
    pl.DataFrame(rows).write_csv(tmp_path / "plant.csv")
    pl.DataFrame(rows).write_parquet(tmp_path / "plant.parquet")
    found = source(server, "SELECT * FROM plant ORDER BY random()").load()
    for name in ("plant.csv", "plant.parquet"):
        file = TableSource(tmp_path / name, window_size=12).load()
        assert (found.lengths, found.labels) == (file.lengths, file.labels)
        for mine, theirs in zip(found.values, file.values, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        for mine, theirs in zip(found.times, file.times, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_numeric_and_what_is_computed_of_it_are_numbers(server):
    query = (
        "SELECT time, plant.fault, part, fixed, avg(flow) OVER (PARTITION BY date(time)) AS mean, "
        "round(part, 1) AS rounded, extract(hour FROM time) AS hour, sum(flow) OVER () AS total "
        "FROM types JOIN plant USING (time)"
    )
    found = source(server, query).load()
    assert found.channel_names == ("part", "fixed", "mean", "rounded", "hour", "total")
    part = [float(Decimal(i % 7) / 4) for i in range(HOURS)]
    assert values(found, "part") == part
    assert values(found, "fixed") == [i % 5 / 8 for i in range(HOURS)]
    flow = [(i * 3) % 5 for i in range(HOURS)]
    means = [sum(flow[24 * (i // 24) : 24 * (i // 24) + 24]) / 24 for i in range(HOURS)]
    assert values(found, "mean") == pytest.approx(means, abs=1e-15)
    halves_up = [float(Decimal(p).quantize(Decimal("0.1"), "ROUND_HALF_UP")) for p in part]
    assert values(found, "rounded") == halves_up
    assert values(found, "hour") == [i % 24 for i in range(HOURS)]
    assert values(found, "total") == [sum(flow)] * HOURS


def test_booleans_enums_domains_uuids_and_missing_cells(server):
    query = "SELECT time, run, is_on, holes, fault, sat, list, more, bytes FROM types"
    with pytest.raises(DualGAFError, match=r"type data\.nan=interpolate"):
        source(server, query).load()
    found = source(server, query, nan="interpolate").load()
    assert found.channel_names == ("is_on", "holes", "sat")
    assert found.labels == ("good", "leak") * 4
    assert len(set(found.groups)) == 8  # a day is also a run here
    assert values(found, "is_on") == [float(i % 2 == 0) for i in range(HOURS)]
    assert values(found, "sat") == [20 + i % 3 for i in range(HOURS)]
    # Between 4 and the 0 of the next hour; at the end of a day the last value stays.
    holes = [2.0 if i % 6 == 5 else i % 6 for i in range(HOURS)]
    holes[23::24] = [4.0] * 8
    assert values(found, "holes") == holes
    (texts,) = [note for note in found.facts.notes if note.startswith("columns of text")]
    assert all(name in texts for name in ("'list' ('{0}')", "'more' ('{\"a\": 1}')"))


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("cost", "money", lambda i: 1.5 + i % 3),
        ("long", "interval", lambda i: 60.0 * i),
        ("zoned", "time with time zone", lambda i: 60.0 * (i % 24)),  # minutes, as in a file
    ],
)
def test_what_is_no_number_is_refused_by_name_before_it_is_read(server, name, kind, value, capfd):
    query = f"SELECT time, fault, sat, {name} FROM types"
    with pytest.raises(SourceError, match=rf"column '{name}' is {kind}, which is no") as caught:
        source(server, query).load()
    assert "panicked" not in capfd.readouterr().err
    assert source(server, query, exclude=[name]).load().channel_names == ("sat",)
    assert source(server, query, channels=["sat"]).load().channel_names == ("sat",)
    (cast,) = re.findall(r'in the query write (.+ AS "\w+"), or', str(caught.value))
    found = source(server, query.replace(f", {name} FROM", f", {cast} FROM")).load()
    assert values(found, name) == [value(i) for i in range(HOURS)]


def test_24_00_belongs_to_the_day_before(server):
    # The row of 24:00 on one day is that of 0:00 on the next.
    query = "SELECT day, daytime, sat, fault FROM types"
    found = source(server, query, group_columns=None, window_size=4).load()
    assert found.times[0][0] == np.datetime64("2024-01-01T00:00")
    assert sum(found.lengths) == HOURS
    assert values(found, "sat") == [20 + i % 3 for i in range(HOURS)]


def test_days_of_timestamptz_are_those_of_the_servers_zone(server):
    server.execute(
        "CREATE DATABASE berlin",
        "ALTER DATABASE berlin SET timezone = 'Europe/Berlin'",
    )
    query = (
        "SELECT TIMESTAMPTZ '2024-03-29 23:00+00' + i * INTERVAL '1 hour' AS time, "
        "i::float8 AS sat, 'a' AS fault FROM generate_series(0, 95) AS s(i)"
    )
    uri = server.uri.replace("/postgres", "/berlin")
    found = SQLSource(uri, query, window_size=12).load()
    # The clock goes forward on 31 March, a Sunday: 23 hours.
    assert found.lengths[:3] == (24, 23, 24)
    assert found.groups[0] == "query/2024-03-30"
    notes = " ".join(found.facts.notes)
    assert "column 'time' has times with a zone, read as those of Europe/Berlin" in notes
    utc = source(server, query).load()
    assert "query/2024-03-29" in utc.groups
    assert "times and days are those of UTC" in " ".join(utc.facts.notes)
    typed = source(server, query, time_zone="Europe/Berlin").load()
    assert (typed.lengths, typed.groups) == (found.lengths, found.groups)


def test_an_infinite_time_is_named(server):
    rows = "(VALUES ('2024-01-01'::{0}, 1.5, 'a'), ('infinity', 2.5, 'a')) AS v(time, sat, fault)"
    for kind in ("timestamp", "timestamptz", "date"):
        with pytest.raises(SourceError, match="column 'time', data row 2: the time is infinite"):
            source(server, f"SELECT * FROM {rows.format(kind)}").load()
        query = f"SELECT * FROM {rows.format(kind)} WHERE time < '9999-01-01'"
        assert source(server, query).load().lengths == (1,)
    query = "SELECT time, sat, fault, '-infinity'::timestamp AS since FROM plant"
    found = source(server, query).load()
    assert f"column 'since': {HOURS} times are infinite, and taken as missing" in found.facts.notes


def test_rows_of_several_batches_are_all_there(server):
    """The driver's batches have 16 MB, whatever is asked for."""
    n = 1_200_000
    query = (
        "SELECT TIMESTAMP '2020-01-01' + i * INTERVAL '1 minute' AS time, i::float8 AS sat, "
        f"'a' AS fault FROM generate_series(0, {n - 1}) AS s(i)"
    )
    found = source(server, query, group_columns=None).load()
    assert found.lengths == (n,)
    np.testing.assert_array_equal(found.values[0][0], np.arange(n))


def test_an_empty_result_takes_no_types(server):
    with pytest.raises(SourceError, match=r"gives no row in postgresql://127.0.0.1:\d+/postgres$"):
        source(server, "SELECT * FROM plant WHERE sat > 99").load()


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT * FROM nope", 'fails in postgresql://.*: relation "nope" does not exist'),
        ("SELECT tiem FROM plant", r'column "tiem" does not exist \(Perhaps you meant'),
        ("SELECT 1 / (flow - flow) AS x, time FROM plant", ": division by zero"),
        ("SELECT time, sat, sat FROM plant", "has two columns 'sat'; rename one"),
        ("SELECT sat, fault FROM plant", "query has no column of times, and its rows have no"),
        ("DELETE FROM plant", "begins with DELETE, and a database is only read"),
        (
            "WITH gone AS (DELETE FROM plant RETURNING *) SELECT * FROM gone",
            "data-modifying statement",
        ),
        ("SELECT nextval('counter') AS n, time FROM plant", "the connection is read-only"),
        ("SELECT 1 AS a; DELETE FROM plant", 'syntax error at or near ";"'),
        ("SELECT 1) AS asked; DELETE FROM plant; SELECT * FROM (SELECT 1", "syntax error"),
    ],
)
def test_a_query_that_fails_or_would_write_is_said(server, query, says):
    with pytest.raises(DualGAFError, match=says):
        source(server, query).load()
    assert source(server, "SELECT * FROM plant").load().lengths == (24,) * 8


def test_a_server_that_cannot_be_reached_is_said_without_what_is_secret(server):
    port = f":{server.port}/"
    for uri, says in (
        (server.uri.replace(port, ":1/"), "Connection refused"),
        (server.uri.replace(WRITTEN, "oth3r-Pw"), "password authentication failed for user"),
        (server.uri.replace("/postgres", "/nowhere"), 'database "nowhere" does not exist'),
        (server.uri + "?sslmode=require", "server does not support SSL"),
    ):
        with pytest.raises(SourceError, match=says) as caught:
            SQLSource(uri, "SELECT 1", window_size=12).load()
        told = f"{caught.value}{caught.value.__cause__}"
        for secret in (PASSWORD, WRITTEN, "oth3r-Pw", USER, "s3cret"):
            assert secret not in told
        assert "postgresql://127.0.0.1:" in told


def test_only_the_columns_that_are_needed_travel(server):
    """A column whose cells would fail is not computed."""
    query = "SELECT time, fault, flow, 1 / (flow - flow) AS broken FROM plant"
    assert source(server, query, exclude=["broken"]).load().channel_names == ("flow",)
    assert source(server, query, channels=["flow"]).load().channel_names == ("flow",)
