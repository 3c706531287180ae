"""Who draws, on machines whose CPUs and memory are made up."""

import pytest

from dualgaf.pool import pool_size as module
from dualgaf.pool.pool_size import PROCESS_FROM_BYTES, WORKER_BYTES, choose_pool_size
from dualgaf.pool.settings import PoolSettings

LARGE = PROCESS_FROM_BYTES
MUCH = 1 << 40


@pytest.fixture(autouse=True)
def cpus(monkeypatch):
    """8 CPUs until a test takes some."""

    def have(n):
        monkeypatch.setattr(module, "cpu_count", lambda: n)

    have(8)
    return have


def crew_of(n_windows=1000, store_bytes=LARGE, shared=True, left_bytes=MUCH, **settings):
    chosen = PoolSettings(**{"chunk_size": 10, **settings})
    return choose_pool_size(chosen, n_windows, store_bytes, shared, left_bytes)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({}, ("process", 8)),
        ({"chunk_size": "auto"}, ("process", 8)),
        ({"store_bytes": LARGE - 1}, ("thread", 8)),
        ({"n_jobs": 1}, ("thread", 1)),
        ({"shared": False}, ("thread", 8)),
        ({"chunk_size": 10**6}, ("thread", 1)),
        ({"backend": "process", "store_bytes": 1}, ("process", 8)),
        ({"backend": "process", "n_windows": 21}, ("process", 3)),
        ({"backend": "process", "n_windows": 3, "chunk_size": "auto"}, ("process", 3)),
        ({"backend": "process", "n_jobs": 3}, ("process", 3)),
        ({"backend": "thread", "n_jobs": 2}, ("thread", 2)),
        ({"backend": "serial"}, ("serial", 1)),
        ({"enabled": False}, ("serial", 1)),
        ({"enabled": False, "backend": "process"}, ("serial", 1)),
        ({"n_windows": 20}, ("process", 2)),
        ({"n_windows": 10}, ("thread", 1)),
    ],
)
def test_who_draws(case, expected):
    crew = crew_of(**case)
    assert (crew.backend, crew.workers) == expected


def test_never_more_workers_than_cpus(cpus):
    cpus(2)
    crew = crew_of(n_jobs=16)
    assert crew.workers == 2
    assert "n_jobs=16 was asked; this process may use 2 CPUs" in crew.reasons
    assert not any("was asked" in reason for reason in crew_of(n_jobs=2).reasons)


def test_all_cpus_take_a_quarter_of_the_memory_at_most():
    crew = crew_of(left_bytes=12 * WORKER_BYTES)
    assert (crew.backend, crew.workers) == ("process", 3)
    assert crew.reasons[-1] == (
        "n_jobs=-1: 3 processes; one for each of 8 CPUs would take more than a quarter of the "
        "960.00 MiB that are left"
    )
    # a number that the user named is kept, and threads take no memory of their own
    assert crew_of(left_bytes=12 * WORKER_BYTES, n_jobs=6).workers == 6
    assert crew_of(left_bytes=12 * WORKER_BYTES, backend="thread").workers == 8
    # where there is room for one process only, threads on all CPUs are better
    crew = crew_of(left_bytes=7 * WORKER_BYTES)
    assert (crew.backend, crew.workers) == ("thread", 8)
    assert crew_of(left_bytes=0, backend="process").workers == 1


def test_only_processes_take_memory_of_their_own():
    assert (crew_of().processes, crew_of().bytes) == (8, 8 * WORKER_BYTES)
    threads = crew_of(backend="thread")
    assert (threads.processes, threads.bytes) == (0, 0)


def test_reasons_are_told():
    assert crew_of(enabled=False).reasons == ("parallel.enabled=false: everything in this process",)
    assert crew_of().reasons == (
        "parallel.backend=auto: process (processes pay from 16.00 GiB of shared images and two "
        "workers on)",
    )
    assert crew_of(backend="thread").reasons == ()
