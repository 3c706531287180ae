import os
import signal
import subprocess
import sys
import threading

import pytest

from dualgaf.system import termination
from dualgaf.system.termination import FIRST_RANK, SIGNALS, stoppable


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
from dualgaf.system import termination
from dualgaf.system.termination import FIRST_RANK, SIGNALS, stoppable
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


PROGRAM = """
import os, signal, sys, time
from dualgaf.system import termination
from dualgaf.system.termination import Stopped, check_stopped, signals_held_back, stop_on_signals
stop_on_signals()
"""


def told(code, *signals, **environment):
    """Status and output of a program that gets signals when it says so, a line for each."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    ) as program:
        for number in signals:
            assert program.stdout.readline() == "now\n"
            program.send_signal(number)
        output, _ = program.communicate(timeout=30)
    return program.returncode, output


@pytest.mark.parametrize(("number", "text"), [(2, "interrupted"), (15, "ended by SIGTERM")])
def test_a_signal_winds_up_what_is_under_way_and_is_the_exit_status(number, text):
    code = """
try:
    print("now", flush=True)
    time.sleep(20)
except Stopped as stopped:
    print(stopped, stopped.code, flush=True)
    raise
finally:
    print("wound up", flush=True)
"""
    assert told(code, number) == (128 + number, f"{text} {128 + number}\nwound up\n")


AGAIN = """
termination.AGAIN_AFTER_S = {after}
try:
    print("now", flush=True)
    time.sleep(20)
finally:
    print("now", flush=True)
    time.sleep(1)
    print("wound up", flush=True)
"""


def test_a_second_signal_ends_it_at_once_and_a_copy_of_the_first_does_not():
    assert told(AGAIN.format(after=0), 15, 15) == (143, "")
    assert told(AGAIN.format(after=60), 15, 15) == (143, "wound up\n")


def test_an_exception_that_python_has_dropped_is_raised_again():
    code = """
sys.unraisablehook = lambda told: None
class Drops:
    def __del__(self):
        print("now", flush=True)
        time.sleep(20)
dropped = Drops()
del dropped
print("goes on", flush=True)
check_stopped()
print("never", flush=True)
"""
    assert told(code, 15) == (143, "goes on\n")


def test_signals_that_are_held_back_come_at_the_end_of_the_block():
    code = """
with signals_held_back():
    print("now", flush=True)
    time.sleep(1)
    print("not yet", flush=True)
print("never", flush=True)
"""
    assert told(code, 15) == (143, "not yet\n")


def test_signals_that_another_thread_gets_are_held_back_too():
    code = """
import threading
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
with signals_held_back():
    os.kill(os.getpid(), signal.SIGINT)  # the system hands it to the thread that blocks nothing
    time.sleep(0.2)
    print("not yet", flush=True)
print("never", flush=True)
"""
    assert told(code) == (130, "not yet\n")


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN])
def test_after_the_block_a_signal_means_what_it_did_before(handler):
    code = f"""
signal.signal(signal.SIGTERM, signal.Handlers({int(handler)}))
with signals_held_back():
    os.kill(os.getpid(), signal.SIGTERM)
    print("not yet", flush=True)
print("goes on", flush=True)
"""
    ends = handler == signal.SIG_DFL
    expected = (-signal.SIGTERM, "not yet\n") if ends else (0, "not yet\ngoes on\n")
    assert told(code) == expected


def test_a_signal_that_comes_while_a_worker_is_forked_reaches_it():
    code = """
reading, writing = os.pipe()
with signals_held_back():
    if (child := os.fork()) == 0:
        os.write(writing, b".")
        time.sleep(0.3)  # not ready yet
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
        time.sleep(20)
        os._exit(9)
    os.read(reading, 1)
    os.kill(child, signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert told(code) == (0, "-15\n")


def test_a_forked_worker_ends_without_a_word_and_its_parent_goes_on():
    # It says that it is there: Python drops a signal that comes while it is forked.
    code = """
reading, writing = os.pipe()
if (child := os.fork()) == 0:
    os.write(writing, b".")
    time.sleep(20)
    os._exit(9)
os.read(reading, 1)
os.kill(child, signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
check_stopped()
"""
    assert told(code) == (0, "143\n")


RANK = """
import os, signal, sys, time
from dualgaf.system.termination import stop_on_signals
time.sleep(0.5)
stop_on_signals()
print("lives", flush=True)
time.sleep(0.5)
"""


@pytest.mark.parametrize("first", [True, False])
def test_a_rank_that_was_started_leaves_signals_to_the_first_from_its_birth_on(first):
    code = f"""
import subprocess
os.environ["{FIRST_RANK}"] = str(os.getpid() if {first} else 1)
with signals_held_back():
    rank = subprocess.Popen([sys.executable, "-c", {RANK!r}], stdout=subprocess.PIPE, text=True)
rank.send_signal(signal.SIGINT)  # before it knows what it is
said = [rank.stdout.readline()]
rank.send_signal(signal.SIGTERM)
print(said, rank.wait(20))
"""
    # Where another process has started it, such as torchrun, it decides for itself.
    expected = "['lives\\n'] 0\n" if first else "[''] 130\n"
    status, output = told(code)
    assert (status, output.splitlines()[-1] + "\n") == (0, expected)


def test_what_the_shell_has_put_in_the_background_does_not_hear_ctrl_c(monkeypatch):
    for number in SIGNALS:
        monkeypatch.setattr(termination, "_first", None)
        before = signal.signal(number, signal.SIG_IGN)
        try:
            termination.stop_on_signals()
            assert signal.getsignal(number) is signal.SIG_IGN
        finally:
            for each in SIGNALS:
                if each != number and signal.getsignal(each) is termination._stop:
                    signal.signal(
                        each, signal.SIG_DFL if each == 15 else signal.default_int_handler
                    )
            signal.signal(number, before)
