"""The journal: what a kill and a full disk leave, locks, and files that are none."""

import logging
import os
import signal
import time
from contextlib import suppress

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from dualgaf.errors import ConfigError
from dualgaf.search import journal as module
from dualgaf.search.journal import JournalLock, cut_torn_line, opened
from preloaded import start


@pytest.fixture
def study(tmp_path):
    """A journal with a study of two trials."""
    path = tmp_path / "s.journal"
    made = optuna.create_study(storage=opened(path), study_name="a")
    made.add_trials(optuna.trial.create_trial(value=float(n)) for n in range(2))
    return path


def values(path):
    return [each.value for each in optuna.load_study(study_name="a", storage=opened(path)).trials]


def test_optuna_itself_cannot_read_what_is_written_behind_a_torn_line(study):
    # Why a torn line is cut off at all.
    def plain():
        return JournalStorage(JournalFileBackend(str(study)))

    study.write_bytes(study.read_bytes()[:-30])
    other = optuna.load_study(study_name="a", storage=plain())
    other.set_user_attr("b", 1)
    with suppress(ValueError):  # it may see it itself
        other.set_user_attr("c", 1)
    with pytest.raises(ValueError, match="delimiter"):
        plain()
    with pytest.raises(ConfigError, match="damaged"):
        opened(study)


@pytest.mark.parametrize("torn", [1, 30])
def test_a_torn_line_is_cut_off_and_said(study, torn, caplog):
    whole = study.read_bytes()
    study.write_bytes(whole[:-torn])
    assert values(study) == [0.0]
    assert "of s.journal was torn" in caplog.text.replace(str(study.parent) + "/", "")
    assert whole.startswith(study.read_bytes())
    assert study.read_bytes().endswith(b"}\n")


def test_a_line_that_is_torn_while_others_have_the_journal_open_is_cut_off_by_the_next(study):
    other = optuna.load_study(study_name="a", storage=opened(study))
    with study.open("ab") as file:
        file.write(b'{"op_code":5,"work')
    other.set_user_attr("after", 1)
    again = optuna.load_study(study_name="a", storage=opened(study))
    assert again.user_attrs == {"after": 1}
    assert len(again.trials) == 2


def test_a_journal_of_nothing_but_a_torn_line_begins_anew(tmp_path):
    path = tmp_path / "s.journal"
    path.write_bytes(b'{"op_co')
    opened(path)
    assert path.read_bytes() == b""


def test_a_long_torn_line_is_found_block_by_block(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 4)
    path = tmp_path / "s.journal"
    path.write_bytes(b"abc\n" + b"x" * 23)
    assert cut_torn_line(path) == 23
    assert path.read_bytes() == b"abc\n"
    assert cut_torn_line(path) == 0


@pytest.mark.parametrize("text", ["time,temp\n1,2", '{"a": 1}\n', "x"])
def test_another_file_is_refused_and_stays_as_it_is(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"is no journal of a study, and stays as it is"):
        opened(path)
    assert path.read_text() == text


def test_a_folder_is_refused(tmp_path):
    (tmp_path / "a.journal").mkdir()
    with pytest.raises(ConfigError, match=r"no journal .* type study=\S+-2\.journal$"):
        opened(tmp_path / "a.journal")


def test_a_journal_with_a_damaged_line_is_told_as_such_and_stays_as_it_is(study):
    lines = study.read_bytes().splitlines(keepends=True)
    damaged = b"".join([lines[0], lines[1][:20] + lines[2], *lines[2:]])
    study.write_bytes(damaged)
    with pytest.raises(ConfigError, match=r"damaged: a line cannot be read .* type study="):
        opened(study)
    assert study.read_bytes() == damaged


HOLD = """
import sys, time
from pathlib import Path
from dualgaf.search.journal import JournalLock
lock = JournalLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
time.sleep(600)
"""


def holding(path):
    """A program that has the lock of a journal."""
    program = start(str(path), cwd=path.parent, program=("-c", HOLD))
    assert program.stdout.readline() == b"held\n"
    return program


def test_who_waits_for_the_lock_says_so_and_a_killed_holder_is_waited_for_no_longer(
    study, caplog, monkeypatch
):
    monkeypatch.setattr(module, "SILENT_S", 0.2)
    program = holding(study)
    os.kill(program.pid, signal.SIGSTOP)  # it lives, and does not go on
    ended = []

    def end(record):
        if "another process is writing" in record.getMessage():
            ended.append(time.monotonic())
            os.kill(program.pid, signal.SIGKILL)
        return True

    logger = logging.getLogger("dualgaf.search.journal")
    logger.addFilter(end)
    try:
        lock = JournalLock(study)
        lock.acquire()  # for ever where a killed holder kept it
    finally:
        logger.removeFilter(end)
    lock.release()
    assert ended
    assert "s.journal since 0.2 s; waiting for it (lock" in caplog.text
    program.communicate()
    caplog.clear()
    assert values(study) == [0.0, 1.0]
    assert not caplog.records


def test_it_is_said_after_two_seconds():
    assert module.SILENT_S == 2.0
