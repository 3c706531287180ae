"""Files and rows that are there twice; files that only begin alike."""

import gzip

import numpy as np
import pytest

from dualgaf.errors import SourceError
from dualgaf.series.tables.source import TableSource

VALUES = np.random.default_rng(0).normal(size=(24 * 12, 2)).round(4)


def _export(first, last, *, label="ab", dated=True, columns=(0, 1), values=VALUES):
    """Hours ``first`` to ``last`` - 1 of one record, a class a day."""
    lines = []
    for hour in range(first, last):
        time = f"2020-01-{hour // 24 + 1:02d} {hour % 24:02d}:00" if dated else str(hour)
        cells = [f"{values[hour, column]}" for column in columns]
        lines.append(f"{time},{','.join(cells)},{label[hour // 24 % len(label)]}")
    names = ",".join(f"s{column}" for column in columns)
    return f"time,{names},fault\n" + "\n".join(lines) + "\n"


def _load(tmp_path, window_size=8, **files):
    for name, text in files.items():
        path = tmp_path / name.replace("__", ".")
        path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    return TableSource(tmp_path, window_size=window_size).load()


def test_rows_that_are_read_once_are_counted_once_in_their_class(tmp_path):
    alone = _load(tmp_path, a__csv=_export(0, 96)).facts
    facts = _load(tmp_path, a__csv=_export(0, 96), b__csv=_export(0, 96)).facts
    assert facts.classes == alone.classes == {"a": 48, "b": 48}
    assert facts.rows == 2 * alone.rows
    overlap = _load(tmp_path, a__csv=_export(0, 72), b__csv=_export(48, 96)).facts
    assert overlap.classes == alone.classes


@pytest.mark.parametrize("dated", [True, False])
def test_rows_that_come_again_in_one_file_are_read_once(tmp_path, dated):
    """Two exports that overlap, one behind the other in one file."""
    text = _export(0, 48, dated=dated) + _export(40, 96, dated=dated).partition("\n")[2]
    if not dated:  # of numbers, equal rows of two runs prove nothing
        with pytest.raises(SourceError, match="comes twice in group"):
            _load(tmp_path, a__csv=text)
        return
    series_set = _load(tmp_path, a__csv=text)
    alone = _load(tmp_path, a__csv=_export(0, 96, dated=dated))
    assert [v.tolist() for v in series_set.values] == [v.tolist() for v in alone.values]
    assert series_set.facts.classes == alone.facts.classes
    assert "8 rows of a.csv come twice, and are read once" in series_set.facts.notes
    assert not [note for note in alone.facts.notes if "twice" in note]
    other = text.replace(f",{VALUES[45, 1]},", ",0.5,", 1)
    with pytest.raises(SourceError, match="comes twice in group"):
        _load(tmp_path, a__csv=other)
    with pytest.raises(SourceError, match="comes twice in group"):
        _load(tmp_path, a__csv=text[:-2] + "c\n" + text.splitlines()[-1] + "\n")


def test_the_autumn_hour_is_no_copy_though_nothing_has_changed(tmp_path):
    rows = [f"2024-10-27 {hour},7,{k % 3 // 2},a" for k, hour in enumerate(["01:00", "02:00"] * 2)]
    text = "time,temp,flow,fault\n" + "\n".join(sorted(rows[:2] + rows[1:2])) + "\n"
    with pytest.raises(SourceError, match="the hour that comes twice in autumn"):
        _load(tmp_path, a__csv=text, window_size=2)


def _pieces(series_set):
    return sorted(
        (label, str(time[0]), values.tolist())
        for label, time, values in zip(
            series_set.labels, series_set.times, series_set.values, strict=True
        )
    )


@pytest.mark.parametrize("cuts", [(0, 60, 50, 96), (0, 60, 41, 70, 60, 96), (0, 96, 20, 50)])
def test_exports_that_overlap_are_one_record(tmp_path, cuts):
    """A day in which one export ends is one group, and no window is lost there."""
    spans = list(zip(cuts[::2], cuts[1::2], strict=True))
    parts = {f"{'bac'[k]}__csv": _export(*span) for k, span in enumerate(spans)}
    found = _load(tmp_path, **parts)
    (tmp_path / "alone").mkdir()
    alone = _load(tmp_path / "alone", a__csv=_export(0, 96))
    assert _pieces(found) == _pieces(alone)
    assert found.facts.classes == alone.facts.classes
    names = " and ".join(f"{'bac'[k]}.csv" for k in range(len(spans)))
    assert f"{names} are read as one record" in found.facts.notes
    assert set(found.groups) == {
        f"{names.replace(' and ', ' + ')}/2020-01-0{day}" for day in range(1, 5)
    }
    assert sorted(file.rows for file in found.facts.files) == sorted(b - a for a, b in spans)


@pytest.mark.parametrize("options", [{"same_time": "keep"}, {}])
def test_files_without_a_row_in_common_are_no_record(tmp_path, options):
    """They may be two runs, one after the other."""
    _load(tmp_path, a__csv=_export(0, 60), b__csv=_export(60, 96))
    found = TableSource(tmp_path, window_size=8, **options).load()
    assert {origin.source for origin in found.origins} == {"a.csv", "b.csv"}
    (tmp_path / "b.csv").write_text(_export(50, 96))
    found = TableSource(tmp_path, window_size=8, **options).load()
    assert ({origin.source for origin in found.origins} == {"a.csv", "b.csv"}) == bool(options)


def test_a_sensor_that_is_dead_in_one_of_two_exports(tmp_path):
    text = _export(50, 96).splitlines()
    dead = "\n".join([text[0], *(",".join([c[0], c[1], "", c[3]]) for c in
                      (line.split(",") for line in text[1:]))])  # fmt: skip
    _load(tmp_path, a__csv=_export(0, 60))
    (tmp_path / "b.csv").write_text(dead + "\n")
    with pytest.raises(SourceError, match="have other values at the same time"):
        TableSource(tmp_path, window_size=8, nan="interpolate").load()


@pytest.mark.parametrize("twin", ["a__csv__gz", "b__csv"])
@pytest.mark.parametrize("dated", [True, False])
def test_a_copied_file_is_read_once(tmp_path, caplog, twin, dated):
    text = _export(0, 96, dated=dated)
    series_set = _load(tmp_path, a__csv=text, **{twin: text})
    assert sum(series_set.lengths) == 96
    assert f"{twin.replace('__', '.')} has the same rows as a.csv; it is left out" in caplog.text


def test_a_copy_with_its_columns_in_another_order(tmp_path):
    series_set = _load(tmp_path, a__csv=_export(0, 96), b__csv=_export(0, 96, columns=(1, 0)))
    assert sum(series_set.lengths) == 96


def test_exports_that_overlap_are_read_once(tmp_path, caplog):
    parts = {"a__csv": _export(0, 120), "b__csv": _export(60, 200), "c__csv": _export(190, 288)}
    series_set = _load(tmp_path, **parts)
    assert sum(series_set.lengths) == 288
    order = np.argsort([time[0] for time in series_set.times], kind="stable")
    joined = np.concatenate([series_set.values[k].T for k in order])
    np.testing.assert_array_equal(joined, VALUES)
    assert "60 rows of b.csv are in a.csv, too; they are read once" in caplog.text
    assert "10 rows of c.csv are in b.csv, too; they are read once" in caplog.text


def test_fewer_rows_than_a_window_are_no_copy(tmp_path):
    parts = {"a__csv": _export(0, 54), "b__csv": _export(48, 96)}
    assert sum(_load(tmp_path, window_size=7, **parts).lengths) == 54 + 48
    assert sum(_load(tmp_path, window_size=6, **parts).lengths) == 96


def test_the_same_rows_under_two_classes(tmp_path):
    with pytest.raises(SourceError) as caught:
        _load(tmp_path, a__csv=_export(0, 96), b__csv=_export(0, 96, label="cd"))
    assert str(caught.value) == (
        "b.csv has the same rows as a.csv, with other classes ('c', 'd' and 'a', 'b'); remove one "
        'of them, or choose files with data.pattern="..."'
    )


def test_other_plants_at_the_same_times(tmp_path, caplog):
    other = VALUES + 1
    series_set = _load(tmp_path, a__csv=_export(0, 96), b__csv=_export(0, 96, values=other))
    assert sum(series_set.lengths) == 192
    assert "read once" not in caplog.text


def test_runs_of_a_simulation_that_begin_alike(tmp_path):
    other = VALUES.copy()
    other[40:] += 1
    files = {
        "a__csv": _export(0, 96, dated=False),
        "b__csv": _export(0, 96, dated=False, values=other),
    }
    assert sum(_load(tmp_path, **files).lengths) == 192


def test_constants_are_no_copies(tmp_path):
    same = np.full_like(VALUES, 20.5)
    files = {
        "a__csv": _export(0, 24, dated=False, values=same),
        "b__csv": _export(0, 24, dated=False, values=same),
    }
    assert sum(_load(tmp_path, **files).lengths) == 48
