"""A worker spoken to by hand: its answers, its faults on purpose, its end."""

import os
import signal
import socket
from pathlib import Path

import numpy as np
import pytest

import leaks
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.pool import worker as module
from dualgaf.pool.launch import launch
from dualgaf.pool.messages import Job, receive, send, share_windows
from dualgaf.store.backing import open_writer
from fills import images_of, layout_of, windows_of

RECIPE = ImagingRecipe(8)


@pytest.fixture(autouse=True)
def _leaves_nothing():
    yield from leaks.leaves_nothing()


def job_message(windows, arrays):
    layout = layout_of(windows, RECIPE)
    return Job(RECIPE, layout, "memfd", windows.window_size, arrays).to_message()


def ask(channel, chunk, first, last):
    send(channel, {"kind": "chunk", "chunk": chunk, "first": first, "last": last})
    return receive(channel)[0]


def test_a_talk_from_hello_to_the_end():
    windows = windows_of(20)
    windows.flat[1, 19 + 15] = np.inf  # the last window only
    program = launch()
    channel = program.channel
    hello, _ = receive(channel)
    assert hello == {"kind": "hello", "pid": program.process.pid, "torch": False}
    score = Path(f"/proc/{program.process.pid}/oom_score_adj").read_text()
    assert int(score) == max(800, int(Path("/proc/self/oom_score_adj").read_text()))
    writer = open_writer(layout_of(windows, RECIPE), ["memfd"])
    source, arrays = share_windows(windows)
    send(channel, job_message(windows, arrays), (source, *writer.segments.descriptors))
    os.close(source)  # the worker has its own
    assert ask(channel, 1, 7, 14) == {"kind": "done", "chunk": 1, "torch": False}
    assert ask(channel, 0, 0, 7) == {"kind": "done", "chunk": 0, "torch": False}
    failed = ask(channel, 2, 14, 20)
    assert (failed["kind"], failed["chunk"], failed["error"]) == ("failed", 2, "SeriesError")
    assert failed["text"].startswith("window 19, channel 1 holds a NaN or an infinity")
    assert "Traceback" in failed["trace"]
    assert ask(channel, 1, 7, 14)["kind"] == "done"  # a failure does not end it
    with writer:
        store = writer.seal()
    np.testing.assert_array_equal(store.array[:14], images_of(windows_of(20), RECIPE)[:14])
    channel.shutdown(socket.SHUT_RDWR)
    assert program.process.wait(10) == 0
    program.close()


@pytest.mark.faults
def test_the_end_of_the_socket_ends_a_worker_that_hangs_in_a_chunk(monkeypatch):
    monkeypatch.setenv("DUALGAF_FAULT", "hang:0")
    windows = windows_of(7)
    program = launch()
    receive(program.channel)
    with open_writer(layout_of(windows, RECIPE), ["memfd"]) as writer:
        source, arrays = share_windows(windows)
        send(program.channel, job_message(windows, arrays), (source, *writer.segments.descriptors))
        os.close(source)
        send(program.channel, {"kind": "chunk", "chunk": 0, "first": 0, "last": 7})
    program.channel.close()
    assert program.process.wait(10) == 0
    program.close()


class SufferedError(Exception):
    """Stands for the signal."""


@pytest.fixture
def suffer(monkeypatch):
    """`_inject_fault` with a fault set; a signal to this process becomes an exception."""

    def kill(pid, number):
        assert pid == os.getpid()
        raise SufferedError(signal.Signals(number).name)

    monkeypatch.setattr(os, "kill", kill)

    def set_and_suffer(fault, chunk):
        monkeypatch.setenv("DUALGAF_FAULT", fault)
        module._inject_fault(chunk)

    return set_and_suffer


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSTOP", "SIGSEGV"])
def test_a_fault_hits_its_chunk_only(suffer, name):
    suffer(f"{name}:3", 2)
    with pytest.raises(SufferedError, match=name):
        suffer(f"{name}:3", 3)
    with pytest.raises(SufferedError, match=name):
        suffer(f"{name}:3", 3)


def test_a_fault_with_a_file_hits_once(suffer, tmp_path):
    flag = tmp_path / "suffered"
    suffer(f"raise:3:{flag}", 2)
    assert not flag.exists()
    with pytest.raises(RuntimeError, match="a fault on purpose"):
        suffer(f"raise:3:{flag}", 3)
    assert flag.exists()
    suffer(f"raise:3:{flag}", 3)


def test_without_the_variable_nothing_is_suffered(monkeypatch):
    monkeypatch.delenv("DUALGAF_FAULT", raising=False)
    assert module._inject_fault(0) is None
