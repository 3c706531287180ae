"""The places in their order, with each refused for real or by a system call that says no."""

import errno
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest

import leaks
from dualgaf.errors import ConfigError, FallbackWarning, StoreFullError
from dualgaf.store import backing, writer
from dualgaf.store.backing import open_writer
from dualgaf.store.layout import StoreLayout
from dualgaf.system.machine import Headroom

LAYOUT = StoreLayout(50, (3, 7), "uint16")
ROWS = np.arange(50 * 21, dtype=np.uint16).reshape(50, 3, 7)


def refuse_memfd(monkeypatch, number):
    def refuse(name, flags=0):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "memfd_create", refuse)


def leave(monkeypatch, n):
    for module in (backing, writer):
        monkeypatch.setattr(module, "memory_headroom", lambda: Headroom(n, "cgroup x"))


def open_with_one_warning(places, folder=None):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        opened = open_writer(LAYOUT, places, folder)
    assert [one.category for one in caught] == [FallbackWarning]
    return opened, str(caught[0].message)


def check_it_works(opened):
    with opened:
        opened.write_rows(0, ROWS)
        store = opened.seal()
    np.testing.assert_array_equal(store.array, ROWS)


@pytest.mark.parametrize("place", ["memfd", "file", "private"])
def test_the_first_place_is_taken_without_a_word(place):
    opened = open_writer(LAYOUT, [place, "private"])
    assert opened.place == place
    check_it_works(opened)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM])
def test_memfd_refused(monkeypatch, tmp_path, number):
    refuse_memfd(monkeypatch, number)
    opened, text = open_with_one_warning(["memfd", "file"], tmp_path)
    assert opened.place == "file"
    assert text.startswith("the images go to an anonymous disk file instead of memory; memfd: ")
    assert os.strerror(number) in text
    assert "seccomp" in text
    check_it_works(opened)


def test_a_system_without_memfd(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "memfd_create")
    opened, text = open_with_one_warning(["memfd", "file"], tmp_path)
    assert opened.place == "file"
    assert "this system has no memfd_create" in text
    check_it_works(opened)


def test_too_little_memory(monkeypatch, tmp_path):
    leave(monkeypatch, 5000)
    opened, text = open_with_one_warning(["memfd", "file"], tmp_path)
    assert opened.place == "file"
    assert "cgroup x" in text
    assert "free memory, choose storage=uint8, layout=packed" in text
    check_it_works(opened)


def test_memory_is_only_taken_beside_the_reserve(monkeypatch, tmp_path):
    need = LAYOUT.total_bytes
    leave(monkeypatch, 2 * need - 2)
    opened, _ = open_with_one_warning(["memfd", "file"], tmp_path)
    opened.abort()
    leave(monkeypatch, 2 * need)
    with open_writer(LAYOUT, ["memfd", "file"]) as opened:
        assert opened.place == "memfd"


def test_all_places_refused(monkeypatch, tmp_path):
    leave(monkeypatch, 1000)
    monkeypatch.setattr(backing, "disk_free", lambda folder: 2000)
    with pytest.raises(StoreFullError) as caught:
        open_writer(LAYOUT, ["memfd", "file", "private"], tmp_path)
    first, *reasons = str(caught.value).split("; ")
    assert first.startswith("no place for a store of 6.05 KiB: memfd: ")
    text = str(caught.value)
    assert f"file: {tmp_path} has 1.95 KiB free (set TMPDIR to a folder with more room" in text
    assert "private: " in text
    assert "images=on_device" in text
    assert reasons
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_folder_is_a_reason(tmp_path):
    missing = tmp_path / "missing"
    with pytest.raises(StoreFullError, match="file: No such file or directory"):
        open_writer(LAYOUT, ["file"], missing)


def test_an_unknown_place_is_refused_before_any_is_tried():
    with pytest.raises(ConfigError, match="place='ram' is not known; allowed: memfd, file"):
        open_writer(LAYOUT, ["memfd", "ram"])


def test_a_file_system_without_nameless_files(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "O_TMPFILE")
    opened = open_writer(LAYOUT, ["file"], tmp_path)
    assert list(tmp_path.iterdir()) == []
    check_it_works(opened)


def test_a_file_in_memory_is_weighed_as_memory(monkeypatch, tmp_path):
    leave(monkeypatch, 1000)
    monkeypatch.setattr(backing, "is_in_memory", lambda folder: True)
    with pytest.raises(StoreFullError, match="cgroup x"):
        open_writer(LAYOUT, ["file"], tmp_path)


def test_files_go_to_a_disk_where_the_temporary_folder_is_memory(monkeypatch):
    monkeypatch.setattr(backing, "is_in_memory", lambda folder: True)
    assert backing.disk_folder() == Path("/var/tmp")
    monkeypatch.setattr(backing, "is_in_memory", lambda folder: False)
    assert backing.disk_folder() == Path(tempfile.gettempdir())


def test_twenty_openings_leave_no_file_open():
    before = len(leaks.open_files())
    for _ in range(20):
        for place in ("memfd", "file"):
            with open_writer(LAYOUT, [place]) as opened:
                opened.write_rows(0, ROWS)
                opened.seal().close()
    assert len(leaks.open_files()) == before
