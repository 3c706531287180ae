"""``skip_finished=true``: which jobs are left out, and that none of other code is."""

import csv
import json

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf, open_dict

from dualgaf.errors import ConfigError
from dualgaf.training import code_stamp, skipping
from dualgaf.training.code_stamp import STAMP, codes_of, is_of_this_code, source_digest, stamp
from dualgaf.training.config import load_config
from dualgaf.training.run_folder import RunFolderCheck, entered, finished
from dualgaf.training.skipping import begin_skipping
from dualgaf.training.sweep import SweepTable, _number
from preloaded import run

SMALL = (
    *("data=simulated", "data.n_windows=40", "data.window_size=12", "datamodule.image_size=4"),
    *(
        "model.width=8",
        "model.use_minirocket=false",
        "model.use_forest=false",
        "refit=false",
        "report=false",
    ),
    *("trainer.max_epochs=1", "trainer.accelerator=cpu", "logger=csv", "calibration.enabled=false"),
)


def done_before(folder, seed, code=None):
    """A job as a sweep leaves it."""
    typed = [*SMALL, f"seed={seed}"]
    with entered(load_config(typed), folder):
        (folder / "metrics.json").write_text(json.dumps({"val/acc": seed / 10, "fit/epochs": 1}))
    (folder / ".hydra/overrides.yaml").write_text(json.dumps(typed))
    if code is not None:
        (folder / STAMP).write_text(code)


def test_jobs_are_found_by_their_options_and_their_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sweep = tmp_path / "S"
    done_before(sweep / "0", 5)
    done_before(sweep / "1", 6, "dualgaf 0.0 of before\n")
    done_before(sweep / "2", 7)
    typed = ("skip_finished=true", "hydra.sweep.dir=S")
    said = run("-m", "seed=7,6,5", *SMALL[::-1], *typed, cwd=tmp_path)
    assert said.count("is done; for a longer training") == 2
    assert said.count("run directory: ") == 1
    assert "1 jobs of other code in S are left out of the table" in said
    with (sweep / "sweep.csv").open() as file:
        rows = {row["seed"]: row for row in csv.DictReader(file)}
    jobs = [row["job"] for row in rows.values()]
    assert [job.partition("-")[0] for job in jobs] == ["0", "1", "2"]
    assert (rows["5"]["val/acc"], rows["7"]["val/acc"]) == ("0.5", "0.7")
    assert rows["6"]["job"] != "1"
    assert json.loads((sweep / rows["6"]["job"] / "metrics.json").read_text())["fit/seconds"] > 0
    assert json.loads((sweep / "1/metrics.json").read_text())["val/acc"] == 0.6
    assert "skip_finished" not in rows["6"]
    # without the option jobs are told by their numbers, which are those of other jobs here
    config = OmegaConf.load(sweep / "multirun.yaml")
    config.skip_finished, config.hydra.overrides.task = False, [*SMALL, "seed=7,6,5"]
    with pytest.raises(SystemExit, match="holds another sweep"):
        RunFolderCheck().on_multirun_start(config)


@pytest.mark.parametrize("folder", ["", "S"])
def test_a_folder_is_needed(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    own = [f"hydra.sweep.dir={folder}"] if folder else []
    hydra = {"overrides": {"task": [], "hydra": own}, "sweep": {"dir": "S"}}
    config = OmegaConf.create({"skip_finished": True, "hydra": hydra})
    if not folder:
        with pytest.raises(SystemExit, match=r"type skip_finished=true hydra\.sweep\.dir=FOLDER"):
            SweepTable().on_multirun_start(config)
        return
    begin_skipping(config)
    begin_skipping(config)
    assert config.hydra.overrides.hydra == [*own, "hydra.sweep.subdir=${dualgaf_job:}"]


def test_a_sweep_is_needed(tmp_path):
    config = load_config(["skip_finished=true", f"paths.run_dir={tmp_path}"])
    with open_dict(config):
        config.hydra = {"run": {"dir": str(tmp_path)}}
    with pytest.raises(SystemExit, match="skip_finished=true is for the jobs of a sweep; type -m"):
        RunFolderCheck().on_run_start(config)


def test_a_folder_of_ones_own_naming_does_not_take_a_job_of_other_code(tmp_path):
    done_before(tmp_path / "a", 5)
    config = load_config([*SMALL, "seed=5", "skip_finished=true"])
    assert finished(config, tmp_path / "a")["val/acc"] == 0.5
    (tmp_path / "a" / STAMP).write_text("dualgaf 0.0 of before\n")
    with pytest.raises(ConfigError, match="is done by other code than this"):
        finished(config, tmp_path / "a")
    config.skip_finished = False
    assert finished(config, tmp_path / "a")["val/acc"] == 0.5


def test_every_file_of_the_source_counts(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    seen = {source_digest(tmp_path)}
    (tmp_path / "inner").mkdir()
    for change in ("x = 2\n", "x = 2", ""):
        (tmp_path / "a.py").write_text(change)
        seen.add(source_digest(tmp_path))
    (tmp_path / "inner/b.py").touch()
    seen.add(source_digest(tmp_path))
    (tmp_path / "inner/b.py").rename(tmp_path / "b.py")
    seen.add(source_digest(tmp_path))
    assert len(seen) == 6
    (tmp_path / "notes.txt").write_text("no source")
    assert source_digest(tmp_path) in seen


def test_a_run_that_two_codes_have_worked_on_is_of_neither(tmp_path, monkeypatch):
    stamp(tmp_path, anew=True)
    assert is_of_this_code(tmp_path)
    own = codes_of(tmp_path)
    monkeypatch.setattr(code_stamp, "this_code", lambda: "dualgaf 9 other")
    stamp(tmp_path, anew=False)
    assert codes_of(tmp_path) == [*own, "dualgaf 9 other"]
    assert not is_of_this_code(tmp_path)
    stamp(tmp_path, anew=True)
    assert is_of_this_code(tmp_path)


def test_the_name_of_a_folder_follows_from_options_and_code(tmp_path, monkeypatch):
    root = {"hydra": {"sweep": {"dir": str(tmp_path)}, "job": {"num": 3}}, "seed": 0}
    root |= {"trainer": {"max_epochs": 2}, "skip_finished": True, "paths": {"run_dir": "a"}}
    config = OmegaConf.create({**root, "at": "${dualgaf_job:}"})
    config.hydra.sweep.subdir = "${dualgaf_job:}"
    name = config.hydra.sweep.subdir
    assert name.startswith("3-")
    config.paths.run_dir, config.hydra.job.num = "b", 4
    assert config.hydra.sweep.subdir.partition("-")[2] == name.partition("-")[2]
    (tmp_path / name / ".hydra").mkdir(parents=True)
    assert config.hydra.sweep.subdir == name
    config.seed = 1
    assert config.hydra.sweep.subdir != name
    config.seed = 0
    monkeypatch.setattr(skipping, "this_code", lambda: "dualgaf 9 other")
    assert config.hydra.sweep.subdir != name
    assert not HydraConfig.initialized()


@pytest.mark.parametrize("number", ["3", "3-0f1e2d3c"])
def test_jobs_stand_in_the_order_of_their_numbers(tmp_path, number):
    assert _number(tmp_path / number / ".hydra") == (3, number)
