import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from dualgaf.store.lock import locked, remove_free_lock


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
