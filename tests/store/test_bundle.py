"""Arrays that are pickled as a handle: what comes out, what it takes, what is refused."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import leaks
from dualgaf.errors import StoreFullError
from dualgaf.store import backing
from dualgaf.store import bundle as arrays
from dualgaf.store.bundle import SharedArrays
from dualgaf.store.writer import SegmentWriter


def sent(shared):
    """What another process would get; the memory lives as long as one of both does."""
    return pickle.loads(pickle.dumps(shared))


PLAIN = st.one_of(
    hnp.integer_dtypes(), hnp.floating_dtypes(sizes=(16, 32, 64)), hnp.boolean_dtypes()
)


@given(
    st.lists(
        PLAIN.flatmap(lambda t: hnp.arrays(t, hnp.array_shapes(min_dims=0, min_side=0))), max_size=4
    )
)
def test_any_plain_arrays_come_back(given_arrays):
    named = {f"array {k}": array for k, array in enumerate(given_arrays)}
    shared = SharedArrays(named)
    found = sent(shared).arrays
    assert list(found) == list(named)
    for name, array in named.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()
        assert array.size == 0 or found[name].ctypes.data % 64 == 0  # as kernels like it


def test_arrays_that_are_no_block_of_memory():
    whole = np.arange(60.0).reshape(3, 4, 5)
    named = {"turned": whole.T, "every other": whole[:, ::2], "one column": whole[:, :, 1]}
    shared = SharedArrays(named)
    found = sent(shared).arrays
    for name, array in named.items():
        np.testing.assert_array_equal(found[name], array)


def test_the_pickle_is_small_and_all_copies_are_one_memory():
    shared = SharedArrays({"a": np.arange(1 << 20), "b": np.zeros((7, 3), np.float32)})
    assert leaks.held_stores() == []
    data = pickle.dumps(shared)
    assert len(data) < 1024
    assert len(pickle.dumps(SharedArrays({"a": np.arange(1 << 10)}))) < 1024
    one, two = pickle.loads(data), pickle.loads(data)
    one.arrays["a"][:] = 0
    np.testing.assert_array_equal(two.arrays["a"], np.arange(1 << 20))
    assert pickle.dumps(shared) == data
    inodes = {store._shared[0].handle.files[0].inode for store in (shared, one, two)}
    assert len(inodes) == 1


def test_it_is_sent_on_when_the_first_owner_is_gone():
    code = """
import pickle, sys
shared = pickle.load(sys.stdin.buffer)
pickle.dump(pickle.dumps(shared), sys.stdout.buffer)
sys.stdout.flush()
sys.stdin.readline()
"""
    shared = SharedArrays({"a": np.arange(1000)})
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        child.stdin.write(pickle.dumps(shared))
        child.stdin.flush()
        sent_on = pickle.load(child.stdout)
        del shared
        assert leaks.held_stores() == []
        found = pickle.loads(sent_on)
        child.stdin.close()
    np.testing.assert_array_equal(found.arrays["a"], np.arange(1000))


def test_holds_compares_names_types_and_values():
    array = np.arange(5)
    shared = SharedArrays({"a": array})
    assert shared.holds({"a": array.copy()})
    assert not shared.holds({"b": array})
    assert not shared.holds({"a": array, "b": array})
    assert not shared.holds({"a": array.astype(np.int32)})
    pickle.dumps(shared)
    array[2] = 7  # not what was sent
    assert not shared.holds({"a": array})


def test_no_place_is_an_error_that_says_what_to_type(monkeypatch, tmp_path):
    def refuse(name, flags=0):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "memfd_create", refuse)
    monkeypatch.setattr(backing, "disk_free", lambda folder: 100)
    with pytest.raises(StoreFullError, match=r"loader workers: .*memfd: .*file: .*num_workers=0"):
        pickle.dumps(SharedArrays({"a": np.arange(1000)}))


def test_large_arrays_are_written_in_parts_while_there_is_room(monkeypatch):
    monkeypatch.setattr(arrays, "CHECK_BYTES", 1000)
    asked = []
    monkeypatch.setattr(SegmentWriter, "check_headroom", lambda writer: asked.append(writer.place))
    array = np.random.default_rng(0).normal(size=777)
    shared = SharedArrays({"pad": array[:3], "a": array})
    found = sent(shared).arrays
    np.testing.assert_array_equal(found["a"], array)
    assert asked == ["memfd"] * (1 + 7)
