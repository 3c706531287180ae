"""Memory that is taken again: never while anybody has it."""

import mmap
import os

import numpy as np
import pytest

from dualgaf.imaging import reused
from dualgaf.imaging.reused import LARGE_BYTES, empty
from dualgaf.pyts import GramianAngularField

SHAPE = (3, LARGE_BYTES // 4)

pytestmark = pytest.mark.skipif(
    not hasattr(mmap, "MADV_FREE"), reason="this system has no MADV_FREE"
)


@pytest.fixture(autouse=True)
def _nothing_kept():
    reused._kept.clear()
    yield
    reused._kept.clear()


def address(array):
    return array.__array_interface__["data"][0]


def test_memory_of_an_array_that_is_gone_is_that_of_the_next():
    first = empty(SHAPE, np.float32)
    assert (first.shape, first.dtype, first.flags.writeable) == (SHAPE, np.float32, True)
    assert first.flags.c_contiguous
    first[:] = 7.0
    before = address(first)
    del first
    again = empty(SHAPE, np.float32)
    assert address(again) == before
    smaller = empty((2, SHAPE[1]), np.float32)  # the first one is in use
    assert address(smaller) != before


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[1:, ::2],
        lambda a: a.reshape(-1).view(np.uint8),
        lambda a: np.asarray(a.T),
        lambda a: pytest.importorskip("torch").from_numpy(a)[2],
        memoryview,
    ],
    ids=["slice", "bytes", "turned", "tensor", "memoryview"],
)
def test_whoever_has_a_part_keeps_the_whole(view):
    first = empty(SHAPE, np.float32)
    first[:] = 7.0
    part = view(first)
    before = np.asarray(part).copy()
    del first
    other = empty(SHAPE, np.float32)
    other[:] = 1.0
    assert np.array_equal(np.asarray(part), before)
    place = address(other)
    del part, other
    assert len(reused._kept) == 1  # the others are given back
    assert address(empty(SHAPE, np.float32)) == place


def test_a_block_that_is_far_too_large_is_let_go():
    del_me = empty((9, LARGE_BYTES), np.uint8)
    del del_me
    small = empty((4, LARGE_BYTES), np.uint8)
    assert not reused._kept
    assert len(small) == 4


def test_small_arrays_and_systems_without_it_are_numpys(monkeypatch):
    assert empty((10,), np.float32).base is None
    monkeypatch.delattr(mmap, "MADV_FREE")
    assert empty(SHAPE, np.float32).base is None


def test_memory_that_is_refused_is_asked_of_numpy(monkeypatch):
    def refuse(*given, **named):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(reused.mmap, "mmap", refuse)
    assert empty(SHAPE, np.float32).base is None


def test_a_forked_process_has_its_own():
    kept = empty(SHAPE, np.float32)
    kept[:] = 7.0
    child = os.fork()
    if child == 0:
        kept[:] = 1.0
        os._exit(0)
    os.waitpid(child, 0)
    assert kept.min() == 7.0


def test_images_that_are_kept_are_not_drawn_over():
    x = np.random.default_rng(0).normal(size=(2, 300, 64))
    field = GramianAngularField(64)
    first = field.transform(x[0])
    assert first.base is not None  # large enough
    before = first.copy()
    second = field.transform(x[1])
    assert np.array_equal(first, before)
    del first
    third = field.transform(x[0])
    assert np.array_equal(third, before)
    assert not np.array_equal(second, before)
