import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from dualgaf.store import lock
from dualgaf.store.lock import is_locked, locked, remove_free_lock


def test_the_file_is_there_while_it_is_held_and_gone_afterwards(tmp_path):
    path = tmp_path / "x.lock"
    with locked(path):
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


def test_one_thread_at_a_time_is_inside(tmp_path):
    inside, seen, order = [], [], []

    def work(number):
        for _ in range(20):
            with locked(tmp_path / "x.lock"):
                inside.append(number)
                seen.append(len(inside))
                time.sleep(0.0005)
                inside.remove(number)
                order.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 80
    assert sorted(order) == sorted([0, 1, 2, 3] * 20)


COUNT = """
import sys, time
from pathlib import Path
from dualgaf.store.lock import locked
folder = Path(sys.argv[1])
for _ in range(30):
    with locked(folder / "x.lock"):
        number = int((folder / "count").read_text())
        time.sleep(0.0005)
        (folder / "count").write_text(str(number + 1))
"""


def test_no_process_loses_what_another_has_written(tmp_path):
    (tmp_path / "count").write_text("0")
    programs = [subprocess.Popen([sys.executable, "-c", COUNT, str(tmp_path)]) for _ in range(4)]
    assert [program.wait(60) for program in programs] == [0] * 4
    assert (tmp_path / "count").read_text() == "120"
    assert [path.name for path in tmp_path.iterdir()] == ["count"]


def test_a_lock_whose_holder_was_killed_is_free(tmp_path):
    hold = COUNT.replace("range(30)", "range(1)").replace("0.0005", "100")
    (tmp_path / "count").write_text("0")
    holder = subprocess.Popen([sys.executable, "-c", hold, str(tmp_path)])
    while not (tmp_path / "x.lock").exists():
        time.sleep(0.01)
    waited = []

    def kill_once():
        if not waited:
            holder.send_signal(signal.SIGKILL)
        waited.append(1)

    with locked(tmp_path / "x.lock", kill_once):
        assert waited
    assert holder.wait(10) == -signal.SIGKILL


def test_a_forked_child_does_not_keep_the_lock(tmp_path):
    with locked(tmp_path / "x.lock"):
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
    try:
        with locked(tmp_path / "x.lock", lambda: pytest.fail("the child holds the lock")):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


FORK_AND_HOLD = """
import os, sys, time
from pathlib import Path
from dualgaf.store.lock import locked
with locked(Path(sys.argv[1])):
    if (child := os.fork()) == 0:
        time.sleep(60)
        os._exit(0)
    print(child, flush=True)
    time.sleep(60)
"""


def test_a_killed_holder_leaves_the_lock_to_the_next_though_its_forked_child_lives(tmp_path):
    path, waited = tmp_path / "x.lock", []
    holder = subprocess.Popen(
        [sys.executable, "-c", FORK_AND_HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    child = int(holder.stdout.readline())

    def kill_first():
        if not waited:  # it is held until its holder is dead, whoever else lives
            assert is_locked(path)
            holder.kill()
            holder.wait()
        waited.append(1)
        assert len(waited) < 100, "the child holds the lock"

    try:
        with locked(path, kill_first):
            assert waited
        os.kill(child, 0)  # it lives
    finally:
        os.kill(child, signal.SIGKILL)
        holder.stdout.close()


def test_a_forked_child_that_leaves_the_block_does_not_free_the_lock(tmp_path):
    path = tmp_path / "x.lock"
    with locked(path):
        child = os.fork()
        if child:
            assert os.waitpid(child, 0)[1] == 0
            assert path.exists()
            waits = [sys.executable, "-c", IS_LOCKED, str(path)]
            assert subprocess.run(waits, check=False).returncode == 1
    if child == 0:
        os._exit(0)
    assert not path.exists()


IS_LOCKED = """
import sys
from pathlib import Path
from dualgaf.store import lock
from dualgaf.store.lock import is_locked
sys.exit(is_locked(Path(sys.argv[1])))
"""


def test_a_forked_child_may_take_a_lock_that_a_thread_of_its_parent_waits_for(tmp_path):
    path = tmp_path / "x.lock"
    with locked(path):
        child = os.fork()
        if child == 0:
            try:
                with locked(path):  # as any other process: when the parent has left
                    os._exit(0)
            finally:
                os._exit(1)
        time.sleep(0.05)
        assert os.waitpid(child, os.WNOHANG) == (0, 0)
    assert os.waitpid(child, 0)[1] == 0


def test_a_look_at_a_lock_of_this_process_does_not_free_it(tmp_path):
    path = tmp_path / "x.lock"
    with locked(path):
        assert is_locked(path)
        assert is_locked(tmp_path / "." / ".." / tmp_path.name / "x.lock")
        remove_free_lock(path)
        assert subprocess.run([sys.executable, "-c", IS_LOCKED, str(path)]).returncode == 1
    assert not is_locked(path)
    assert not list(tmp_path.iterdir())


def test_a_waiter_may_give_up(tmp_path):
    def give_up():
        raise RuntimeError

    with locked(tmp_path / "x.lock"):
        with pytest.raises(RuntimeError), locked(tmp_path / "x.lock", give_up):
            pass
        assert (tmp_path / "x.lock").exists()


def test_an_error_inside_frees_it(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path / "x.lock"):
        raise KeyError
    with locked(tmp_path / "x.lock", lambda: pytest.fail("still held")):
        pass


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("text")
    (tmp_path / "x.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match=r"x\.lock"), locked(tmp_path / "x.lock"):
        pass
    assert (tmp_path / "precious").read_text() == "text"


def test_only_a_lock_that_nobody_holds_is_removed(tmp_path):
    (tmp_path / "left.lock").touch()
    remove_free_lock(tmp_path / "left.lock")
    remove_free_lock(tmp_path / "never.lock")
    assert not list(tmp_path.iterdir())
    with locked(tmp_path / "x.lock"):
        remove_free_lock(tmp_path / "x.lock")
        assert (tmp_path / "x.lock").exists()


HOLD = """
import sys, time
from pathlib import Path
from dualgaf.store.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_who_waits_longer_says_for_whom(tmp_path, monkeypatch, caplog):
    assert lock.SAID_AFTER_S == 5.0
    monkeypatch.setattr(lock, "SAID_AFTER_S", 0.05)
    path = tmp_path / "x.lock"
    holding = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holding.stdout.readline()
        waited = []

        def end_it_when_said():
            waited.append(1)
            if "waiting since" in caplog.text:
                holding.kill()

        with caplog.at_level("INFO"), locked(path, end_it_when_said):
            pass
    finally:
        holding.kill()
        holding.wait()
        holding.stdout.close()
    told = [text for text in caplog.messages if "waiting" in text]
    who = f"process {holding.pid} of {os.uname().nodename}"
    assert told == [f"waiting since 0.05 s for {path}, which {who} holds"]
    with locked(path):  # what the holder has written is not that of the one before it
        assert path.read_text() == f"process {os.getpid()} of {os.uname().nodename}\n"
