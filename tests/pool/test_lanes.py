"""Who takes which chunk: own neighbours first, then help with the fullest lane; each one once."""

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from dualgaf.pool.lanes import Lanes


def test_a_worker_takes_neighbours_and_then_helps_from_the_far_end():
    lanes = Lanes(list(range(7)), 3)  # 0 1 | 2 3 | 4 5 6
    assert [lanes.take(1) for _ in range(5)] == [2, 3, 6, 1, 5]
    assert [lanes.take(0), lanes.take(2), lanes.take(2)] == [0, 4, None]


def test_a_chunk_that_came_back_is_next_for_anybody():
    lanes = Lanes([0, 1, 2, 3], 2)
    assert lanes.take(0) == 0
    lanes.put_back(0)
    assert [lanes.take(1), lanes.take(1)] == [0, 2]


@given(st.lists(st.integers(), unique=True), st.integers(1, 9), st.lists(st.integers(0, 8)))
def test_every_chunk_is_taken_once(chunks, n_lanes, order):
    lanes = Lanes(chunks, n_lanes)
    taken = [lanes.take(lane % n_lanes) for lane in order]
    while (chunk := lanes.take(0)) is not None:
        taken.append(chunk)
    assert sorted(chunk for chunk in taken if chunk is not None) == sorted(chunks)


def test_threads_share_them_without_losing_or_doubling_one():
    lanes = Lanes(list(range(5000)), 4)

    def drain(lane):
        return list(iter(lambda: lanes.take(lane), None))

    with ThreadPoolExecutor(4) as threads:
        taken = [chunk for part in threads.map(drain, range(4)) for chunk in part]
    assert sorted(taken) == list(range(5000))
