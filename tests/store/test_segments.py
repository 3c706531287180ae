"""Several files as one range of bytes: where the seams lie, and that nobody notices them."""

import errno
import mmap
import os
import resource
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import leaks
from dualgaf.store import segments
from dualgaf.store.backing import open_writer
from dualgaf.store.layout import StoreLayout
from dualgaf.store.segments import MAX_SEGMENTS, MIN_SEGMENT_BYTES, Segments, segment_count

PAGE = mmap.PAGESIZE


def new_file():
    return os.memfd_create("dualgaf-segments", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


@pytest.mark.parametrize(
    ("total", "workers", "count"),
    [
        (100, 8, 1),
        (MIN_SEGMENT_BYTES, 8, 1),
        (2 * MIN_SEGMENT_BYTES, 8, 2),
        (1 << 40, 2, 2),
        (1 << 40, 1000, MAX_SEGMENTS),
    ],
)
def test_each_worker_of_a_large_store_has_a_file(total, workers, count):
    assert segment_count(total, workers) == count


def test_the_seams_lie_on_whole_pages():
    files = Segments.create(new_file, 10 * PAGE + 7, 3)
    assert files.starts == (0, 3 * PAGE, 6 * PAGE)
    assert files.sizes == (3 * PAGE, 3 * PAGE, 4 * PAGE + 7)
    assert [os.fstat(descriptor).st_size for descriptor in files.descriptors] == list(files.sizes)
    assert files.allocated_bytes() == 0
    files.write(b"x", 3 * PAGE)
    assert [os.fstat(descriptor).st_blocks > 0 for descriptor in files.descriptors] == [
        False,
        True,
        False,
    ]
    files.close()


def test_the_seams_of_a_large_store_lie_on_whole_huge_pages():
    files = Segments((0, 1, 2), 100 << 20)
    assert files.starts == (0, 32 << 20, 66 << 20)
    assert files.sizes == (32 << 20, 34 << 20, 34 << 20)


@given(st.data())
def test_whatever_is_written_reads_back_across_the_seams(data):
    pages, count = data.draw(st.integers(4, 9)), data.draw(st.integers(1, 4))
    total = pages * PAGE + data.draw(st.integers(0, PAGE - 1))
    files = Segments.create(new_file, total, count)
    wanted = np.zeros(total, np.uint8)
    for value in range(1, 5):
        first = data.draw(st.integers(0, total - 1))
        last = data.draw(st.integers(first, total))
        files.write(bytes([value]) * (last - first), first)
        wanted[first:last] = value
    np.testing.assert_array_equal(np.frombuffer(files.map(), np.uint8), wanted)
    files.close()


def test_a_change_in_the_map_stays_in_the_map():
    files = Segments.create(new_file, 4 * PAGE, 2)
    files.write(b"ab", 2 * PAGE - 1)
    files.seal()
    mapped = files.map()
    mapped[2 * PAGE - 1 : 2 * PAGE + 1] = b"xy"
    assert files.map()[2 * PAGE - 1 : 2 * PAGE + 1] == b"ab"
    files.close()
    assert mapped[2 * PAGE - 1 : 2 * PAGE + 1] == b"xy"  # a map outlives the files
    assert mapped[0] == 0


def test_the_map_is_freed_with_the_last_array_over_it():
    files = Segments.create(new_file, 4 * PAGE, 2)
    part = np.frombuffer(files.map(), np.uint8)[3 * PAGE :]
    files.close()
    assert len(leaks.held_stores()) == 2
    assert part[0] == 0
    del part
    assert leaks.held_stores() == []


def test_a_seal_waits_until_what_is_in_its_way_is_gone(monkeypatch):
    # A writable map is refused by the same error as a page that the kernel is moving.
    file = new_file()
    os.truncate(file, PAGE)
    files = Segments((file,), PAGE)
    in_the_way = mmap.mmap(file, PAGE)
    monkeypatch.setattr(segments, "SEAL_WAIT_S", 0.05)
    with pytest.raises(OSError, match="busy") as caught:
        files.seal()
    assert caught.value.errno == errno.EBUSY
    monkeypatch.setattr(segments, "SEAL_WAIT_S", 60)
    gone = threading.Timer(0.1, in_the_way.close)
    gone.start()
    files.seal()
    gone.join()
    with pytest.raises(PermissionError):
        os.pwrite(file, b"x", 0)
    files.close()


def test_sealed_files_cannot_be_changed():
    files = Segments.create(new_file, 4 * PAGE, 2)
    files.seal()
    for offset in (0, 3 * PAGE):
        with pytest.raises(PermissionError):
            files.write(b"x", offset)
    files.close()


def test_a_refused_file_leaves_none_open():
    opened = []

    def one_only():
        if opened:
            raise OSError(errno.EMFILE, "too many open files")
        opened.append(new_file())
        return opened[0]

    with pytest.raises(OSError, match="too many open files"):
        Segments.create(one_only, 4 * PAGE, 2)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])


def test_without_room_for_private_maps_the_bytes_are_mapped_read_only():
    files = Segments.create(new_file, 400 * PAGE, 2)
    files.write(b"ab", 200 * PAGE - 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (1 << 20, hard))
    try:
        array = np.frombuffer(files.map(), np.uint8)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    assert not array.flags.writeable
    assert array[200 * PAGE - 1 : 200 * PAGE + 1].tobytes() == b"ab"
    files.close()


@pytest.mark.parametrize("place", ["memfd", "file"])
def test_a_store_in_several_files_holds_the_rows(place, monkeypatch):
    monkeypatch.setattr("dualgaf.store.segments.MIN_SEGMENT_BYTES", PAGE)
    layout = StoreLayout(9, (3000,), "uint8")  # no row ends where a page does
    rows = np.random.default_rng(0).integers(0, 256, (9, 3000), dtype=np.uint8)
    with open_writer(layout, [place], workers=4) as writer:
        assert len(writer.segments.descriptors) == 4
        for first in (6, 0, 3):
            writer.write_rows(first, rows[first : first + 3])
        store = writer.seal()
    np.testing.assert_array_equal(store.array, rows)
    store.close()


def test_a_segment_that_cannot_be_mapped_is_an_error_of_the_system():
    reader, writer = os.pipe()
    try:
        with pytest.raises(OSError, match="a segment of the store cannot be mapped") as caught:
            Segments((reader, reader), 2 * PAGE).map()
    finally:
        os.close(reader)
        os.close(writer)
    assert caught.value.errno in (errno.ENODEV, errno.EACCES)
