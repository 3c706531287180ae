import os
import signal
import subprocess
import sys
import threading

import pytest

from dualgaf.system.termination import stoppable


@pytest.fixture(autouse=True)
def _default_action():
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


def test_sigterm_is_an_exit_with_status_143_and_the_handler_is_put_back():
    with pytest.raises(SystemExit) as ended, stoppable():
        os.kill(os.getpid(), signal.SIGTERM)
    assert ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_of_somebody_else_stays():
    seen = []
    mine = lambda number, frame: seen.append(number)  # noqa: E731
    signal.signal(signal.SIGTERM, mine)
    with stoppable():
        os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is mine
    assert signal.getsignal(signal.SIGTERM) is mine
    assert seen == [signal.SIGTERM]


def test_one_inside_another_leaves_the_outer_one_in_charge():
    with stoppable():
        outer = signal.getsignal(signal.SIGTERM)
        with stoppable():
            assert signal.getsignal(signal.SIGTERM) is outer
        assert signal.getsignal(signal.SIGTERM) is outer
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_another_thread_may_use_it():
    seen = []

    def work():
        with stoppable() as check:
            check()
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


ORPHAN = """
import os, sys, time
from dualgaf.system.termination import stoppable
if os.fork():
    time.sleep(0.3)
    os._exit(0)
with stoppable() as check:
    first = os.getppid()
    while os.getppid() == first:
        time.sleep(0.01)
    try:
        check()
        print("goes on", flush=True)
    except SystemExit as ended:
        print("ends with", ended.code, flush=True)
"""


@pytest.mark.parametrize(
    ("rank", "said"), [(None, "goes on\n"), ("0", "goes on\n"), ("1", "ends with 143\n")]
)
def test_a_rank_whose_launcher_is_gone_ends(rank, said, monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == said
