"""Who takes which chunk: own neighbours first, then help with the fullest queue; each one once."""

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from dualgaf.pool.queues import WorkStealingQueues


def test_a_worker_takes_neighbours_and_then_helps_from_the_far_end():
    queues = WorkStealingQueues(list(range(7)), 3)  # 0 1 | 2 3 | 4 5 6
    assert [queues.take(1) for _ in range(5)] == [2, 3, 6, 1, 5]
    assert [queues.take(0), queues.take(2), queues.take(2)] == [0, 4, None]


def test_a_chunk_that_came_back_is_next_for_anybody():
    queues = WorkStealingQueues([0, 1, 2, 3], 2)
    assert queues.take(0) == 0
    queues.put_back(0)
    assert [queues.take(1), queues.take(1)] == [0, 2]


@given(st.lists(st.integers(), unique=True), st.integers(1, 9), st.lists(st.integers(0, 8)))
def test_every_chunk_is_taken_once(chunks, n_queues, order):
    queues = WorkStealingQueues(chunks, n_queues)
    taken = [queues.take(queue % n_queues) for queue in order]
    while (chunk := queues.take(0)) is not None:
        taken.append(chunk)
    assert sorted(chunk for chunk in taken if chunk is not None) == sorted(chunks)


def test_threads_share_them_without_losing_or_doubling_one():
    queues = WorkStealingQueues(list(range(5000)), 4)

    def drain(queue):
        return list(iter(lambda: queues.take(queue), None))

    with ThreadPoolExecutor(4) as threads:
        taken = [chunk for part in threads.map(drain, range(4)) for chunk in part]
    assert sorted(taken) == list(range(5000))
