"""Numbers that memory does not take: on a disk, the same series, and windows without a copy."""

import numpy as np
import polars as pl
import pytest

from dualgaf.data.windowed import read_windows
from dualgaf.series.tables import room
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


def leave(monkeypatch, n_bytes):
    monkeypatch.setattr(room, "memory_headroom", lambda: Headroom(n_bytes, "a test"))


def is_mapped(array):
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.base is not None


@pytest.mark.parametrize("options", [{}, {"channels": ["flow"]}], ids=["whole", "half of it"])
def test_series_on_a_disk_are_the_same(folder, options, monkeypatch):
    here = source(folder, **options).load()
    assert not is_mapped(here.values[0])
    leave(monkeypatch, 1000)
    there = source(folder, **options).load()
    assert is_mapped(there.values[0])
    assert (there.labels, there.groups, there.origins) == (here.labels, here.groups, here.origins)
    for one, other in zip(here.values, there.values, strict=True):
        assert np.array_equal(one, other)


def test_windows_take_no_copy_of_them(folder, monkeypatch):
    here = read_windows(source(folder), seed=0)
    leave(monkeypatch, 1000)
    there = read_windows(source(folder), seed=0)
    assert is_mapped(there.windows.flat)
    assert np.array_equal(there.windows.flat, here.windows.flat)
    assert there.digest == here.digest


def test_the_file_has_no_name_and_goes_with_the_series(folder, monkeypatch, tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk")
    monkeypatch.setattr(room, "disk_folder", lambda: disk)
    leave(monkeypatch, 1000)
    found = source(folder).load()
    assert is_mapped(found.values[0])
    assert not list(disk.iterdir())


@pytest.mark.parametrize("why", ["is memory itself", "has no room", "refuses"])
def test_a_disk_that_does_not_help_is_left_alone(why, folder, monkeypatch):
    leave(monkeypatch, 1000)
    if why == "is memory itself":
        monkeypatch.setattr(room, "is_in_memory", lambda folder: True)
    elif why == "has no room":
        monkeypatch.setattr(room, "disk_free", lambda folder: 1000)
    else:

        def refuse(*arguments):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(room.os, "posix_fallocate", refuse)
    assert not is_mapped(source(folder).load().values[0])
