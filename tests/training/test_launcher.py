"""What starts the jobs of a sweep, and which command the ranks in its workers run."""

import importlib.machinery
import json
import sys

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from dualgaf.errors import ConfigError
from dualgaf.training import launcher
from dualgaf.training.launcher import (
    COMMAND,
    check_launcher,
    check_measuring,
    is_worker,
    our_command,
    remember_command,
)
from dualgaf.training.overrides import check_overrides
from dualgaf.training.ranks import _is_of_sweep

JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"
BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


def refused(call, *arguments):
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "package"),
    [
        ("launcher=slurm", "hydra-submitit-launcher"),
        ("hydra/launcher=joblib", "hydra-joblib-launcher"),
    ],
)
def test_a_launcher_that_is_not_installed_says_what_to_install(text, package, monkeypatch):
    monkeypatch.setattr(launcher, "_is_there", lambda module: False)
    told = refused(check_overrides, ["-m", text, "seed=0,1"])
    assert told.startswith(f"{text} needs {package}, which is not installed; type pip install ")
    assert told.endswith(f'"dualgaf[{text.rpartition("=")[2]}]"')


def test_a_launcher_without_a_sweep_is_refused(monkeypatch):
    monkeypatch.setattr(launcher, "_is_there", lambda module: True)
    told = refused(check_launcher, ["launcher=here"], True)
    assert "this is one run; type -m launcher=here, which makes it a sweep of one job" in told
    check_launcher(["launcher=here"], False)
    check_launcher(["launcher=here", "resume=multirun/a"], True)
    check_launcher(["launcher=basic"], True)


@pytest.mark.parametrize(
    "text",
    ["hydra/launcher=mine", "hydra/job_logging=none", "hydra/sweeper=basic", "hydra.verbose=true"],
)
def test_groups_of_hydra_are_left_to_hydra(text):
    check_overrides([text])


def sweep(target, *typed, params=None, **options):
    made = {
        "mode": RunMode.MULTIRUN,
        "launcher": {"_target_": target, **options},
        "sweeper": {"params": params},
        "overrides": {"task": [*typed]},
    }
    return OmegaConf.create({"hydra": made})


def test_jobs_at_the_same_time_do_not_measure_a_build(caplog):
    typed = "parallel.chunk_size=10,20"
    told = refused(check_measuring, sweep(JOBLIB, typed, n_jobs=2))
    assert told.endswith("measure each other; type launcher=basic")
    params = {"parallel.n_jobs": "1,2"}
    assert "over parallel.n_jobs" in refused(check_measuring, sweep(JOBLIB, params=params))
    for config in (
        sweep(BASIC, typed),
        sweep(JOBLIB, typed, n_jobs=1),
        sweep(JOBLIB, "parallel.n_jobs=1", "seed=0,1"),
        sweep(SLURM, typed, array_parallelism=1),
        sweep(SLURM, typed, additional_parameters={"exclusive": True}),
    ):
        check_measuring(config)
    assert not caplog.text
    check_measuring(sweep(SLURM, typed))
    assert "for one after the other hydra.launcher.array_parallelism=1" in caplog.text


@pytest.fixture
def worker(monkeypatch):
    """This process is a worker of joblib, with a job of a sweep."""
    name = "joblib.externals.loky.backend.popen_loky_posix"
    spec = importlib.machinery.ModuleSpec(name, None)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", spec)
    monkeypatch.delenv(COMMAND, raising=False)
    monkeypatch.setattr(HydraConfig.instance(), "cfg", sweep(JOBLIB))
    monkeypatch.setattr(sys, "argv", ["loky.py", "7"])
    return spec


def test_ranks_in_a_worker_run_the_command_that_started_the_sweep(worker, monkeypatch):
    assert is_worker()
    told = {"module": False, "program": "/here/train.py", "words": [], "flags": ["-cd", "conf"]}
    monkeypatch.setenv(COMMAND, json.dumps(told))
    main = sys.modules["__main__"]
    with our_command(["loky.py"], starts=True) as words:
        assert words == ["/here/train.py", "-cd", "conf"]
        assert main.__spec__ is None  # Lightning runs the file
    assert main.__spec__ is worker
    told = {"module": True, "program": "dualgaf.__main__", "words": ["train"], "flags": []}
    monkeypatch.setenv(COMMAND, json.dumps(told))
    with our_command(["loky.py"], starts=True) as words:
        assert words == ["dualgaf.__main__", "train"]
        assert main.__spec__.name == "dualgaf.__main__"


def test_ranks_are_refused_where_the_command_is_not_known(worker, monkeypatch):
    def start():
        with our_command(["loky.py"], starts=True):
            pass

    assert "which does not say by which command; start a sweep as" in refused(start)
    with our_command(["loky.py"], starts=False) as words:  # of one device
        assert words[0] == "loky.py"
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)  # a task of Ray, say
    monkeypatch.setenv(COMMAND, json.dumps({"module": False, "program": "train.py"}))
    assert "does not say" in refused(start)


def test_a_command_is_left_to_the_workers(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(COMMAND, "")
    monkeypatch.setattr(sys, "argv", ["train.py", "-m", "-cd", "conf", "seed=1,2"])
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    remember_command([])
    assert launcher.remembered() == {
        "module": False,
        "program": str(tmp_path / "train.py"),
        "words": [],
        "flags": ["-cd", "conf"],
    }


def test_what_is_for_the_launcher_is_not_for_a_rank():
    typed = ["launcher=here", "hydra.launcher.n_jobs=2", "hydra/launcher=joblib", "hydra.mode=RUN"]
    assert all(map(_is_of_sweep, typed))
    assert not any(map(_is_of_sweep, ["seed=1", "hydra.verbose=true", "hydra.sweep.subdir=a"]))
