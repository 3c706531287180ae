"""A comparison goes on where it was: jobs that were stopped, failed, or are of other code."""

import json
import sys

import pytest

from dualgaf.errors import ConfigError
from dualgaf.store.lock import locked
from dualgaf.system.termination import Stopped
from dualgaf.training.code_stamp import STAMP
from dualgaf.training.comparison import rows
from dualgaf.training.comparison.command import compare
from dualgaf.training.comparison.job import _reason, command_of
from dualgaf.training.comparison.rows import LOG, RUN, begin, folder_of, keep

WORDS = ("experiment=natops,epilepsy", "seed=0,1", "baselines=[1nn]")
N_JOBS = 8


class Jobs:
    """Does jobs as `run_job` does, but for the work."""

    def __init__(self, fails=(), stops_at=None):
        self.done, self._fails, self._stops_at = [], fails, stops_at

    def __call__(self, job, folder, tick):
        begin(job, folder)
        tick(1.0)
        if len(self.done) == self._stops_at:
            raise Stopped(15)
        self.done.append(str(job))
        row = {"set": job.set, "method": job.method, "run": str(folder), "job_s": 2.0}
        if str(job) in self._fails:
            row |= {"state": "failed", "reason": "no room"}
        else:
            row |= {"state": "done", "accuracy": 0.5, "f1_macro": 0.5, "fit_s": 1.0, "windows": 4}
        keep(row, folder)
        return row


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_wherever_it_is_stopped_it_goes_on(here, capsys):
    first = Jobs(stops_at=3)
    with pytest.raises(Stopped):
        compare([*WORDS, "compare.dir=a"], first)
    assert "to go on type python -m dualgaf compare compare.dir=a" in capsys.readouterr().err
    assert (here / "a/comparison.csv").is_file()  # of three jobs
    second = Jobs(stops_at=2)
    with pytest.raises(Stopped):
        compare(["compare.dir=a"], second)
    third = Jobs()
    assert compare(["compare.dir=a"], third) == 0
    told = capsys.readouterr()
    assert "8 jobs, 5 are done" in told.err
    assert "[6/8] epilepsy 1nn seed=0: accuracy 0.500, macro F1 0.500, 2 s" in told.err
    every = [*first.done, *second.done, *third.done]
    assert len(every) == len(set(every)) == N_JOBS
    assert "0.500 ± 0.000 (2)" in told.out
    assert compare([*WORDS, "compare.dir=a"], again := Jobs()) == 0
    assert again.done == []
    compare([*WORDS, "model=dualgafnet,per_signal", "compare.dir=a"], more := Jobs())
    assert len(more.done) == 4
    assert all("per_signal" in job for job in more.done)


def test_a_job_that_fails_leaves_its_reason_and_is_tried_again(here, capsys):
    failing = "natops 1nn seed=1"
    assert compare([*WORDS, "compare.dir=a"], first := Jobs(fails=(failing,))) == 2
    assert len(first.done) == N_JOBS
    told = capsys.readouterr()
    assert f"{failing}: failed: no room" in told.err
    assert f"failed: {failing}: no room" in told.out
    assert "no room" in (here / "a/rows.csv").read_text()
    assert f"- {failing}: no room" in (here / "a/comparison.md").read_text()
    assert compare(["compare.dir=a"], second := Jobs()) == 0
    assert second.done == [failing]
    told = capsys.readouterr()
    assert "7 are done, 1 that failed before are tried again" in told.err
    assert "no room" not in told.out


def test_a_job_of_other_code_is_done_anew_and_keeps_its_folder(here, monkeypatch):
    compare([*WORDS, "compare.dir=a"], Jobs())
    before = (here / "a/natops/1nn/seed=0/row.json").read_bytes()
    monkeypatch.setattr(rows, "this_code", lambda: "dualgaf 9 other")
    compare([*WORDS, "compare.dir=a"], second := Jobs())
    assert len(second.done) == N_JOBS
    assert (here / "a/natops/1nn/seed=0/row.json").read_bytes() == before
    assert (here / "a/natops/1nn/seed=0-2/row.json").is_file()
    monkeypatch.undo()
    compare([*WORDS, f"compare.dir={here / 'a'}"], third := Jobs())
    assert third.done == []


def test_names_that_are_alike_have_folders_of_their_own(tmp_path):
    from dualgaf.training.comparison.asked import Job

    one, other = (Job(name, "m", (), (name,)) for name in ("a b", "a_b"))
    first = folder_of(one, tmp_path)
    assert folder_of(other, tmp_path, [first]) != first
    assert folder_of(other, tmp_path) == first  # nothing is there yet
    begin(one, first)
    assert folder_of(other, tmp_path) != first == folder_of(one, tmp_path)
    (first / RUN / STAMP).parent.mkdir(parents=True)
    (first / RUN / STAMP).write_text("dualgaf 9 edited\n")  # while it ran
    assert folder_of(one, tmp_path) != first


def test_a_folder_in_use_and_one_without_a_comparison_are_refused(here):
    with (
        locked(here / "a/.lock") if (here / "a").mkdir() is None else None,
        pytest.raises(ConfigError, match=r"or type another compare\.dir=FOLDER"),
    ):
        compare([*WORDS, "compare.dir=a"], Jobs())
    with pytest.raises(ConfigError, match=r"type experiment=natops,basic_motions compare\.dir=b"):
        compare(["compare.dir=b"], Jobs())


def test_a_terminal_shows_the_job_that_runs_and_the_time_left(here, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    compare([*WORDS, "compare.dir=a"], Jobs())
    told = capsys.readouterr().err
    assert "[1/8] natops dualgafnet seed=0: 1 s\r" in told
    assert "[5/8] epilepsy dualgafnet seed=0: 1 s, about 7 s left\r" in told
    assert told.count("\n") == 1 + N_JOBS


@pytest.mark.parametrize(
    ("log", "status", "reason"),
    [
        ("[info] a\ndualgaf: NAME is not found; type x\n", 2, "NAME is not found; type x"),
        (
            "Traceback\nMemoryError: no room\n\n",
            2,
            "ended with exit status 2: MemoryError: no room",
        ),
        ("step 3\n", -9, "killed by SIGKILL: step 3"),
        ("", -11, "killed by SIGSEGV"),
    ],
)
def test_the_reason_is_the_last_that_was_said(tmp_path, log, status, reason):
    (tmp_path / LOG).write_text(log)
    assert _reason(tmp_path / LOG, status) == reason


def test_a_network_is_a_run_in_its_folder(tmp_path):
    from dualgaf.training.comparison.asked import asked_for

    job = asked_for(["experiment=natops", "trainer.max_epochs=2"]).jobs[0]
    typed = command_of(job, tmp_path / "my run")
    assert typed[1:4] == ["-m", "dualgaf", "train"]
    assert typed[-1] == f'hydra.run.dir="{tmp_path}/my run/run"'
    assert {"experiment=natops", "model=dualgafnet", "trainer.max_epochs=2"} < set(typed)


def test_what_was_typed_is_kept(here):
    compare([*WORDS, "compare.dir=a"], Jobs())
    assert json.loads((here / "a/compare.json").read_text()) == {"words": list(WORDS)}
