"""Rows are handed out as memory allows: whole, in parts, one worker after the other, not at all."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.errors import StoreFullError
from dualgaf.pool import memory_watch
from dualgaf.pool.memory_watch import MemoryWatch
from dualgaf.store import writer as store_writer
from dualgaf.store.backing import open_writer
from dualgaf.store.layout import StoreLayout
from dualgaf.system.machine import Headroom

ROW = 1000
LAYOUT = StoreLayout(1000, (ROW,), "uint8")


class Machine:
    """Free memory and a clock that a test sets. The reserve is 0."""

    def __init__(self, monkeypatch) -> None:
        self.free, self.now, self.reads = 10 * LAYOUT.total_bytes, 100.0, 0
        monkeypatch.setattr(store_writer, "memory_headroom", self.read)
        monkeypatch.setattr(store_writer, "CHECK_BYTES", 1001 * ROW)  # less than the store
        monkeypatch.setattr(memory_watch.time, "monotonic", lambda: self.now)

    def read(self) -> Headroom:
        self.reads += 1
        return Headroom(self.free, "cgroup x")

    def leaves(self, free: int) -> None:
        """So much is free, which is seen at the next question."""
        self.free = free
        self.now += memory_watch.READ_S


@pytest.fixture
def machine(monkeypatch) -> Machine:
    return Machine(monkeypatch)


@pytest.fixture
def writer(monkeypatch, machine):
    with open_writer(LAYOUT, ["memfd"]) as opened:
        monkeypatch.setattr(opened, "_reserve", 0)
        machine.reads = 0
        yield opened


def test_where_the_rest_fits_a_chunk_stays_whole(machine, writer):
    watch = MemoryWatch(writer, 2)
    assert [watch.rows(0, 100), watch.rows(100, 1000), watch.rows(5, 6)] == [100, 900, 1]
    assert machine.reads == 1


def test_a_chunk_larger_than_what_is_written_between_two_readings_comes_in_parts(
    machine, writer, monkeypatch
):
    monkeypatch.setattr(store_writer, "CHECK_BYTES", 64 * ROW)
    watch = MemoryWatch(writer, 2)
    assert [watch.rows(0, 1000), watch.rows(64, 1000), watch.rows(990, 1000)] == [64, 64, 10]
    assert machine.reads == 3  # not the time has passed, but 64 rows were handed out


def test_where_the_rest_does_not_fit_parts_shrink_with_what_is_left(machine, writer):
    machine.leaves(160 * ROW)
    watch = MemoryWatch(writer, 2)
    # a quarter of a worker's half: 160 / 8, then 140 / 8, 123 / 8
    assert [watch.rows(0, 1000), watch.rows(20, 1000), watch.rows(37, 1000)] == [20, 17, 15]


def test_workers_pause_one_by_one_and_go_on_when_memory_is_back(machine, writer, caplog):
    machine.leaves(2 * ROW + 1)
    watch = MemoryWatch(writer, 2)
    assert [watch.rows(0, 9), watch.rows(9, 18), watch.rows(18, 27)] == [1, 1, 0]
    machine.leaves(ROW - 1)
    assert watch.rows(18, 27) == 0
    assert "drawing waits for memory: 1.95 KiB are left (cgroup x)" in caplog.text
    watch.done(1)
    watch.done(1)
    machine.leaves(2 * LAYOUT.total_bytes)
    assert watch.rows(18, 27) == 9


def test_the_wait_is_a_twentieth_of_the_build_and_ends_in_an_error(machine, writer):
    watch = MemoryWatch(writer, 1)
    assert watch.rows(0, 10) == 10
    watch.done(10)
    machine.now += 40.0  # a twentieth of this is 2 s
    machine.leaves(500)
    assert watch.rows(10, 20) == 0
    machine.now += 1.9
    assert watch.rows(10, 20) == 0
    machine.now += 0.3
    with pytest.raises(StoreFullError) as caught:
        watch.rows(10, 20)
    text = str(caught.value)
    assert "memory became short while building: 500 B are left (cgroup x), " in text
    assert "type layout=packed, a smaller image_size or images=on_device" in text


def test_the_wait_does_not_end_while_another_worker_draws(machine, writer):
    machine.leaves(ROW)
    watch = MemoryWatch(writer, 2)
    assert (watch.rows(0, 10), watch.rows(10, 20)) == (1, 0)
    machine.leaves(0)
    machine.now += 3600.0
    assert watch.rows(10, 20) == 0
    watch.done(1)
    with pytest.raises(StoreFullError):
        watch.rows(10, 20)


def test_waits_add_up(machine, writer):
    watch = MemoryWatch(writer, 1)
    machine.now += 40.0
    for waited in (1.5, 0.4):
        machine.leaves(0)
        assert watch.rows(0, 10) == 0
        machine.now += waited
        assert watch.rows(0, 10) == 0
        machine.leaves(2 * LAYOUT.total_bytes)
        assert watch.rows(0, 10) == 10
        watch.done(10)
    machine.leaves(0)
    assert watch.rows(0, 10) == 0
    machine.now += 0.3  # nothing is left of the 2.1 s but the least wait
    with pytest.raises(StoreFullError):
        watch.rows(0, 10)


@pytest.mark.parametrize(("place", "reads"), [("file", 0), ("private", 1)])
def test_only_places_in_memory_are_watched(machine, place, reads, tmp_path, monkeypatch):
    monkeypatch.setattr("dualgaf.store.backing.is_in_memory", lambda folder: False)
    with open_writer(LAYOUT, [place], tmp_path) as opened:
        machine.reads = 0
        assert MemoryWatch(opened, 2).rows(0, 700) == 700
        assert machine.reads == reads


def test_a_file_of_a_folder_in_memory_is_watched(machine, monkeypatch, tmp_path):
    monkeypatch.setattr("dualgaf.store.backing.is_in_memory", lambda folder: True)
    with open_writer(LAYOUT, ["file"], tmp_path) as opened:
        machine.leaves(0)
        assert MemoryWatch(opened, 2).rows(0, 700) == 0


def test_a_small_store_is_not_watched(machine, writer, monkeypatch):
    monkeypatch.setattr(store_writer, "CHECK_BYTES", LAYOUT.total_bytes)
    machine.leaves(0)
    assert MemoryWatch(writer, 2).rows(0, 700) == 700


@given(
    st.lists(st.tuples(st.integers(0, 400 * ROW), st.integers(1, 300)), max_size=20),
    st.integers(1, 4),
)
def test_what_is_under_way_never_takes_more_than_there_is(steps, workers):
    """Whatever comes and goes: the rows that are handed out fit what is free at that moment."""
    with pytest.MonkeyPatch.context() as patch:
        machine = Machine(patch)
        with open_writer(LAYOUT, ["memfd"]) as opened:
            patch.setattr(opened, "_reserve", 0)
            watch, under_way = MemoryWatch(opened, workers), []
            for free, wanted in steps:
                machine.leaves(free)
                for _ in range(workers):
                    rows = watch.rows(0, wanted) if len(under_way) < workers else 0
                    under_way += [rows] if rows else []
                    if rows:
                        assert sum(under_way) * ROW <= free
                if under_way:
                    watch.done(under_way.pop(0))


def test_threads_may_share_one(machine, writer):
    watch, given_out = MemoryWatch(writer, 4), []

    def work() -> None:
        for _ in range(200):
            rows = watch.rows(0, 3)
            given_out.append(rows)
            watch.done(rows)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.unique(given_out).tolist() == [3]
    assert watch._under_way == 0
