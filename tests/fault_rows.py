"""The faults that dualgaf promises to withstand: one line each, as docs/reliability.md prints them.

A test in ``tests/faults`` says which of them it injects: ``@pytest.mark.fault(14)``.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """What is done to the package, and what has to come of it."""

    what: str
    """The fault."""
    outcome: str
    """What happens then."""


FAULTS = {
    1: Fault("a worker is killed at any time", "its chunk is done by another; same bytes"),
    2: Fault("a chunk kills every worker", "ChunkError names chunk, windows, signal, last words"),
    3: Fault("a worker crashes, exits or raises", "retried; an exception comes with its traceback"),
    4: Fault("a worker hangs or is stopped", "ended after chunk_timeout_s; same bytes"),
    5: Fault("workers die as they start", "threads take over, one warning; same bytes"),
    6: Fault("the kernel kills a worker for its memory", "parent lives, fewer workers; same bytes"),
    7: Fault("the store is larger than the cgroup's memory", "a disk file, before any kill"),
    8: Fault("memory vanishes while building", "the build stops in time, goes to a disk file"),
    9: Fault("/dev/shm has 16 MB", "not used; same bytes"),
    10: Fault("/dev/shm is missing, read-only or not ours", "not used; same bytes"),
    11: Fault("memfd_create is refused", "a disk file, one warning; same bytes"),
    12: Fault("disk, cache and memory are full", "StoreFullError lists every place; nothing left"),
    13: Fault("limits on memory, file size or open files", "next place, or an error that says so"),
    14: Fault("the building process is killed", "workers gone, memory back within 2 s"),
    15: Fault("SIGTERM during setup()", "exit status 143 within 2 s, handler restored"),
    16: Fault("Ctrl-C, once and twice", "ends within 5 s, nothing left"),
    17: Fault("the whole process group is killed", "memory back, nothing left"),
    18: Fault("several ranks on one machine", "one build and one copy for all"),
    19: Fault("a rank dies or raises", "the job ends with an error, nothing left"),
    20: Fault("the building rank dies", "the next one builds, one at a time"),
    21: Fault("a handle is stale or forged", "refused; nothing of a stranger is opened"),
    22: Fault("Hydra runs and sweeps with several ranks", "each ends; one copy at a time"),
    23: Fault("a batch is changed in place", "the store does not change"),
    24: Fault("a dataset is pickled", "below 4 KiB, no memory taken"),
    25: Fault("the build for the cache is killed anywhere", "the next run goes on from there"),
    26: Fault("a cache file is damaged, older or foreign", "seen, set aside, built anew"),
    27: Fault("the cache cannot be written", "valid entries are used, else memory; one warning"),
    28: Fault("eight builders race for one store", "one builds, seven wait and share it"),
    29: Fault("no __main__ guard, stdin, a daemonic process", "works"),
    30: Fault("any of these, again and again", "memory, open files and threads stay flat"),
    31: Fault("a killed builder leaves a forked child", "the next one builds at once"),
    32: Fault("SIGTERM or Ctrl-C in a training", "143 or 130; its last line goes on from there"),
    33: Fault("a training is killed", "the same command goes on; another one is refused"),
    34: Fault("a checkpoint finds no room", "the one before is whole; an error says what to type"),
}
