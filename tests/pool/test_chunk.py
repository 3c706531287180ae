"""One chunk is drawn in small blocks; where the blocks end changes no byte."""

import threading

import numpy as np
import pytest

import leaks
from dualgaf.errors import SeriesError
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.pool import chunk as module
from dualgaf.pool.chunk import ChunkFiller
from dualgaf.store.backing import open_writer
from fills import bounds_of, images_of, layout_of, windows_of

RECIPE = ImagingRecipe(8)
ROW_BYTES = 2 * 2 * 8 * 8


@pytest.fixture(autouse=True)
def _leaves_nothing():
    yield from leaks.leaves_nothing()


def filler_of(windows, recipe=RECIPE, place="memfd"):
    renderer = Renderer(recipe, windows.window_size, bounds_of(windows, recipe))
    return ChunkFiller(renderer, windows, open_writer(layout_of(windows, recipe), [place]))


@pytest.mark.parametrize("rows_per_block", [1, 3, 10, 1000])
@pytest.mark.parametrize("layout", ["dual", "packed"])
def test_the_size_of_a_block_changes_no_byte(monkeypatch, rows_per_block, layout):
    recipe = ImagingRecipe(8, layout=layout)
    row_bytes = ROW_BYTES if layout == "dual" else ROW_BYTES // 2
    monkeypatch.setattr(module, "BLOCK_BYTES", rows_per_block * row_bytes)
    windows = windows_of(25)
    filler = filler_of(windows, recipe)
    with filler.writer as writer:
        for first, last in ((20, 25), (0, 7), (7, 20)):
            filler.fill(first, last)
        store = writer.seal()
    np.testing.assert_array_equal(store.array, images_of(windows, recipe))


def test_a_row_larger_than_a_block_is_drawn_alone(monkeypatch):
    monkeypatch.setattr(module, "BLOCK_BYTES", 1)
    windows = windows_of(5)
    filler = filler_of(windows)
    with filler.writer as writer:
        filler.fill(0, 5)
        np.testing.assert_array_equal(writer.seal().array, images_of(windows, RECIPE))


@pytest.mark.parametrize("place", ["memfd", "file", "private"])
def test_only_the_rows_of_the_chunk_are_touched(place):
    windows = windows_of(20)
    filler = filler_of(windows, place=place)
    with filler.writer as writer:
        writer.write_rows(0, np.full((20, 2, 2, 8, 8), 99, np.uint8))
        filler.fill(5, 12)
        store = writer.seal()
    np.testing.assert_array_equal(store.array[5:12], images_of(windows, RECIPE)[5:12])
    assert (store.array[:5] == 99).all()
    assert (store.array[12:] == 99).all()


def test_private_memory_is_drawn_in_place(monkeypatch):
    windows = windows_of(6)
    filler = filler_of(windows, place="private")

    def never(first, rows):
        raise AssertionError("rows were copied")

    monkeypatch.setattr(filler.writer, "write_rows", never)
    with filler.writer as writer:
        filler.fill(0, 6)
        np.testing.assert_array_equal(writer.seal().array, images_of(windows, RECIPE))


def test_each_thread_has_a_block_of_its_own():
    filler = filler_of(windows_of(6))
    blocks = [filler._block()]
    thread = threading.Thread(target=lambda: blocks.append(filler._block()))
    thread.start()
    thread.join()
    assert filler._block() is blocks[0]
    assert not np.shares_memory(*blocks)
    filler.writer.abort()


def test_the_window_that_cannot_be_drawn_is_named_by_its_own_number(monkeypatch):
    monkeypatch.setattr(module, "BLOCK_BYTES", 3 * ROW_BYTES)
    windows = windows_of(40)
    windows.flat[0, 30 + 15] = np.nan
    filler = filler_of(windows)
    with filler.writer, pytest.raises(SeriesError, match="window 30, channel 0 holds a NaN"):
        filler.fill(20, 40)
