"""One table, written in many ways: the same windows, or an error whose advice leads to them."""

import logging
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from dualgaf.errors import SourceError
from dualgaf.series.series import clock_text
from dualgaf.series.tables.source import TableSource

STEP = timedelta(minutes=5)
BERLIN = ZoneInfo("Europe/Berlin")


def _rows(first, step=STEP, n=60):
    """(time, temp, flow, class) over midnight; the class changes every 20 rows."""
    return [(first + k * step, 20 + k * 7 % 13 / 4, 1000.5 + k * k % 17, "ab"[k // 20 % 2])
            for k in range(n)]  # fmt: skip


ROWS = _rows(datetime(2024, 1, 12, 22))
MARCH = _rows(datetime(2024, 3, 4, 22))
HOURS = _rows(datetime(2024, 3, 4, 1), timedelta(hours=1))
DAYS = _rows(datetime(2024, 3, 4), timedelta(days=1), 20)
AUTUMN = _rows(datetime(2024, 10, 26, 22), timedelta(minutes=15))


def _pieces(rows):
    """What the table means, worked out by hand: cut at midnight and where the class changes."""
    found = []
    for row in rows:
        before = found[-1][-1] if found else None
        if before is None or before[3] != row[3] or before[0].date() != row[0].date():
            found.append([])
        found[-1].append(row)
    return sorted(
        (p[0][3], p[0][0].isoformat(), p[-1][0].isoformat(), [[r[1] for r in p], [r[2] for r in p]])
        for p in found
    )


def _read(folder, **options):
    series_set = TableSource(folder, window_size=4, **options).load()
    assert series_set.n_channels == 2
    return sorted(
        (label, clock_text(time[0]), clock_text(time[-1]), values.tolist())
        for label, time, values in zip(
            series_set.labels, series_set.times, series_set.values, strict=True
        )
    )


def _folder(tmp_path, files):
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pl.DataFrame):
            content.write_parquet(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tmp_path


def _csv(clock, names="time,temp,flow,fault", mark=",", number=str, rows=ROWS, label=True):
    """Text of a CSV file; ``clock`` is a format, or gives the text of a time."""
    write = clock if callable(clock) else (lambda time: time.strftime(clock))
    lines = [names]
    for time, temp, flow, fault in rows:
        cells = [write(time), number(temp), number(flow), *([fault] if label else [])]
        lines.append(mark.join(cells))
    return "\n".join(lines) + "\n"


def _frame(rows=ROWS):
    return pl.DataFrame(rows, schema=["time", "temp", "flow", "fault"], orient="row")


def _end_of_day(time):
    if (time.hour, time.minute) == (0, 0):
        return (time - timedelta(days=1)).strftime(" %m/%d  24:00:00")
    return time.strftime(" %m/%d  %H:%M:%S")


def _unix(factor):
    return lambda time: str(int(time.replace(tzinfo=UTC).timestamp()) * factor)


def _serial(digits):
    return lambda time: f"{(time - datetime(1899, 12, 30)) / timedelta(days=1):.{digits}f}"


def _local(time):
    return time.replace(tzinfo=UTC).astimezone(BERLIN)


ISO = "%Y-%m-%d %H:%M"
PLAIN = _csv(ISO)
LINES = PLAIN.splitlines()
HEAD, BODY = PLAIN.split("\n", 1)
NO_LABEL = _csv(ISO, "time,temp,flow", label=False)
TAGS = "time,tag,value\n" + "".join(
    f"{t:{ISO}},{tag},{value}\n"
    for t, temp, flow, fault in ROWS
    for tag, value in (("temp", temp), ("flow", flow), ("fault", fault))
)
LOG = "start,end,class\n" + "".join(
    f"{ROWS[20 * k][0]:{ISO}},{ROWS[20 * k + last][0]:{ISO}},{fault}\n"
    for k, fault, last in ((0, "a", 20), (1, "b", 20), (2, "a", 19))
)


def _flux(annotations):
    """A table for each sensor and class, as InfluxDB writes them."""
    head = ",result,table,_start,_stop,_time,_value,_field,_measurement,fault\n"
    span = "2024-01-01T00:00:00Z,2024-02-01T00:00:00Z"
    parts = []
    for number, (field, place) in enumerate((("temp", 1), ("flow", 2))):
        for fault in "ab":
            lines = [f",,{number},{span},{row[0]:%Y-%m-%dT%H:%MZ},{row[place]},{field},ahu,{fault}"
                     for row in ROWS if row[3] == fault]  # fmt: skip
            parts.append(annotations + head + "\n".join(lines) + "\n")
    return "\n".join(parts)


ANNOTATIONS = (
    "#group,false,false,true\n#datatype,string,long,dateTime:RFC3339\n#default,_result,,\n"
)
GERMAN = {"mark": ";", "number": lambda value: str(value).replace(".", ",")}

ALONE = {
    "a plain table": ({"a.csv": PLAIN}, None),
    "another name": ({"a.csv": _csv(ISO, "Zeitstempel,temp,flow,fault")}, "column 'Zeitstempel'"),
    "the index of pandas": ({"a.csv": _csv("%Y-%m-%d %H:%M:%S", ",temp,flow,fault")}, "column ''"),
    "the index in Parquet": (
        {"a.parquet": _frame().rename({"time": "__index_level_0__"})},
        "of column '__index_level_0__'",
    ),
    "Parquet": ({"a.parquet": _frame()}, None),
    "Parquet with a zone": (
        {"a.parquet": _frame().with_columns(pl.col("time").dt.replace_time_zone("Europe/Berlin"))},
        "local, as they are written with UTC+01:00",
    ),
    "date and time in Parquet": (
        {
            "a.parquet": _frame()
            .with_columns(d=pl.col("time").dt.date(), t=pl.col("time").dt.time())
            .drop("time")
        },
        "of columns 'd' and 't'",
    ),
    "Datum and Uhrzeit": (
        {"a.csv": _csv("%d.%m.%Y;%H:%M", "Datum;Uhrzeit;temp;flow;fault", **GERMAN)},
        "of columns 'Datum' and 'Uhrzeit'",
    ),
    "Date and Time, AM and PM": (
        {"a.csv": _csv("%m/%d/%Y,%I:%M:%S %p", "Date,Time,temp,flow,fault")},
        "of columns 'Date' and 'Time'",
    ),
    "years of two digits": ({"a.csv": _csv("%m/%d/%y %I:%M %p")}, "read as month/day/year"),
    "a.m. and p.m.": (
        {"a.csv": _csv(lambda t: f"{t:%d-%m-%Y %I:%M} {'ap'[t.hour > 11]}.m.")},
        "read as day/month/year",
    ),
    "names of months": ({"a.csv": _csv("%d-%b-%Y %H:%M:%S")}, None),
    "American names of months": ({"a.csv": _csv('"%b %d, %Y %I:%M %p"')}, None),
    "midnight without a time": (
        {
            "a.csv": _csv(
                lambda t: t.strftime("%Y-%m-%d" if (t.hour, t.minute) == (0, 0) else ISO)
            )
        },
        None,
    ),
    "a comma in seconds": (
        {"a.csv": _csv("%Y-%m-%d %H:%M:%S,000", "time;temp;flow;fault", **GERMAN)},
        None,
    ),
    "digits": ({"a.csv": _csv("%Y%m%d%H%M", "stamp,temp,flow,fault")}, "of column 'stamp'"),
    "digits with seconds": ({"a.csv": _csv("%Y%m%d%H%M%S")}, None),
    "digits and a bar": ({"a.csv": _csv("%Y%m%d_%H%M")}, None),
    "whole names of months": ({"a.csv": _csv("%d %B %Y %H:%M")}, None),
    "days of a spreadsheet, four digits": (
        {"a.csv": _csv(_serial(4))},
        "times are days of a spreadsheet",
    ),
    "years, months, days, hours and minutes": (
        {"a.csv": _csv("%Y,%m,%d,%H,%M", "Year,Month,Day,Hour,Minute,temp,flow,fault")},
        "of columns 'Year', 'Month', 'Day', 'Hour' and 'Minute'",
    ),
    "dates, hours and minutes": (
        {"a.csv": _csv("%d.%m.%Y,%H,%M", "Datum,Stunde,Minute,temp,flow,fault")},
        "of columns 'Datum', 'Stunde' and 'Minute'",
    ),
    "such parts in Parquet": (
        {
            "a.parquet": _frame()
            .with_columns(
                year=pl.col("time").dt.year(),
                month=pl.col("time").dt.month(),
                day=pl.col("time").dt.day(),
                hour=pl.col("time").dt.hour(),
                minute=pl.col("time").dt.minute().cast(pl.Float64),
            )
            .drop("time")
        },
        "of columns 'year', 'month', 'day', 'hour' and 'minute'",
    ),
    "numbers in quotes": (
        {"a.csv": _csv(ISO, number="'{}'".format)},
        "read as numbers in quotes: 'temp', 'flow'",
    ),
    "digits and a time": ({"a.csv": _csv("%Y%m%dT%H:%M")}, None),
    "Unix seconds": ({"a.csv": _csv(_unix(1))}, "times are Unix seconds: a.csv"),
    "Unix milliseconds": ({"a.csv": _csv(_unix(1000), "ts,temp,flow,fault")}, "Unix milliseconds"),
    "Unix nanoseconds": ({"a.csv": _csv(_unix(10**9), "x,temp,flow,fault")}, "Unix nanoseconds"),
    "days of a spreadsheet": ({"a.csv": _csv(_serial(10))}, "times are days of a spreadsheet"),
    "such days, rounded": (
        {"a.csv": _csv(_serial(5), "Zeit,temp,flow,fault")},
        "times are days of a spreadsheet",
    ),
    "an offset": ({"a.csv": _csv("%Y-%m-%dT%H:%M:%S+01:00")}, "as they are written with UTC+01:00"),
    "Z": ({"a.csv": _csv("%Y-%m-%dT%H:%MZ")}, "times and days are those of UTC"),
    "a mark": ({"a.csv": _csv("%m/%d/%Y %I:%M:%S %p CST")}, "as they are written with UTC-06:00"),
    "semicolons": ({"a.csv": _csv(ISO, "time;temp;flow;fault", **GERMAN)}, "read as decimal comma"),
    "bars": ({"a.csv": _csv(ISO, "time|temp|flow|fault", "|")}, None),
    "a hint for spreadsheets": ({"a.csv": "sep=,\n" + PLAIN}, None),
    ".TSV": ({"a.TSV": _csv(ISO, "time\ttemp\tflow\tfault", "\t")}, None),
    ".txt alone": ({"a.txt": PLAIN}, None),
    ".CSV beside other files": (
        {"A.CSV": PLAIN, "_temporary/b.csv": "x", "._a.csv": "y", "notes.txt": "z"},
        "names that begin with . or _ are left out: ._a.csv",
    ),
    "a text beside a table": ({"a.csv": PLAIN, "notes.txt": "z"}, "left out (data.pattern reads"),
    "UTF-8 with a mark": ({"a.csv": b"\xef\xbb\xbf" + PLAIN.encode()}, None),
    "UTF-16": ({"a.csv": PLAIN.encode("utf-16")}, None),
    "UTF-16 without a mark": ({"a.csv": PLAIN.encode("utf-16-be")}, "letters are read as UTF-16"),
    "cp1252": (
        {"a.csv": _csv(ISO, "time,temp °C,flow,fault").encode("cp1252")},
        "letters are read as cp1252 ('ime,temp °C,flow,f'): a.csv",
    ),
    "lines above": ({"a.csv": f"Plant: north\nof 2024\n\n{PLAIN}"}, "are left out (3): a.csv"),
    "titles that are filled up": (
        {"a.csv": f"Plant: north,,,\nfrom,2024-01-12,,\n,,,\n{PLAIN}"},
        "are left out (3): a.csv",
    ),
    "a note below that is filled up": (
        {"a.csv": f"{PLAIN}Source: the plant,,,\n"},
        "the last line has 1 of 4 cells and is left out: a.csv",
    ),
    "comments above": ({"a.csv": f"# a, b, c, d\n# x\n{PLAIN}"}, "header are left out (2): a.csv"),
    "a header that is a comment": ({"a.csv": f"# {PLAIN}"}, "those of the comment above the rows"),
    "a row of units": (
        {"a.csv": f"{HEAD}\n,degC,m3/h,\n{BODY}"},
        "below the header has units: temp in degC, flow in m3/h: a.csv",
    ),
    "units in brackets": (
        {"a.csv": f"{HEAD}\nyyyy-mm-dd HH:MM,[°C],[-],[text]\n{BODY}"},
        "has units: temp in °C, flow in -: a.csv",
    ),
    "a blank at the end of lines": (
        {"a.csv": "\n".join(f"{line}," for line in LINES)},
        "a blank cell at the end of each line is left out: a.csv",
    ),
    "a blank at the end of rows": (
        {"a.csv": "\n".join([HEAD, *(f"{line}," for line in LINES[1:])])},
        "a blank cell at the end of each line is left out: a.csv",
    ),
    "a last line that was cut off": (
        {"a.csv": f"{PLAIN}2024-01-13 03:00,2"},
        "the last line has 2 of 4 cells and is left out: a.csv",
    ),
    "last lines without a value": ({"a.csv": f"{PLAIN},,,\n\n"}, None),
    "thousands": (
        {"a.csv": _csv(ISO, number=lambda value: f'"{value:,}"')},
        "read as commas between thousands: 'flow'",
    ),
    "units in cells": ({"a.csv": _csv(ISO, number="{} °F".format)}, "as in °F: 'temp', 'flow'"),
    "InfluxDB": ({"a.csv": _flux("")}, "tables are those of InfluxDB"),
    "InfluxDB, annotated": ({"a.csv": _flux(ANNOTATIONS)}, "tables are those of InfluxDB"),
    "folders that are keys": (
        {
            f"fault={fault}/x.parquet": _frame().filter(pl.col("fault") == fault).drop("fault")
            for fault in "ab"
        },
        None,
    ),
    "folders that are keys, CSV": (
        {
            f"fault={fault}/x.csv": _csv(
                ISO, "time,temp,flow", label=False, rows=[row for row in ROWS if row[3] == fault]
            )
            for fault in "ab"
        },
        None,
    ),
}  # fmt: skip
"""Files that are read without any option, and what is said of them."""


@pytest.mark.parametrize("way", ALONE)
def test_what_is_certain_is_found_alone_and_said(tmp_path, caplog, way):
    caplog.set_level(logging.WARNING)
    files, told = ALONE[way]
    assert _read(_folder(tmp_path, files)) == _pieces(ROWS)
    if told is None:
        kinds = ("month/day/year", "of column", "decimal comma", "midnight")
        assert not [r for r in caplog.records if not any(k in r.getMessage() for k in kinds)]
    else:
        assert told in caplog.text


ASKED = {
    "month or day": (
        {"a.csv": _csv("%m/%d/%Y %H:%M", rows=MARCH)},
        "a.csv, time column 'time', data row 1 is 4 March 2024 or 3 April 2024: month or day may",
        ['data.time_format="%m/%d/%Y %H:%M"', 'data.time_format="%d/%m/%Y %H:%M"'],
        MARCH,
    ),
    "month or day with a mark": (
        {"a.csv": _csv("%m/%d/%Y  %I:%M %p CST", rows=MARCH)},
        "a.csv, time column 'time', data row 1 is 4 March 2024 or 3 April 2024: month or day may",
        ["data.time_format=month_first", "data.time_format=day_first"],
        MARCH,
    ),
    "no year": (
        {"a.csv": _csv(_end_of_day, "Date/Time,temp,flow,fault")},
        "a.csv, time column 'Date/Time': ' 01/12  22:00:00' has no year; type data.year=2024",
        ["data.year=2024"],
        ROWS,
    ),
    "hours or Unix seconds": (
        {"a.csv": _csv("%Y%m%d%H", rows=HOURS)},
        "a.csv, time column 'time', data row 1 is 2024-03-04 01:00:00 (digits of a date) or 2034-",
        ['data.time_format="%Y%m%d%H"', "data.time_format=unix_s"],
        HOURS,
    ),
    "whole days of a spreadsheet": (
        {"a.csv": _csv(_serial(0), rows=DAYS)},
        "a.csv, time column 'time', data row 1 is 2024-03-04 00:00:00 (days of a spreadsheet) or ",
        ["data.time_format=excel", "data.time_format=number"],
        DAYS,
    ),
    "a zone in one file alone": (
        {
            "a.csv": _csv(lambda t: f"{t - timedelta(hours=1):%Y-%m-%dT%H:%M}Z", rows=ROWS[:40]),
            "b.csv": _csv(ISO, rows=ROWS[40:]),
        },
        "times of a.csv have an offset or mark of their zone and those of b.csv have none; type t",
        ["data.time_zone=Europe/Berlin"],
        ROWS,
    ),
    "a table of values": (
        {"a.csv": TAGS},
        "a.csv has several rows a time; if each is one value of one sensor, type data.long=[time,",
        ["data.long=[time,tag,value]", "data.group_columns=[tag]"],
        ROWS,
    ),
    "names in the second line": (
        {"a.csv": f"plant,north,x,y\n{PLAIN}"},
        "a.csv: the row below the header has 'time', 'temp', 'flow' above numbers; if these",
        ["data.header_line=2", "data.null_values=[temp,flow] data.header_line=1"],
        ROWS,
    ),
    "letters of cp850": (
        {"a.csv": _csv(ISO, "time,Außen ä °C,flow,fault").encode("cp850")},
        r"a.csv, line 1: b'time,Au\xe1en \x84 \xf8C,' is not UTF-8, and cp1252 makes odd letters",
        ["data.encoding=cp850", "data.encoding=cp1252"],
        ROWS,
    ),
    "two columns of times of day": (
        {"a.csv": _csv("%d.%m.%Y,%H:%M,%H:%M", "Datum,von,bis,temp,flow,fault")},
        "a.csv has dates in 'Datum' and more than one column with times of day: 'von', 'bis'; type",
        ["data.time_column=[Datum,von]"],
        ROWS,
    ),
}  # fmt: skip
"""Files with two readings: the error, what it says to type, and the rows that the first means."""


def _typed(advice):
    """``data.a=b data.c=[d,e]`` as keywords."""
    found = {}
    for part in re.findall(r"data\.(\w+)=(\"[^\"]*\"|\S+)", advice):
        name, value = part[0], part[1].strip('"')
        if value.startswith("["):
            found[name] = value.strip("[]").split(",")
        else:
            found[name] = int(value) if value.isdigit() else value
    return found


@pytest.mark.parametrize("case", ASKED)
def test_what_has_two_readings_is_asked_for_and_the_advice_works(tmp_path, case):
    files, told, advice, rows = ASKED[case]
    folder = _folder(tmp_path, files)
    with pytest.raises(SourceError) as caught:
        _read(folder)
    assert str(caught.value).startswith(told)
    for typed in advice:
        assert typed in str(caught.value)
    if case == "names in the second line":  # the title is no header of these rows
        advice = advice[:1]
    assert _read(folder, **_typed(advice[0])) == _pieces(rows)


OPTIONS = {
    "two columns": (
        {"a.csv": _csv("%d.%m.%Y;%H:%M", "Tag;Zeit;temp;flow;fault", ";")},
        {"time_column": ["Tag", "Zeit"]},
    ),
    "a format with an offset": (
        {"a.csv": _csv("%d.%m.%Y %H:%M+01:00")},
        {"time_format": "%d.%m.%Y %H:%M%z"},
    ),
    "a format": ({"a.csv": _csv("%H:%M %Y/%d/%m")}, {"time_format": "%H:%M %Y/%d/%m"}),
    "a zone, from UTC": (
        {"a.csv": _csv(lambda t: f"{t - timedelta(hours=1):%Y-%m-%dT%H:%M}Z")},
        {"time_zone": "Europe/Berlin"},
    ),
    "a zone, from seconds": (
        {"a.csv": _csv(lambda t: _unix(1)(t + timedelta(hours=6)))},
        {"time_zone": "America/Chicago"},
    ),
    "a zone, by a mark": ({"a.csv": _csv("%m/%d/%Y %H:%M CST")}, {"time_zone": "America/Chicago"}),
    "a zone of local times": ({"a.csv": PLAIN}, {"time_zone": "Europe/Berlin"}),
    "the end of intervals": (
        {"a.csv": _csv(lambda t: f"{t + STEP:{ISO}}")},
        {"stamps": "end"},
    ),
    "its own step": ({"a.csv": PLAIN}, {"step": "5min"}),
    "values, beside a class": (
        {
            "a.csv": "time,fault,tag,value\n"
            + "".join(f"{t:{ISO}},{fault},{tag},{value}\n" for t, temp, flow, fault in ROWS
                      for tag, value in (("temp", temp), ("flow", flow)))
        },
        {"long": ["time", "tag", "value"]},
    ),
    "a fault log": ({"a.csv": NO_LABEL, "log.csv": LOG}, {"fault_log": "log.csv"}),
    "an encoding": ({"a.csv": PLAIN.encode("utf-16-le")}, {"encoding": "utf-16"}),
    "a line of the header": ({"a.csv": f"x,y,z,w\n{PLAIN}"}, {"header_line": 2}),
}  # fmt: skip
"""Files that are read with an option."""


@pytest.mark.parametrize("case", OPTIONS)
def test_what_an_option_says(tmp_path, case):
    files, options = OPTIONS[case]
    assert _read(_folder(tmp_path, files), **options) == _pieces(ROWS)


AUTUMN_WAYS = {
    "UTC": ("%Y-%m-%dT%H:%MZ", {"time_zone": "Europe/Berlin"}),
    "offsets": (lambda time: _local(time).isoformat(), {}),
    "offsets and a zone": (lambda time: _local(time).isoformat(), {"time_zone": "Europe/Berlin"}),
    "marks": (lambda time: f"{_local(time):%Y-%m-%d %H:%M %Z}", {}),
    "the order of rows": (lambda t: f"{_local(t):%Y-%m-%d %H:%M}", {"time_zone": "Europe/Berlin"}),
}
"""The night in which clocks go back; rows are 15 minutes apart all the time."""


@pytest.mark.parametrize("way", AUTUMN_WAYS)
def test_the_hour_that_comes_twice_is_kept_apart(tmp_path, way):
    clock, options = AUTUMN_WAYS[way]
    folder = _folder(tmp_path, {"a.csv": _csv(clock, rows=AUTUMN)})
    local = [(_local(row[0]).replace(tzinfo=None), *row[1:]) for row in AUTUMN]
    assert [row[0].hour for row in local].count(2) == 8
    assert _read(folder, **options) == _pieces(local)


@pytest.mark.parametrize(
    ("clock", "options", "told"),
    [
        (
            lambda time: f"{_local(time):%Y-%m-%d %H:%M}",
            {},
            "; if it is the hour that comes twice in autumn, type the zone of the plant: data.tim",
        ),
        (
            ISO,
            {"time_zone": "Europe/Berlin"},
            "data row 17: 2024-10-27 02:00:00 comes twice in Euro",
        ),
        (
            lambda t: f"{t:%Y-%m-%dT%H:%M}{'+05:00' if t.hour % 2 else '+01:00'}",
            {},
            "times have the offsets UTC+01:00, UTC+05:00, which is no winter and summer time of o",
        ),
        (
            lambda time: f"{time - timedelta(days=210):%Y-%m-%d %H:%M}",
            {"time_zone": "Europe/Berlin"},
            "data row 17: 2024-03-31 02:00:00 does not exist in Europe/Berlin, where clocks go fo",
        ),
    ],
)
def test_local_times_that_cannot_be_are_refused_by_name(tmp_path, clock, options, told):
    folder = _folder(tmp_path, {"a.csv": _csv(clock, rows=AUTUMN)})
    with pytest.raises(SourceError) as caught:
        _read(folder, **options)
    assert told in str(caught.value)
