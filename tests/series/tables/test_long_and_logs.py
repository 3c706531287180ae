"""Tables with a row a value, and classes from a table of their own."""

import re

import pytest

from dualgaf.errors import SourceError
from dualgaf.series.tables.source import TableSource
from table_folders import folder_of, rows_of

# -- long tables ----------------------------------------------------------------------------------


LONG = rows_of("2024-01-12 12:00,a,1,x", "2024-01-12 12:00,a,2,y", head="time,tag,value,host")


@pytest.mark.parametrize(
    ("text", "long", "told"),
    [
        (
            LONG,
            ["time", "tag", "value"],
            "a.csv: sensor 'a' has two values at 2024-01-12 12:00 (data rows 1, 2); if 'host' "
            "tells them apart, type data.group_columns=[host]",
        ),
        (
            LONG.replace(",y", ",x"),
            ["time", "tag", "value"],
            "a.csv: sensor 'a' has two values at 2024-01-12 12:00 (data rows 1, 2); remove one of ",
        ),
        (
            LONG,
            ["time", "tag", "val"],
            "a.csv has no column 'val' (data.long); it has: time, tag, value, host; type "
            "data.long=[time,tag,value]",
        ),
        (
            LONG.replace(",a,2", ",,2"),
            ["time", "tag", "value"],
            "a.csv, data row 2: column 'tag' has no name of a sensor (data.long); mend or remove t",
        ),
        (
            LONG.replace(",a,2", ",time,2"),
            ["time", "tag", "value"],
            "a.csv: a sensor is called 'time', as the column beside it is; rename one",
        ),
    ],
)
def test_long_tables_that_cannot_be_turned(tmp_path, text, long, told):
    with pytest.raises(SourceError) as caught:
        TableSource(folder_of(tmp_path, a__csv=text), long=long).load()
    assert str(caught.value).startswith(told)


def test_what_tells_two_values_apart_may_be_the_group(tmp_path, caplog):
    source = TableSource(
        folder_of(tmp_path, a__csv=LONG), long=["time", "tag", "value"], group_columns=["host"]
    )
    assert sorted(source.load().groups) == ["a.csv/x", "a.csv/y"]
    assert "left out" not in caplog.text


def test_sensors_of_several_measurements_have_both_names(tmp_path):
    text = rows_of(
        "0,2024-01-12T12:00:00Z,1,temp,ahu", "1,2024-01-12T12:00:00Z,5,temp,room",
        head="table,_time,_value,_field,_measurement",
    )  # fmt: skip
    source = TableSource(folder_of(tmp_path, a__csv=text), label="file")
    assert source.load().channel_names == ("ahu.temp", "room.temp")


def test_a_row_of_influx_with_another_number_of_cells(tmp_path):
    text = ",table,_time,_value,_field\n,0,2024-01-12T12:00:00Z,1\n"
    with pytest.raises(SourceError, match=r"a\.csv: a row has 4 cells, its header has 5 names"):
        TableSource(folder_of(tmp_path, a__csv=text)).load()


# -- fault logs -----------------------------------------------------------------------------------


TIMES = "time,temp\n" + "".join(f"2024-01-12 {h:02d}:00,{h % 5}\n" for h in range(24))
LOG = (
    "start,end,class\n2024-01-12 02:00,2024-01-12 04:00,leak\n"
    "2024-01-12 04:00,2024-01-12 05:00,dirt\n"
)


def test_classes_of_a_fault_log(tmp_path):
    source = TableSource(
        folder_of(tmp_path, a__csv=TIMES, log__csv=LOG),
        fault_log="log.csv",
        unlabelled="class",
        unlabelled_class="good",
    )
    series_set = source.load()
    assert list(zip(series_set.labels, series_set.lengths, strict=True)) == [
        ("good", 2),
        ("leak", 2),
        ("dirt", 2),
        ("good", 18),
    ]
    assert {origin.source for origin in series_set.origins} == {"a.csv"}
    before = source.contents()
    folder_of(tmp_path, log__csv=LOG.replace("dirt", "dust"))
    assert source.contents() != before


def test_a_fault_log_that_lies_elsewhere_and_has_whole_days(tmp_path):
    log = "Von,Bis,Fault\n12.1.2024,12.1.2024,leak\n"
    folder = folder_of(tmp_path, x_in_a__csv=TIMES, log__csv=log)
    series_set = TableSource(folder / "x", fault_log=str(folder / "log.csv")).load()
    assert (series_set.labels, series_set.lengths) == (("leak",), (24,))


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (
            LOG.replace("04:00,dirt", "03:00,dirt").replace("05:00,dirt", "03:00,dirt"),
            "log.csv, data row 2 ends at 2024-01-12 03:00:00, before it starts at 2024-01-12 04:00",
        ),
        (
            LOG.replace("04:00,leak", "04:30,leak"),
            "log.csv, data rows 1 and 2 overlap: 'leak' from 2024-01-12 02:00:00 to 2024-01-12 04:",
        ),
        (
            LOG + "2024-01-12 04:00,2024-01-12 05:00,leak\n",
            "log.csv, data rows 2 and 3 overlap: 'dirt' from 2024-01-12 04:00:00 to 2024-01-12 05:",
        ),
        (
            LOG.replace("dirt", ""),
            "log.csv, data row 2 has no class; write it there, or remove the",
        ),
        (LOG.replace("2024-01-12 05:00,dirt", ",dirt"), "log.csv, data row 2 has no end; write it"),
        (
            LOG.replace("2024-01-12 05:00", "soon"),
            "log.csv, time column 'end', data row 2: 'soon' is",
        ),
        (
            LOG.replace("end", "x"),
            "log.csv (data.fault_log) has no column 'end'; it has: start, x, c",
        ),
        ("start,end,class\n", "log.csv has a header and no data row"),
        (
            "start,end,class\n1,2,leak\n",
            "column 'time' has dates in a.csv and numbers in log.csv, st",
        ),
        (
            "start,end,class\n1/2/2024,2/2/2024,leak\n",
            "log.csv, start, time column 'start', data row 1 is 2 January 2024 or 1 February 2024:",
        ),
        (
            LOG,
            "log.csv (data.fault_log): 20 of 24 rows have no label, they lie outside of its faults",
        ),
    ],
)
def test_fault_logs_that_are_refused(tmp_path, log, told):
    with pytest.raises(SourceError) as caught:
        TableSource(folder_of(tmp_path, a__csv=TIMES, log__csv=log), fault_log="log.csv").load()
    assert str(caught.value).startswith(told)


def test_a_log_in_another_format_than_the_tables(tmp_path):
    log = "start,end,class\n12/1/2024 00:00,12/1/2024 23:00,leak\n"
    folder = folder_of(tmp_path, a__csv=TIMES, log__csv=log)
    with pytest.raises(SourceError, match=r"type data\.time_format=month_first or data\.time_form"):
        TableSource(folder, fault_log="log.csv").load()
    source = TableSource(folder, fault_log="log.csv", time_format="day_first")
    assert source.load().labels == ("leak",)


def test_a_fault_log_that_was_not_typed_is_asked_for(tmp_path):
    log = "id;Beginn;Ende;Fault\nx7;12.1.2024 02:00;12.1.2024 04:00;leak\n"
    folder = folder_of(tmp_path, a__csv=TIMES, faults__csv=log)
    with pytest.raises(SourceError) as caught:
        TableSource(folder).load()
    assert str(caught.value) == (
        "faults.csv has a fault in each row, with 'Beginn', 'Ende' and 'Fault', and no "
        "measurement; type data.fault_log=faults.csv if these are the classes of the other "
        'files, or choose files with data.pattern="..."'
    )
    source = TableSource(folder, fault_log="faults.csv", unlabelled="drop")
    assert (source.load().labels, source.load().lengths) == (("leak",), (3,))


def test_a_table_of_batches_with_measurements_is_no_fault_log(tmp_path):
    text = "start,end,temp,fault\n" + "".join(
        f"2024-01-12 {h:02d}:00,2024-01-12 {h:02d}:30,{h % 5},a\n" for h in range(9)
    )
    source = TableSource(folder_of(tmp_path, a__csv=text), time_column="start")
    assert source.load().lengths == (9,)
    with pytest.raises(SourceError, match="more than one column of times: 'start', 'end'; type"):
        TableSource(tmp_path).load()


@pytest.mark.parametrize(
    ("files", "log", "told"),
    [
        ({"a__csv": TIMES}, "log.csv", "there is no file log.csv, and none of that name in "),
        ({"log__csv": LOG}, "log.csv", "has no table beside its fault log; type data.root=FOLDER"),
        (
            {"a__csv": "x\n1\n2\n", "log__csv": LOG},
            "log.csv",
            "needs times, and the files have none",
        ),
    ],
)
def test_fault_logs_without_a_table(tmp_path, files, log, told):
    with pytest.raises(SourceError, match=re.escape(told)):
        TableSource(folder_of(tmp_path, **files), fault_log=log).load()
