"""The memory of this process and its children: now, and the peak while something runs."""

import functools
import mmap
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from dualgaf.system import memory as memory_use
from dualgaf.system.memory import MemoryMeter, memory_used

MIB = 2**20
SIZE = 64 * MIB


def in_a_process_of_its_own(test: Callable[[], None]) -> Callable[[], None]:
    """What other tests have started, and end or start meanwhile, is in no process but theirs."""

    @functools.wraps(test)
    def run() -> None:
        call = f"import runpy; runpy.run_path({__file__!r})[{test.__name__!r}].__wrapped__()"
        done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return run


def private_block() -> mmap.mmap:
    """New private memory. NumPy may be given what tests before have freed, and Python has kept."""
    block = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    block.write(b"x" * SIZE)
    return block


@in_a_process_of_its_own
def test_meter_sees_memory_of_this_process() -> None:
    with MemoryMeter(lambda: 0) as meter, private_block():
        time.sleep(0.3)
    assert 0.9 * SIZE < meter.peak_bytes < 1.5 * SIZE


@in_a_process_of_its_own
def test_meter_sees_memory_of_a_child() -> None:
    code = (
        "import sys, numpy as np\n"
        f"block = np.ones({SIZE}, dtype=np.uint8)\n"
        "print('up', flush=True)\nsys.stdin.read()\n"
    )
    with MemoryMeter(lambda: 0) as meter:
        child = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.3)
        child.communicate()
    # The child's interpreter and NumPy are its own memory too.
    assert 0.9 * SIZE < meter.peak_bytes < SIZE + 64 * MIB


@in_a_process_of_its_own
def test_meter_adds_the_store_and_keeps_the_peak() -> None:
    sizes = iter([10 * MIB, 900 * MIB, 10 * MIB])
    meter = MemoryMeter(lambda: next(sizes, 0))
    with meter:
        time.sleep(0.4)
    assert 850 * MIB < meter.peak_bytes < 1000 * MIB


def test_meter_ends_its_thread_when_the_block_raises() -> None:
    meter = MemoryMeter(lambda: 0)
    with pytest.raises(KeyError), meter:
        raise KeyError("x")
    assert not meter._thread.is_alive()


def without_programs() -> None:
    """Our share of a library changes when another program that uses it starts or ends."""
    memory_use._program_bytes = lambda process: 0


@in_a_process_of_its_own
def test_used_memory_counts_private_memory_of_this_process_and_its_children() -> None:
    without_programs()
    before = memory_used()
    block = private_block()
    assert 0.9 * SIZE < memory_used() - before < 1.1 * SIZE
    code = f"b = b'x' * {SIZE}\nprint('up', flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert 1.9 * SIZE < memory_used() - before < 2.2 * SIZE
        child.communicate(b"\n")
    block.close()
    assert abs(memory_used() - before) < 0.1 * SIZE


@in_a_process_of_its_own
def test_used_memory_counts_a_memfd_once_whether_it_was_read_or_not() -> None:
    without_programs()
    before = memory_used()
    descriptor = os.memfd_create("test")
    try:
        os.pwrite(descriptor, bytes(SIZE), 0)
        held = memory_used() - before
        assert 0.9 * SIZE < held < 1.1 * SIZE
        with mmap.mmap(descriptor, SIZE, prot=mmap.PROT_READ) as mapped:
            assert mapped.find(b"x") == -1  # reads all of it
            assert abs(memory_used() - before - held) < 0.1 * SIZE
    finally:
        os.close(descriptor)
    assert memory_used() - before < 0.1 * SIZE


@in_a_process_of_its_own
def test_used_memory_counts_programs_but_not_files_that_the_kernel_can_drop() -> None:
    share = memory_use._program_bytes  # the more programs of others use a library, the less
    assert share(psutil.Process()) > 0
    without_programs()
    bare = memory_used()
    memory_use._program_bytes = lambda process: SIZE
    assert 0.9 * SIZE < memory_used() - bare < 1.1 * SIZE
    memory_use._program_bytes = share
    used = memory_used()
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(SIZE))
        file.flush()
        mapped = np.memmap(file.name, dtype=np.uint8, mode="c")
        assert not mapped.any()
        # all libraries of this process have 20 MiB, should those who share them end meanwhile
        assert memory_used() - used < SIZE / 2


def test_a_kernel_without_lists_of_children_is_asked_through_psutil(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        listed = memory_use._pids_of_tree()
        monkeypatch.setattr(Path, "exists", lambda self: False)
        assert sorted(memory_use._pids_of_tree()) == sorted(listed)
        assert child.pid in listed
        child.communicate(b"\n")
