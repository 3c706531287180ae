"""train.py with several ranks, once and in sweeps: every job ends, and one copy lives at a time."""

import csv
import json

import pytest

from preloaded import TRAIN, start
from programs import SEARCH_PATH, finished, told

SMALL = (
    "trainer=ddp_sim",
    "data=simulated",
    "data.n_windows=100",
    "data.window_size=24",
    "trainer.max_epochs=1",
    "datamodule.image_size=24",
    "model.width=8",
    "model.use_minirocket=false",
    "model.use_forest=false",
    "report=false",
    "logger=csv",
    "+callbacks.tell._target_=ranks_program.Tell",
    "+callbacks.tell.folder=${paths.run_dir}",
    "refit=false",
)
WITHIN_S = 150

pytestmark = pytest.mark.timeout(2 * WITHIN_S)


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", SEARCH_PATH)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def run(*arguments, cwd, program=(TRAIN,), jobs=1):
    """Output and status; all its processes are ended where it does not end by itself."""
    return finished(start(*arguments, cwd=cwd, program=program, others=jobs), WITHIN_S)


def check_job(folder, metrics):
    """Two ranks have fitted one copy, one has tested, and nobody had another store."""
    first, second = told(folder, "fit")
    assert [len(first["built"]), len(second["built"])] == [1, 0]
    assert first["inodes"] == second["inodes"]
    assert first["inodes"]
    assert first["hashes"] == second["hashes"]
    copy = first["store_bytes"]
    assert first["all_bytes"] == pytest.approx(copy, rel=0.05)
    (alone,) = told(folder, "test")
    assert float(metrics["build/bytes"]) == alone["store_bytes"] > copy
    assert alone["all_bytes"] == pytest.approx(alone["store_bytes"], rel=0.05)


@pytest.mark.fault(22)
def test_a_run_of_two_ranks_says_and_writes_everything_once(tmp_path):
    output, status = run(*SMALL, cwd=tmp_path)
    assert status == 0, output
    (path,) = tmp_path.glob("runs/*/*/metrics.json")
    metrics = json.loads(path.read_text())
    check_job(path.parent, metrics)
    assert {"val/acc", "test/acc", "fit/seconds"} <= set(metrics)
    assert metrics["build/windows"] == 100
    assert len(list(tmp_path.glob("runs/*/*"))) == 1
    assert (path.parent / "checkpoints" / "best.ckpt").is_file()
    for said in ("run directory", "metrics:"):
        assert output.count(said) == 1, output
    assert output.count("build plan") == 2  # train and val, then test
    assert "Warning:" not in output


def rows_of(folder):
    (path,) = folder.glob("multirun/*/*/sweep.csv")
    with path.open() as file:
        return path.parent, list(csv.DictReader(file))


@pytest.mark.fault(22)
def test_a_sweep_of_two_ranks_ends_with_a_row_a_job(tmp_path):
    program = ("-m", "dualgaf", "train")  # of an installed wheel
    output, status = run("-m", "seed=0,1", *SMALL, cwd=tmp_path, program=program, jobs=2)
    assert status == 0, output
    folder, rows = rows_of(tmp_path)
    assert [row["seed"] for row in rows] == ["0", "1"]
    for row in rows:
        assert 0 <= float(row["test/acc"]) <= 1
        check_job(folder / row["job"], row)
    assert len(list(tmp_path.glob("multirun/*/*"))) == 1
    assert not (tmp_path / "runs").exists()
    assert output.count("build plan") == 4
    assert "sweep of 2 jobs" in output


@pytest.mark.fault(22)
@pytest.mark.parametrize("rank", [0, 1])
def test_a_job_that_fails_in_a_rank_leaves_the_others_and_the_table(rank, tmp_path):
    # the rank that fails in the first job is none of the second one
    fails = ("+callbacks.fail._target_=ranks_program.Fail", f"+callbacks.fail.rank={rank},5")
    output, status = run("-m", *SMALL, *fails, cwd=tmp_path, jobs=2)
    assert status == 2, output
    assert "on purpose" in output
    folder, rows = rows_of(tmp_path)
    assert [row["+callbacks.fail.rank"] for row in rows] == [str(rank), "5"]
    assert [row["test/acc"] != "" for row in rows] == [False, True]
    check_job(folder / "1", rows[1])
    assert not told(folder / "0", "fit")
    assert "sweep of 2 jobs" in output


def test_two_ranks_refit_and_one_device_tests(tmp_path):
    output, status = run(*SMALL, "refit=true", cwd=tmp_path)
    assert status == 0, output
    assert output.count("refit: ") == 1
    assert output.count("build plan") == 2
    (before,) = tmp_path.glob("runs/*/*/metrics.json")
    checkpoint = f"ckpt_path={before.parent}/checkpoints/best.ckpt"
    again = tmp_path / "again"
    output, status = run(*SMALL, checkpoint, "task=test", f"hydra.run.dir={again}", cwd=tmp_path)
    assert status == 0, output
    first, second = (json.loads((p).read_text()) for p in (before, again / "metrics.json"))
    assert "val/acc" in first  # of the first training; the refit has learned the val split
    assert "val/acc" not in second
    for key in ("test/acc", "test/loss", "test/f1_macro"):
        assert second[key] == pytest.approx(first[key])
    assert len(told(again, "test")) == 1
