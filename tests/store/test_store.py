"""Reading a sealed store here and in other processes."""

import gc
import multiprocessing
import os
import pickle
import resource
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import leaks
from dualgaf.errors import HandleError
from dualgaf.store.backing import open_writer
from dualgaf.store.layout import StoreLayout
from dualgaf.store.segments import Segments
from dualgaf.store.store import Store, attach

LAYOUT = StoreLayout(50, (3, 7), "uint16")
ROWS = np.arange(50 * 21, dtype=np.uint16).reshape(50, 3, 7)
SHARED = ["memfd", "file"]
MIB = 1 << 20


def build(place="memfd", layout=LAYOUT, rows=ROWS):
    with open_writer(layout, [place]) as writer:
        writer.write_rows(0, rows)
        return writer.seal()


@pytest.mark.parametrize("place", SHARED)
def test_a_second_map_shows_the_same_bytes(place):
    store = build(place)
    other = attach(store.handle)
    np.testing.assert_array_equal(other.array, ROWS)
    assert other.array.shape == (50, 3, 7)
    assert other.backing == place
    assert other.layout == LAYOUT
    assert other.array.flags.c_contiguous


@pytest.mark.parametrize("place", SHARED)
def test_a_change_in_place_is_seen_by_nobody_else(place):
    store = build(place)
    before = attach(store.handle)
    store.array[:] = 7
    store.array += 1
    after = attach(store.handle)
    np.testing.assert_array_equal(before.array, ROWS)
    np.testing.assert_array_equal(after.array, ROWS)
    after.array[3] = 0
    np.testing.assert_array_equal(before.array, ROWS)
    assert store.array.min() == store.array.max() == 8


@pytest.mark.parametrize("place", [*SHARED, "private"])
def test_arrays_stay_valid_after_close(place):
    store = build(place)
    rows, one = store.array, store.array[17]
    store.close()
    store.close()
    assert store.array.shape == (0, 3, 7)
    del store
    gc.collect()
    np.testing.assert_array_equal(rows, ROWS)
    np.testing.assert_array_equal(one, ROWS[17])


@pytest.mark.parametrize("place", SHARED)
def test_memory_is_back_when_the_last_array_is_gone(place):
    before = len(leaks.open_files())
    store = build(place)
    row = store.array[3:4]
    store.close()
    assert len(leaks.open_files()) == before + 1  # the map holds a descriptor of its own
    del row, store
    gc.collect()
    assert not [
        link for link in leaks.open_files().values() if "(deleted)" in link and "gaf" in link
    ]


def test_a_store_that_is_dropped_is_closed():
    build()
    gc.collect()
    assert not leaks.held_stores()


def test_the_pickle_is_small_whatever_the_size():
    layout = StoreLayout(4, (1 << 20,), "uint8")
    store = build(layout=layout, rows=np.ones((4, 1 << 20), np.uint8))
    data = pickle.dumps(store)
    assert len(data) < 4096
    assert pickle.loads(data).array.sum() == 4 << 20


def test_attaching_and_reading_takes_no_memory_and_a_change_takes_one_page():
    layout = StoreLayout(16, (1 << 20,), "uint8")
    store = build(layout=layout, rows=np.ones((16, 1 << 20), np.uint8))
    others = [attach(store.handle) for _ in range(4)]
    assert sum(int(other.array[::4, ::4096].sum()) for other in others) == 4 * 4 * 256
    assert leaks.store_pages()["Anonymous"] == 0
    assert leaks.store_pages()["Rss"] >= 4 * 4 * MIB
    others[0].array[5, 5] = 0
    assert leaks.store_pages()["Anonymous"] == os.sysconf("SC_PAGE_SIZE")


def test_private_memory_cannot_be_sent():
    store = build("private")
    with pytest.raises(HandleError, match=r"type parallel\.shm=true, or num_workers=0"):
        pickle.dumps(store)


def test_a_closed_store_has_no_handle():
    store = build()
    store.close()
    with pytest.raises(HandleError, match="the store is closed"):
        _ = store.handle


CHILD = """
    import pickle, sys
    store = pickle.load(sys.stdin.buffer)
    print(int(store.array.sum()), store.backing, flush=True)
    store.array[:] = 0
"""


@pytest.mark.parametrize("place", SHARED)
def test_an_unrelated_process_attaches(place):
    store = build(place)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD)],
        input=pickle.dumps(store),
        capture_output=True,
        check=True,
    )
    assert done.stdout.split() == [str(ROWS.sum()).encode(), place.encode()]
    np.testing.assert_array_equal(store.array, ROWS)


def _sum(store, answers):
    answers.send(int(store.array.sum()))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_process_of_multiprocessing_attaches(method):
    store = build()
    context = multiprocessing.get_context(method)
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_sum, args=(store, sending))
    process.start()
    assert receiving.poll(60)
    assert receiving.recv() == ROWS.sum()
    process.join()
    process.close()
    receiving.close()
    sending.close()


def test_an_attached_store_is_passed_on_after_its_maker_is_gone():
    maker = """
        import os, pickle, sys
        import numpy as np
        from dualgaf.store.backing import open_writer
        from dualgaf.store.layout import StoreLayout
        with open_writer(StoreLayout(5, (4,), "uint8"), ["memfd"]) as writer:
            writer.write_rows(0, np.full((5, 4), 3, np.uint8))
            store = writer.seal()
        sys.stdout.buffer.write(pickle.dumps(store))
        sys.stdout.flush()
        os.close(1)
        sys.stdin.read()
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(maker)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    data = process.stdout.read()
    store = pickle.loads(data)
    process.kill()
    process.communicate()
    assert store.array.sum() == 60
    again = pickle.loads(pickle.dumps(store))  # the handle names this process now
    assert again.array.sum() == 60
    with pytest.raises(HandleError, match=f"process {process.pid}, which held the store, is gone"):
        pickle.loads(data)


def test_a_limit_on_private_memory_gives_a_read_only_array():
    layout = StoreLayout(64, (1 << 20,), "uint8")
    store = build(layout=layout, rows=np.ones((64, 1 << 20), np.uint8))
    code = """
        import pickle, resource, sys
        data = sys.stdin.buffer.read()
        import numpy, dualgaf.store.store
        resource.setrlimit(resource.RLIMIT_DATA, (32 << 20, 32 << 20))
        store = pickle.loads(data)
        print(store.array.flags.writeable, int(store.array[::8, 0].sum()))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        input=pickle.dumps(store),
        capture_output=True,
        check=False,
    )
    assert done.stdout.split() == [b"False", b"8"], done.stderr
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY


def test_a_file_that_cannot_be_mapped_is_closed():
    descriptor = os.memfd_create("dualgaf-short")
    with pytest.raises((ValueError, OSError)):
        Store.from_segments(LAYOUT, "memfd", Segments((descriptor,), LAYOUT.total_bytes), b"")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
