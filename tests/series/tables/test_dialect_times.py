"""Times in many ways of writing: what each takes, what it refuses, and what is typed then."""

import polars as pl
import pytest

from dualgaf.errors import SourceError
from dualgaf.series.tables.dialects.counts import by_word, is_number_clock, number_readings
from dualgaf.series.tables.dialects.dates import has_date, is_time_of_day, written
from dualgaf.series.tables.dialects.zones import offsets_of
from dualgaf.series.tables.source import TableSource
from table_folders import first_channel, folder_of, rows_of


@pytest.mark.parametrize(
    ("cells", "iso"),
    [
        (["2024-01-12 24:00", "2024-01-13 00:05"], "2024-01-13T00:00:00"),
        (["31.12.2023 24:00:00"], "2024-01-01T00:00:00"),
        (["2/28/2024 24:00"], "2024-02-29T00:00:00"),
        (["15:24:00"], None),
        (["12 Jan 2024 3:05 PM"], "2024-01-12T15:05:00"),
        (["Jan 12, 2024 12:05 a.m."], "2024-01-12T00:05:00"),
        (["12-JAN-24 00:05"], "2024-01-12T00:05:00"),
        (["12/Jan/2024:00:05:07"], "2024-01-12T00:05:07"),
        (["Fri, 12 Jan 2024 00:05:00 GMT"], "2024-01-12T00:05:00"),
        (["20240112T000507"], "2024-01-12T00:05:07"),
        (["12.01.2024, 0:05 Uhr"], "2024-01-12T00:05:00"),
        (["2024-01-12", "2024-01-12 00:05", "2024-01-12 00:05:07"], "2024-01-12T00:00:00"),
        (["2024-13-12 00:05"], None),
        (["2024-01-12 25:00"], None),
    ],
)
def test_looks_of_times(cells, iso):
    fitting = written(pl.Series(cells), None).fitting
    assert [time[0].isoformat() for time in fitting.values()] == ([] if iso is None else [iso])


def test_what_begins_with_a_date():
    dates = ["1/12 0:05", "1/12/2024", "20240112 0:05", "12.1.24", " 01/01  24:00:00"]
    others = ["1/12", "20240112", "21.5", "-1,5", "0:05", "72.5 °F", "AHU-1", "1.2.3.4", "3e5"]
    assert all(map(has_date, dates))
    assert not any(map(has_date, others))
    assert [
        is_time_of_day(cell) for cell in ("0:05", "12:05 AM", "0:05:07.5", "5", "1.1. 0:05")
    ] == [
        True,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([1704067200, 1704067500], ["unix_s"]),
        ([1704067200000], ["unix_ms"]),
        ([1704067200000000], ["unix_us"]),
        ([1704067200123456789], ["unix_ns"]),
        ([202401010045], ["%Y%m%d%H%M"]),
        ([20240101004500], ["%Y%m%d%H%M%S"]),
        ([20240101], ["%Y%m%d"]),
        ([2024010123, 2024010200], ["%Y%m%d%H", "unix_s"]),
        ([2024010124], ["unix_s"]),
        ([45292.00347222, 45292.00694444], ["excel"]),
        ([45292.5], ["excel", "number"]),
        ([45292, 45293], ["excel", "number"]),
        ([0, 300], ["number"]),
        ([0.5, 1.0], ["number"]),
        ([99999999], ["number"]),
        ([1e300], ["number"]),
    ],
)
@pytest.mark.parametrize("as_text", [True, False])
def test_what_numbers_may_mean(numbers, words, as_text):
    texts = pl.Series([str(number) for number in numbers])
    found = number_readings(texts if as_text else pl.Series(numbers), texts)
    assert [*found] == words


def test_numbers_as_dates_are_exact():
    assert by_word(pl.Series([1704067200123456789]), "unix_ns")[0].isoformat().endswith(".123456")
    assert by_word(pl.Series([45292 + 5 / 1440]), "excel")[0].isoformat() == "2024-01-01T00:05:00"
    text = pl.Series(["1704067200123456789"])
    assert number_readings(text, text)["unix_ns"][0].isoformat() == "2024-01-01T00:00:00.123456"


def test_days_of_four_digits_are_minutes_where_all_are_near_one():
    """0.0001 of a day is 8.64 s: 45292.0035 cannot be but 0:05."""
    days = [45292 + k / 288 for k in range(288)]
    short = by_word(pl.Series([round(day, 4) for day in days]), "excel")
    assert short.to_list() == by_word(pl.Series(days), "excel").to_list()
    assert short.dt.second().sum() == 0
    # a clock of seconds is none of minutes
    seconds = by_word(pl.Series([45292.0, 45292.0001, 45292.0002]), "excel")
    assert seconds.dt.second().to_list() == [0, 9, 17]
    exact = by_word(pl.Series([45292 + 2 / 86400, 45292 + 62 / 86400]), "excel")
    assert exact.dt.second().to_list() == [2, 2]


@pytest.mark.parametrize(
    ("head", "row", "told"),
    [
        ("year,month,day,hour,temp,fault", "2024,1,{day},{hour},{n},a", None),
        ("Jahr,Monat,Tag,Stunde,temp,fault", "2024,01,{day},{hour},{n},a", None),
        ("year,month,day,hour,temp,fault", "2024,13,{day},{hour},{n},a", "no column has times"),
        ("year,month,hour,temp,fault", "2024,1,{hour},{n},a", "no column has times"),
    ],
)
def test_a_clock_in_parts(tmp_path, caplog, head, row, told):
    rows = [row.format(day=9 + k // 24, hour=k % 24, n=k * k % 7) for k in range(48)]
    found = TableSource(folder_of(tmp_path, a__csv=rows_of(*rows, head=head)), window_size=4).load()
    if told is not None:
        assert told in caplog.text
        return
    assert found.channel_names == ("temp",)
    assert (found.facts.start, found.facts.end) == ("2024-01-09T00:00:00", "2024-01-10T23:00:00")
    assert found.lengths == (24, 24)


def test_hours_to_24_are_the_midnight_of_the_day_after(tmp_path):
    rows = [f"2024-01-{9 + k // 24:02d},{k % 24 + 1},{k * k % 7},a" for k in range(48)]
    folder = folder_of(tmp_path, a__csv=rows_of(*rows, head="Date,Hour,temp,fault"))
    facts = TableSource(folder, window_size=4).load().facts
    assert (facts.start, facts.end) == ("2024-01-09T01:00:00", "2024-01-11T00:00:00")
    stamps = TableSource(folder, window_size=4, stamps="end").load()
    assert stamps.lengths == (24, 24)


def test_hours_beside_a_whole_time_are_a_channel(tmp_path):
    rows = [f"2024-01-09 {k:02d}:00,{k % 5},{k * k % 7},a" for k in range(24)]
    folder = folder_of(tmp_path, a__csv=rows_of(*rows, head="time,hour,temp,fault"))
    assert TableSource(folder, window_size=4).load().channel_names == ("hour", "temp")


def test_measurements_are_no_clocks():
    assert is_number_clock(pl.Series([1704067200, 1704067800, 1704067500, 1704068100]))
    assert not is_number_clock(pl.Series([40000.12345, 41234.54321, 39999.11111, 40001.2]))
    assert not is_number_clock(pl.Series([1704067200, 1704067211, 1704067500, 1904068100]))
    assert not is_number_clock(pl.Series([1704067200] * 5))
    assert not is_number_clock(pl.Series([1704067200, None, 1704067500, 1704067800]))


def test_offsets_in_every_way_of_writing():
    marks = ["+01:00", "-0330", "UTC", "Z", "GMT+2", "UTC-05:00", "CEST", "+01"]
    hours = [1, -3.5, 0, 0, 2, -5, 2, 1]
    assert offsets_of(pl.Series(marks)).to_list() == [3600 * hour for hour in hours]
    assert offsets_of(pl.Series(["Z", "XYZ"])) is None


@pytest.mark.parametrize(("zone", "fits"), [("America/Chicago", True), ("Asia/Shanghai", False)])
def test_a_mark_that_means_two_offsets_is_compared_with_the_zone(tmp_path, zone, fits):
    folder = folder_of(tmp_path, a__csv=rows_of("2024-01-12 12:00 CST,1,a"))
    source = TableSource(folder, time_zone=zone)
    if fits:
        assert source.load().start_times == ("2024-01-12T12:00:00",)
        return
    with pytest.raises(SourceError) as caught:
        source.load()
    assert str(caught.value) == (
        "times of a.csv are marked CST, which is read as UTC-06:00, and Asia/Shanghai never has "
        "that; type the zone of the plant, or export times with an offset (+01:00)"
    )


def test_a_zone_in_some_cells_of_a_file_is_no_time(tmp_path):
    rows = ["2024-01-12 12:00:00Z,1,a", "2024-01-12 12:05:00,2,a"]
    with pytest.raises(
        SourceError, match="data row 1: '2024-01-12 12:00:00Z' is no time; known are"
    ):
        TableSource(folder_of(tmp_path, a__csv=rows_of(*rows))).load()


@pytest.mark.parametrize(
    ("text", "told", "options"),
    [
        (
            rows_of("22:00,1,a", "22:05,2,a", "22:10,3,a", head="Uhrzeit,temp,fault"),
            "a.csv, column 'Uhrzeit' has times of day ('22:00') and no column has dates; if rows a",
            {"time_column": None, "exclude": ["Uhrzeit"]},
        ),
        (
            rows_of("2024-01-12,79200,1,a", "2024-01-12,79500,2,a", head="Date,Time,temp,fault"),
            "a.csv has dates in 'Date' and numbers in 'Time'; type data.time_column=Date data.excl",
            {"time_column": "Time"},
        ),
        (
            rows_of("12.1.24 12:00,1,a", "late,2,a", "12.1.24 12:10,3,a", head="Zeit,temp,fault"),
            "a.csv, time column 'Zeit', data row 2: 'late' is no time; known are ISO",
            {"time_column": None},
        ),
        (
            rows_of(*(f"{1704067200 + 300 * k},{1704067200 + 300 * k},{k % 2},a" for k in range(3)),
                    head="t1,t2,temp,fault"),
            "a.csv has more than one column of numbers that is a clock: 't1', 't2'; type data.time",
            {"time_column": "t1", "exclude": ["t2"]},
        ),
    ],
)  # fmt: skip
def test_a_clock_that_is_not_recognised_is_never_silent(tmp_path, text, told, options):
    folder = folder_of(tmp_path, a__csv=text)
    with pytest.raises(SourceError) as caught:
        TableSource(folder).load()
    assert str(caught.value).startswith(told)
    assert len(TableSource(folder, **options).load()) >= 1


def test_a_table_without_times_says_so(tmp_path, caplog):
    folder = folder_of(tmp_path, a__csv="temp,fault\n1,a\n2,a\n")
    TableSource(folder).load()
    assert "no column has times: rows are taken as they stand, evenly spaced" in caplog.text
    caplog.clear()
    TableSource(folder, time_column=None).load()
    assert "no column has times" not in caplog.text


@pytest.mark.parametrize(("last", "minutes"), [("26:00:00", 1560), ("03:00:00", 180)])
def test_dates_beside_a_duration_are_a_clock_alone(tmp_path, caplog, last, minutes):
    text = rows_of(
        "12.1.2024,01:30:00,a", "13.1.2024,02:00:30,a", f"14.1.2024,{last},a",
        head="Datum,runtime,fault",
    )  # fmt: skip
    series_set = TableSource(folder_of(tmp_path, a__csv=text), group_columns=["fault"]).load()
    assert first_channel(series_set) == [[90, 120.5, minutes]]
    assert "read as durations, in min: 'runtime'" in caplog.text


def test_dates_that_jump_by_months_in_the_order_of_another_file(tmp_path):
    rows = [f"{day:02d}/03/2024 {hour:02d}:00,{hour % 3},a" for day in (4, 5) for hour in range(9)]
    american = [f"{row[3:5]}/{row[:2]}{row[5:]}" for row in rows]
    folder = folder_of(tmp_path, a__csv=rows_of(*american), b__csv=rows_of("25/04/2024 00:00,1,a"))
    with pytest.raises(SourceError) as caught:
        TableSource(folder).load()
    assert str(caught.value) == (
        "dates of b.csv are day/month/year; read so, those of a.csv jump by months, and as "
        "month/day/year they do not; choose files of one kind with data.pattern=..., or type "
        "data.time_format=day_first"
    )
    same = folder_of(tmp_path, a__csv=rows_of(*rows))
    assert TableSource(same).load().start_times[0] == "2024-03-04T00:00:00"


@pytest.mark.parametrize(
    ("word", "day"), [("day_first", "2012-01-24"), ("year_first", "2024-01-12")]
)
def test_years_of_two_digits_may_stand_in_front(tmp_path, word, day):
    folder = folder_of(tmp_path, a__csv=rows_of("24/01/12 12:00,1,a", "24/01/12 12:05,2,a"))
    with pytest.raises(
        SourceError, match="is 24 January 2012 or 12 January 2024: day, month or year"
    ):
        TableSource(folder).load()
    assert TableSource(folder, time_format=word).load().start_times == (f"{day}T12:00:00",)


def test_years_in_front_that_would_jump_are_none(tmp_path):
    rows = [f"{day}-01-24 {hour:02d}:00,{hour % 3},a" for day in (13, 14) for hour in range(3)]
    folder = folder_of(tmp_path, a__csv=rows_of(*rows))
    assert TableSource(folder).load().start_times[0] == "2024-01-13T00:00:00"


def test_the_turn_of_the_year_without_years(tmp_path):
    folder = folder_of(tmp_path, a__csv=rows_of("12/31 23:55,1,a", "01/01 00:00,2,a"))
    with pytest.raises(
        SourceError, match="data row 2: '01/01 00:00' is behind the turn of the year"
    ):
        TableSource(folder, year=2023).load()
