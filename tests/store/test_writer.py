"""Filling a store: rows, seals, full places, memory that becomes short, and nothing left."""

import errno
import fcntl
import mmap
import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import leaks
from dualgaf.errors import StoreFullError
from dualgaf.store import writer as writer_module
from dualgaf.store.backing import open_writer
from dualgaf.store.layout import HEADER_BYTES, StoreLayout
from dualgaf.store.writer import PrivateWriter, memory_reserve
from dualgaf.system.machine import Headroom, Machine

LAYOUT = StoreLayout(50, (3, 7), "uint16")
ROWS = np.arange(50 * 21, dtype=np.uint16).reshape(50, 3, 7)
PLACES = ["memfd", "file", "private"]


@pytest.mark.parametrize("place", PLACES)
def test_what_is_written_is_read(place):
    with open_writer(LAYOUT, [place]) as writer:
        assert writer.place == place
        writer.write_rows(20, ROWS[20:])
        writer.write_rows(0, ROWS[:20])
        store = writer.seal()
    np.testing.assert_array_equal(store.array, ROWS)
    assert store.backing == place
    assert store.nbytes == LAYOUT.data_bytes
    store.close()


@pytest.mark.parametrize("place", PLACES)
def test_rows_that_are_not_contiguous_are_written_right(place):
    with open_writer(LAYOUT, [place]) as writer:
        writer.write_rows(0, np.asfortranarray(ROWS))
        np.testing.assert_array_equal(writer.seal().array, ROWS)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("first", "rows"),
    [
        (49, ROWS[:2]),
        (-1, ROWS[:1]),
        (0, ROWS[:, :2]),
        (0, ROWS.astype(np.uint8)),
        (0, ROWS.astype(np.float64)),
    ],
    ids=["beyond the end", "before the start", "another shape", "smaller type", "larger type"],
)
def test_rows_of_another_kind_are_refused(place, first, rows):
    with open_writer(LAYOUT, [place]) as writer, pytest.raises(ValueError, match="do not fit"):
        writer.write_rows(first, rows)


@pytest.mark.parametrize("place", PLACES)
def test_an_unsealed_store_is_freed(place):
    with open_writer(LAYOUT, [place]) as writer:
        writer.write_rows(0, ROWS)
    assert writer.segments is None
    assert not leaks.held_stores()
    writer.abort()  # twice is allowed


@pytest.mark.parametrize("place", ["memfd", "file"])
def test_abort_after_seal_leaves_the_store_alone(place):
    with open_writer(LAYOUT, [place]) as writer:
        writer.write_rows(0, ROWS)
        store = writer.seal()
        writer.abort()
        with pytest.raises(ValueError, match="sealed or freed before"):
            writer.seal()
    np.testing.assert_array_equal(store.array, ROWS)


def test_a_sealed_memfd_refuses_every_change():
    with open_writer(LAYOUT, ["memfd"]) as writer:
        writer.write_rows(0, ROWS)
        descriptor = os.dup(writer.segments.descriptors[0])
        store = writer.seal()
    try:
        for change in (
            lambda: os.pwrite(descriptor, b"x", 5000),
            lambda: os.ftruncate(descriptor, 0),
            lambda: os.ftruncate(descriptor, 1 << 20),
            lambda: fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, 0),
            lambda: mmap.mmap(descriptor, 4096, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE),
        ):
            with pytest.raises(PermissionError):
                change()
        mmap.mmap(descriptor, 4096, mmap.MAP_SHARED, mmap.PROT_READ).close()
    finally:
        os.close(descriptor)
    np.testing.assert_array_equal(store.array, ROWS)


def test_allocated_bytes_grow_with_what_is_written():
    # Where shared memory comes in huge pages, as `doctor` advises, a page is the least.
    page = largest_page_of_shared_memory()
    layout = StoreLayout(64, (1 << 18,), "uint8")  # 16 MiB
    with open_writer(layout, ["memfd"]) as writer:
        # Nothing is reserved: what the headers take.
        assert writer.allocated_bytes() <= max(2 * HEADER_BYTES, 2 * page)
        writer.write_rows(0, np.ones((16, 1 << 18), np.uint8))
        taken = writer.allocated_bytes()
        assert 4 << 20 <= taken <= (4 << 20) + max(64 << 10, 2 * page)
    assert writer.allocated_bytes() == 0


def largest_page_of_shared_memory():
    if Machine.read().shmem_thp in ("always", "within_size", "force"):
        return int(Path("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size").read_text())
    return mmap.PAGESIZE


@pytest.mark.parametrize("place", ["file", "private"])
def test_only_shared_memory_is_counted_as_taken(place):
    with open_writer(LAYOUT, [place]) as writer:
        writer.write_rows(0, ROWS)
        writer.check_headroom()
        assert writer.allocated_bytes() == 0


def headroom_of(monkeypatch, n):
    monkeypatch.setattr(writer_module, "memory_headroom", lambda: Headroom(n, "cgroup x"))


def test_memory_that_becomes_short_ends_the_build(monkeypatch):
    monkeypatch.setattr(writer_module, "CHECK_BYTES", 1 << 20)
    layout = StoreLayout(8, (1 << 20,), "uint8")
    row = np.ones((1, 1 << 20), np.uint8)
    with open_writer(layout, ["memfd"]) as writer:
        writer.write_rows(0, row)
        writer.check_headroom()
        headroom_of(monkeypatch, 1 << 20)
        writer.check_headroom()  # nothing was written since
        writer.write_rows(1, row)
        writer.write_rows(2, row)
        with pytest.raises(StoreFullError) as caught:
            writer.check_headroom()
    assert caught.value.errno == errno.ENOMEM
    text = str(caught.value)
    assert "memory became short while building: 1.00 MiB are left (cgroup x), " in text
    if largest_page_of_shared_memory() == mmap.PAGESIZE:  # else more is left to be written
        assert "5.00 MiB" in text
    assert "layout=packed" in text
    assert not leaks.held_stores()


@pytest.mark.parametrize(
    ("headroom", "reserve"), [(100 << 30, 10 << 30), (8 << 30, 1 << 30), (1 << 30, 1 << 29), (0, 0)]
)
def test_the_reserve_by_hand(monkeypatch, headroom, reserve):
    headroom_of(monkeypatch, headroom)
    assert memory_reserve() == reserve


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM])
@pytest.mark.parametrize("place", ["memfd", "file"])
def test_a_place_that_fills_up_is_named(monkeypatch, place, number):
    def full(descriptor, data, offset):
        raise OSError(number, os.strerror(number))

    with open_writer(LAYOUT, [place]) as writer:
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(StoreFullError, match=rf"{place} is full after \S+ [KM]iB: ") as caught:
            writer.write_rows(10, ROWS[10:])
        assert caught.value.errno == number


def test_another_error_of_the_disk_stays_what_it_is(monkeypatch):
    def broken(descriptor, data, offset):
        raise OSError(errno.EIO, "Input/output error")

    with open_writer(LAYOUT, ["file"]) as writer:
        monkeypatch.setattr(os, "pwrite", broken)
        with pytest.raises(OSError, match="Input/output error") as caught:
            writer.write_rows(0, ROWS)
    assert not isinstance(caught.value, StoreFullError)


def test_short_writes_are_continued(monkeypatch):
    whole = os.pwrite
    with open_writer(LAYOUT, ["memfd"]) as writer:
        monkeypatch.setattr(
            os, "pwrite", lambda descriptor, data, offset: whole(descriptor, data[:13], offset)
        )
        writer.write_rows(0, ROWS)
        store = writer.seal()
    np.testing.assert_array_equal(store.array, ROWS)


def test_private_memory_that_the_system_refuses_is_a_full_store():
    with pytest.raises(StoreFullError, match="the system refuses that much memory"):
        PrivateWriter(StoreLayout(1 << 30, (1 << 25,), "uint8"))


def test_a_file_size_limit_is_a_full_store_not_a_signal():
    code = """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        from dualgaf.errors import StoreFullError
        from dualgaf.store.backing import open_writer
        from dualgaf.store.layout import StoreLayout
        try:
            open_writer(StoreLayout(4, (1 << 20,), "uint8"), ["memfd", "file"])
        except StoreFullError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert "memfd: File too large" in done.stdout
    assert "file: File too large" in done.stdout
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1 << 20
