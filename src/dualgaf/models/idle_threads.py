"""Threads of torch that have nothing to do sleep, whoever has loaded torch.

Threads of a small network meet thousands of times a second. The OpenMP of torch for Linux (libgomp)
lets one that is there first wait in a loop of 300 000 rounds, and where another program wants the
same CPUs, it waits for one that is not running: two epochs that take 5 s then take 40 s.
``OMP_WAIT_POLICY=PASSIVE`` ends that, but counts only before torch is loaded. ``train.py`` sets it;
a program that has loaded torch cannot. But libgomp waits for 1000 rounds only while it has more
threads than there are CPUs. So here are some more, which sleep.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary, finalize

import torch

SETTINGS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
"""Variables by which somebody has decided how threads wait."""
STARTED_S = 30.0
FEW = 4
"""Windows that one thread reads: threads would take longer to meet than they save. Chosen, not
measured."""

_held: WeakKeyDictionary[object, threading.Event] = WeakKeyDictionary()


def sleep_when_idle(owner: object) -> None:
    """Let idle threads sleep until `release`, or until ``owner`` is gone.

    Does nothing where torch has one thread, or where a variable of `SETTINGS` is set.

    Args:
        owner: for whom; it may be asked for again.
    """
    n_threads = torch.get_num_threads()
    if owner in _held or n_threads == 1 or any(name in os.environ for name in SETTINGS):
        return
    ready, done = threading.Event(), threading.Event()
    n_more = max(2, _cpus_of_libgomp() - n_threads + 2)
    thread = threading.Thread(
        target=_hold, args=(n_more, ready, done), name="dualgaf-idle", daemon=True
    )
    thread.start()
    ready.wait(STARTED_S)
    _held[owner] = done
    finalize(owner, done.set)  # one that is gone without a word, as after an exception


def release(owner: object) -> None:
    """The end of `sleep_when_idle`; nothing where it did not begin."""
    done = _held.pop(owner, None)
    if done is not None:
        done.set()


@contextmanager
def idle_threads_asleep(device: torch.device) -> Iterator[None]:
    """`sleep_when_idle` for a block, where it computes on the CPU.

    Example:
        >>> with idle_threads_asleep(torch.device("cpu")):
        ...     float(torch.ones(4).sum())
        4.0
    """
    owner = _Block()
    if device.type == "cpu":
        sleep_when_idle(owner)
    try:
        yield
    finally:
        release(owner)


@contextmanager
def one_thread_for_few(n_windows: int) -> Iterator[None]:
    """One thread of torch for a block that reads at most `FEW` windows; else as many as before.

    Example:
        >>> with one_thread_for_few(1):
        ...     torch.get_num_threads()
        1
    """
    before = torch.get_num_threads()
    if before == 1 or n_windows > FEW:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Block:
    """Stands for a block among the owners."""


def _hold(n_threads: int, ready: threading.Event, done: threading.Event) -> None:
    torch.set_num_threads(n_threads)  # of this thread alone
    torch.zeros(1 << 20).add_(1.0)  # large enough for all of them
    ready.set()
    done.wait()


def _cpus_of_libgomp() -> int:
    """It asks for the affinity of the process, and knows no quota of a cgroup."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
