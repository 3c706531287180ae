"""Programs that are forked for tests are as those that a shell starts, and so are their ranks."""

import json
import os
import signal

import pytest

from preloaded import run, start

RANK = """
import json, os, sys
loaded = sys.modules.get("lightning.pytorch.utilities")  # only where it is forked
print(json.dumps({
    "parent": os.getppid(), "session": os.getsid(0), "argv": sys.argv, "cwd": os.getcwd(),
    "set": os.environ.get("SET"), "home": "HOME" in os.environ,
    "rank": loaded and loaded.rank_zero_only.rank,
}), flush=True)
if sys.argv[1] == "dies":
    os.kill(os.getpid(), 9)
sys.exit(3)
"""
FIRST = """
import json, os, sys
from lightning.pytorch.strategies.launchers import subprocess_script
start = subprocess_script.subprocess.Popen
for how in ("ends", "dies", "is not forked"):
    command = [sys.executable, "-c", sys.argv[1], how]
    rank = start(command, env={"LOCAL_RANK": "1", "SET": how, "PATH": ""}, cwd="/")
    print(json.dumps({"status": rank.wait(), "waited": os.getpid()}), flush=True)
"""


def test_a_rank_that_waited_is_a_child_of_the_program_and_ends_as_any(tmp_path):
    lines = run(RANK, cwd=tmp_path, program=("-c", FIRST), others=2).splitlines()
    for how, status in (("ends", 3), ("dies", -9), ("is not forked", 3)):
        rank, first = json.loads(lines.pop(0)), json.loads(lines.pop(0))
        assert first["status"] == status
        assert rank == {
            "parent": first["waited"],
            "session": first["waited"],
            "argv": ["-c", how],
            "cwd": "/",
            "set": how,
            "home": False,
            "rank": None if how == "is not forked" else 1,
        }
    assert not lines


SPAWN = """
import multiprocessing, os, sys
import spares
print(len(spares._waiting))
processes = [
    multiprocessing.get_context("spawn").Process(target=print, args=("spawned", n), kwargs={"flush": True})
    for n in range(2)
]
for process in processes:
    process.start()
    process.join()
print(len(spares._waiting), [process.exitcode for process in processes])
"""  # noqa: E501


def test_a_spawned_process_is_one_that_waited(tmp_path):
    said = run(cwd=tmp_path, program=("-c", SPAWN), others=2).splitlines()
    assert said == ["2", "spawned 0", "spawned 1", "0 [0, 0]"]


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name
)
def test_those_that_wait_end_with_the_program(how, tmp_path):
    endless = "import time\nprint('runs', flush=True)\nwhile True: time.sleep(0.01)"
    program = start(cwd=tmp_path, program=("-c", endless), others=2)
    assert program.stdout.readline() == b"runs\n"
    os.killpg(program.pid, how)
    output, _ = program.communicate(timeout=30)  # they would keep its output open
    assert program.returncode == -how
    assert ("KeyboardInterrupt" in output) == (how == signal.SIGINT)
    assert output.count("Traceback") <= 1


@pytest.mark.parametrize(
    ("code", "status"), [("pass", 0), ("raise SystemExit(4)", 4), ("1 / 0", 1)]
)
def test_a_program_that_is_typed_ends_as_one_of_a_shell(code, status, tmp_path):
    run(cwd=tmp_path, program=("-c", code), status=status)


def test_a_program_reads_what_it_is_given(tmp_path):
    code = "import sys; print(sys.stdin.read().upper(), sys.argv, __name__)"
    program = start("x", cwd=tmp_path, program=("-c", code), listens=True)
    program.stdin.write(b"words")
    program.stdin.close()
    assert program.communicate(timeout=30) == ("WORDS ['-c', 'x'] __main__\n", None)


def test_a_program_without_an_input_finds_its_end(tmp_path):
    assert run(cwd=tmp_path, program=("-c", "import sys; print(repr(sys.stdin.read()))")) == "''\n"
