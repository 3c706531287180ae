"""How a worker program is started."""

import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

import leaks
from dualgaf.errors import PoolError
from dualgaf.pool import launch as launching
from dualgaf.pool.launch import ending, launch
from dualgaf.pool.messages import receive


@pytest.fixture(autouse=True)
def _leaves_nothing() -> Iterator[None]:
    yield from leaks.leaves_nothing()


SRC = Path(launching.__file__).resolve().parents[2]


def test_a_worker_says_hello_without_torch_and_ends_when_its_socket_closes():
    program = launch()
    message, _ = receive(program.channel)
    assert message == {"kind": "hello", "pid": program.process.pid, "torch": False}
    program.channel.close()
    assert program.process.wait(10) == 0
    assert program.last_words() == ""
    program.close()


def test_ctrl_c_does_not_reach_a_worker():
    program = launch()
    receive(program.channel)
    program.process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        program.process.wait(0.5)
    program.channel.close()
    assert program.process.wait(10) == 0
    program.close()


def test_the_last_words_of_a_program_that_fails_are_kept(monkeypatch):
    monkeypatch.setattr(
        launching, "_command", lambda: [sys.executable, "-c", "raise SystemExit('x' * 9999)"]
    )
    program = launch()
    assert ending(program.process.wait(10)) == "ended with exit status 1"
    assert program.last_words() == "x" * (launching.LAST_WORDS_BYTES - 1)
    program.close()


@pytest.mark.parametrize("executable", ["", "/nonexistent/python"])
def test_an_interpreter_that_is_not_there_is_a_pool_error(monkeypatch, executable):
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.raises(PoolError, match=r"not known|cannot be started"):
        launch()


def test_a_full_table_of_open_files_is_a_pool_error(monkeypatch):
    def refuse(*_):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(launching.socket, "socketpair", refuse)
    with pytest.raises(PoolError, match="Too many open files"):
        launch()


def test_workers_import_this_package_with_one_thread_each(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setattr(sysconfig, "get_path", lambda _: "/not/here")
    environment = launching._environment()
    assert environment["PYTHONPATH"] == f"{SRC}:/elsewhere"
    assert {environment[f"{name}_NUM_THREADS"] for name in ("OMP", "OPENBLAS", "NUMBA")} == {"1"}


def test_an_installed_package_is_not_put_before_the_standard_library(monkeypatch):
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(SRC))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert "PYTHONPATH" not in launching._environment()


def test_ways_to_end():
    assert ending(-11) == "killed by SIGSEGV"
    assert ending(-64) in ("killed by signal 64", "killed by SIGRTMAX")
    assert ending(-99) == "killed by signal 99"
