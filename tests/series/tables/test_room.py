"""Numbers that memory does not take: on a disk, the same series, and windows without a copy."""

import math
import weakref

import numpy as np
import polars as pl
import pytest

from dualgaf import DualGAFDataModule
from dualgaf.data import windowed
from dualgaf.data.windowed import read_windows
from dualgaf.plan.preset import HardwarePreset
from dualgaf.series import mapped as series_mapped
from dualgaf.series.mapped import on_disk_above
from dualgaf.series.tables.cells import Column
from dualgaf.series.tables.room import Room
from dualgaf.series.tables.source import TableSource
from dualgaf.system.machine import Headroom


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(3)
    for file in range(3):
        first = np.datetime64("2024-01-01T00:00", "us") + file * np.timedelta64(9, "D")
        rows = {
            "time": first + np.arange(2000) * np.timedelta64(60, "s"),
            "temp": rng.normal(size=2000).astype(np.float32),
            "flow": rng.normal(size=2000).astype(np.float32),
            "fault": ["ab"[k // 500 % 2] for k in range(2000)],
        }
        pl.DataFrame(rows).write_parquet(tmp_path / f"{file}.parquet")
    return tmp_path


def source(folder, **options):
    return TableSource(folder, window_size=20, **options)


def is_mapped(array):
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


@pytest.mark.parametrize("options", [{}, {"channels": ["flow"]}], ids=["whole", "half of it"])
def test_series_on_a_disk_are_the_same(folder, options, tmp_path_factory):
    here = source(folder, **options).load()
    assert not is_mapped(here.values[0])
    disk = tmp_path_factory.mktemp("disk")
    with on_disk_above(1000, disk):
        there = source(folder, **options).load()
    assert is_mapped(there.values[0])
    assert not list(disk.iterdir())  # the file has no name
    assert (there.labels, there.groups, there.origins) == (here.labels, here.groups, here.origins)
    for one, other in zip(here.values, there.values, strict=True):
        assert np.array_equal(one, other)
    with on_disk_above(1 << 20, disk):
        assert not is_mapped(source(folder, **options).load().values[0])


@pytest.mark.parametrize("in_memory", [False, True])
def test_windows_take_no_copy_of_what_is_on_a_disk(in_memory, folder, monkeypatch):
    here = read_windows(source(folder), seed=0)
    monkeypatch.setattr(windowed, "memory_headroom", lambda: Headroom(1000, "a test"))
    monkeypatch.setattr(windowed, "is_in_memory", lambda folder: in_memory)
    there = read_windows(source(folder), seed=0)
    assert is_mapped(there.windows.flat) is not in_memory  # such a disk would be memory
    assert np.array_equal(there.windows.flat, here.windows.flat)
    assert there.digest == here.digest


def test_a_preset_says_what_memory_takes(folder):
    mapped = [
        is_mapped(DualGAFDataModule(source(folder), hardware=preset).windows.windows.flat)
        for preset in (HardwarePreset("large", "99GiB"), HardwarePreset("small", "1MiB"))
    ]
    assert mapped == [False, True]


def test_a_disk_without_room_is_left_alone(folder, tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError(28, "No space left on device")

    with on_disk_above(0, tmp_path / "gone"):
        assert not is_mapped(source(folder).load().values[0])
    monkeypatch.setattr(series_mapped.os, "posix_fallocate", refuse)
    with on_disk_above(0, tmp_path):
        assert not is_mapped(source(folder).load().values[0])
    with on_disk_above(math.inf, tmp_path):
        assert not is_mapped(source(folder).load().values[0])


def test_pieces_are_written_one_behind_the_other_and_freed():
    pieces = [np.arange(size, dtype=np.float64) + 0.5 for size in (3, 0, 5)]
    last = weakref.ref(pieces[-1])
    columns = {
        "sat": Column("sat", "numbers", pieces[0], tuple(pieces[1:])),
        "note": Column("note", "text", example="good"),
        "flow": Column("flow", "numbers", np.full(8, np.nan)),
    }
    wanted = np.concatenate(pieces)
    del pieces
    room = Room(["flow", "sat"], {"other": 1, "plant": 8}, np.float64)
    found = room.placed("plant", columns)
    assert not columns
    assert last() is None
    assert list(found) == ["sat", "note", "flow"]
    assert found["sat"].values.tolist() == wanted.tolist()
    assert found["sat"].ends == (0.5, 4.5)
    assert found["sat"].is_finite
    assert not found["flow"].is_finite
    assert room.flat[9 + 1 :].tolist() == wanted.tolist()
    assert found["note"].example == "good"


def test_a_piece_is_freed_before_the_next_of_any_column_is_written():
    gone, columns = [], {}
    for name in ("sat", "flow"):
        first, *further = (np.full(4, float(k)) for k in range(3))
        for k, piece in enumerate([first, *further]):
            weakref.finalize(piece, gone.append, (name, k))
        columns[name] = Column(name, "numbers", first, tuple(further))
    del first, further, piece
    Room(["sat", "flow"], {"plant": 12}, np.float64).placed("plant", columns)
    assert gone == [(name, k) for k in range(3) for name in ("sat", "flow")]
