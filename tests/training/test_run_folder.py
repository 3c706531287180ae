"""Which options make another run of a folder, and that nothing of it is touched then."""

import functools
import json
import subprocess
import sys
import time

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from dualgaf.errors import ConfigError
from dualgaf.plan.preset import conf_folder
from dualgaf.training.code_stamp import STAMP
from dualgaf.training.run_folder import RECORD, RunFolderCheck, check_folder, entered, finished


@functools.cache
def config(*overrides):
    with initialize_config_dir(str(conf_folder().resolve()), version_base="1.3"):
        return compose("train", overrides=["paths.run_dir=.", "data=simulated", *overrides])


@pytest.fixture
def folder(tmp_path):
    """Of a training that is done."""
    tmp_path = tmp_path / "run"
    with entered(config(), tmp_path):
        (tmp_path / "checkpoints").mkdir()
        for name in ("metrics.json", "checkpoints/best.ckpt", "checkpoints/last.ckpt"):
            (tmp_path / name).write_text("{}")
        (tmp_path / "csv").mkdir()
        (tmp_path / "csv" / "metrics.csv").write_text("step\n")
    return tmp_path


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "override",
    [
        *("logger=csv", "trainer.enable_progress_bar=false", "paths.run_dir=elsewhere"),
        *("+callbacks.bar._target_=lightning.pytorch.callbacks.RichProgressBar",),
        *("hardware=8gb", "parallel.n_jobs=1", "parallel=default", "cache.dir=here"),
        *("datamodule.num_workers=2", "trainer.max_epochs=auto", "seed=0", "resume=here"),
        "classifier.learning_rate=4e-3",  # the same, written otherwise
    ],
)
def test_options_that_change_no_result_make_the_same_run(folder, override):
    assert check_folder(config(override), folder)
    assert finished(config(override), folder) == {}


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("seed=1", "seed=0 there, 1 here"),
        ("refit=false", "refit=true there, false here"),
        ("trainer.max_epochs=9", "trainer.max_epochs=auto there, 9 here"),
        ("task=test", "task=fit there, test here"),
        ("ckpt_path=x.ckpt", "ckpt_path=null there, x.ckpt here"),
        ("images=on_device", "images=precompute there, on_device here"),
        ("trainer.max_steps=3", "trainer.max_steps=none there, 3 here"),
        ("~callbacks.early_stopping", "callbacks.early_stopping._target_=lightning.pytorch"),
        ("data=ucr", "dualgaf.SimulatedSource there, dualgaf.ArchiveSource here"),
        ("trainer.devices=2", "trainer.devices=1 there, 2 here"),
    ],
)
def test_other_options_are_refused_and_nothing_is_touched(folder, override, text):
    before = files(folder)
    for look in (check_folder, finished, lambda cfg, path: entered(cfg, path).__enter__()):
        with pytest.raises(ConfigError) as refused:
            look(config(*override.split()), folder)
        said = str(refused.value)
        assert text in said
        assert str(folder) in said
        assert f"resume={folder}" in said
        assert f"hydra.run.dir={folder}-2" in said
    assert files(folder) == before


def test_a_longer_training_is_allowed_where_resume_is_typed(folder):
    longer = config("trainer.max_epochs=300", f"resume='{folder}'")
    assert check_folder(longer, folder)
    assert finished(longer, folder) is None  # there is more to train
    with pytest.raises(ConfigError, match="seed=0 there, 1 here"):
        check_folder(config("trainer.max_epochs=300", f"resume='{folder}'", "seed=1"), folder)


def test_a_build_is_measured_so_the_machine_counts(tmp_path):
    with entered(config("task=build"), tmp_path):
        (tmp_path / "metrics.json").write_text("{}")
    assert check_folder(config("task=build", "logger=csv"), tmp_path)
    with pytest.raises(ConfigError, match=r"parallel.n_jobs=.* there, 1 here"):
        check_folder(config("task=build", "parallel.n_jobs=1"), tmp_path)
    assert finished(config("task=build"), tmp_path) is None  # it is measured again


def test_a_folder_without_results_takes_any_run(tmp_path):
    (tmp_path / "train.py").touch()
    (tmp_path / "checkpoints").mkdir()
    with entered(config("seed=1"), tmp_path):
        pass  # and fails before anything is learned, say at a wrong folder of data
    assert not check_folder(config(), tmp_path)


def test_results_of_an_unknown_run_are_not_touched(folder):
    (folder / RECORD).unlink()
    before = files(folder)
    with pytest.raises(ConfigError, match=r"options are not known \(metrics.json, checkpoints/bes"):
        check_folder(config(), folder)
    assert files(folder) == before


def test_a_run_of_an_earlier_version_is_known_by_what_hydra_has_kept(folder):
    (folder / RECORD).rename(folder / ".hydra" / "config.yaml")
    assert check_folder(config(), folder, before_hydra=True)
    with pytest.raises(ConfigError, match="seed=0 there, 1 here"):
        check_folder(config("seed=1"), folder, before_hydra=True)


def looks(folder, *overrides):
    """What Hydra's callback does before Hydra writes into the folder."""
    with initialize_config_dir(str(conf_folder().resolve()), version_base="1.3"):
        own = ["data=simulated", f"hydra.run.dir={folder}", *overrides]
        cfg = compose("train", overrides=own, return_hydra_config=True)
    RunFolderCheck().on_run_start(cfg)


def test_before_hydra_writes_the_folder_is_looked_at(folder):
    looks(folder)
    (folder / RECORD).rename(folder / ".hydra" / "config.yaml")  # of an earlier version
    before = files(folder)
    with pytest.raises(SystemExit, match="seed=0 there, 1 here"):
        looks(folder, "seed=1")
    assert files(folder) == before
    looks(folder)
    assert OmegaConf.load(folder / RECORD) == config()  # Hydra may write over its own now
    looks(folder, "seed=1", f"paths.run_dir={folder}/other")  # where results go is what counts


def test_a_sweep_is_looked_at_as_a_whole(folder):
    sweep = folder.parent
    own = {"overrides": {"task": ["seed=0,1", "logger=csv"]}, "sweeper": {"params": {}}}
    OmegaConf.save(OmegaConf.create({"hydra": own}), sweep / "multirun.yaml")

    def sweeps(*task):
        node = {**own, "overrides": {"task": [*task]}, "sweep": {"dir": str(sweep)}}
        RunFolderCheck().on_multirun_start(OmegaConf.create({"hydra": node}))

    sweeps("seed=0,1")
    sweeps("seed=0,1", "resume=S", "trainer.max_epochs=9")
    for other in (["seed=0,1,2"], ["seed=0,1", "trainer.max_epochs=9"], ["seed=1,0"]):
        with pytest.raises(SystemExit, match="holds another sweep"):
            sweeps(*other)


def test_a_run_that_was_stopped_is_not_done(folder):
    (folder / "metrics.json").write_text(json.dumps({"fit/stopped": "SIGTERM"}))
    assert finished(config(), folder) is None
    (folder / "metrics.json").write_text('{"fit/epochs": ')  # cut off
    assert finished(config(), folder) is None


def test_a_run_that_goes_on_has_its_checkpoints_and_logs_and_no_results(folder):
    (folder / "checkpoints" / "last.ckpt.draft").touch()
    with entered(config(), folder):
        left = {str(path.relative_to(folder)) for path in files(folder)}
    lock, kept = ".hydra/run.lock", {"checkpoints/best.ckpt", "checkpoints/last.ckpt"}
    assert left == {str(RECORD), str(STAMP), lock, "csv/metrics.csv", *kept}


def test_one_that_has_learned_nothing_begins_with_new_logs(folder):
    for path in folder.glob("checkpoints/*"):
        path.unlink()
    with entered(config(), folder):
        assert not (folder / "csv").exists()


def test_the_record_is_the_configuration_as_it_was_composed(folder):
    assert OmegaConf.load(folder / RECORD) == config()


HOLD = """
import sys, time
from pathlib import Path
from dualgaf.store.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_while_the_first_is_at_work(tmp_path):
    lock = tmp_path / RECORD.with_suffix(".lock")
    lock.parent.mkdir(parents=True)
    command = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "held\n"
        with (
            pytest.raises(ConfigError, match="another process is at work"),
            entered(config(), tmp_path),
        ):
            pass
        first.kill()
    started = time.monotonic()
    with entered(config(), tmp_path):
        assert time.monotonic() - started < 5
