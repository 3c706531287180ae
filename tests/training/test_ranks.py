import logging
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import OmegaConf

from dualgaf.training import ranks
from dualgaf.training.ranks import (
    VARIABLES,
    is_first,
    on_one_device,
    ranks_started,
    silence_other_ranks,
)


def trainer_of_ranks():
    return SimpleNamespace(strategy=SimpleNamespace(launcher=SimpleNamespace(procs=[])))


def start(trainer, *processes):
    """As Lightning does: its observer keeps the very list."""
    trainer.strategy.launcher.procs = [*processes]
    return trainer.strategy.launcher.procs


def fails_with(error, trainer, other):
    """Raise inside the block in which this rank was started; the list that is watched."""
    block = ranks_started(trainer)
    block.__enter__()
    watched = start(trainer, other)
    assert not block.__exit__(error, error("on purpose"), None)  # the error goes on
    return watched


def sleeper(seconds):
    return subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"])


@pytest.fixture
def sweep_job(monkeypatch, tmp_path):
    """The configuration of a job of ``-m seed=0,1 +x=a hydra.verbose=true``."""
    made = {
        "mode": RunMode.MULTIRUN,
        "run": {"dir": "runs/now"},
        "runtime": {"output_dir": str(tmp_path / "1")},
        "overrides": {
            "task": ["seed=1", "+x=a"],
            "hydra": ["hydra.verbose=true", "hydra.mode=MULTIRUN"],
        },
    }
    cfg = OmegaConf.create({"hydra": made})
    OmegaConf.set_readonly(cfg.hydra, True)
    monkeypatch.setattr(HydraConfig.instance(), "cfg", cfg)
    return cfg


def test_what_lightning_sets_for_ranks_is_gone_after_the_block(monkeypatch):
    for name in (*VARIABLES, "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MASTER_ADDR", "mine")
    threads = torch.get_num_threads()
    with ranks_started(trainer_of_ranks()):
        for name in (*VARIABLES, "OMP_NUM_THREADS"):
            os.environ[name] = "1"
        torch.set_num_threads(threads + 1)
    assert os.environ["MASTER_ADDR"] == "mine"
    others = {*VARIABLES, "OMP_NUM_THREADS"} - {"MASTER_ADDR"}
    assert not others & set(os.environ)
    assert torch.get_num_threads() == threads


@pytest.mark.filterwarnings("ignore:.*hostname of the client socket.*")
def test_the_process_group_is_destroyed():
    with ranks_started(trainer_of_ranks()):
        store = torch.distributed.HashStore()
        torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    assert not torch.distributed.is_initialized()


def test_other_ranks_are_waited_for_and_no_observer_watches_them_any_more():
    with ranks_started(trainer := trainer_of_ranks()):
        watched = start(trainer, other := sleeper(0.3))
    assert other.returncode == 0
    assert watched == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_other_ranks_are_killed_where_this_one_fails(error, monkeypatch):
    monkeypatch.setattr(ranks, "LAST_WORDS_S", 0.1)
    trainer = trainer_of_ranks()
    other = sleeper(1000)
    watched = fails_with(error, trainer, other)
    assert other.returncode == -9
    assert watched == []


def test_a_rank_that_failed_first_may_say_why():
    trainer, other = trainer_of_ranks(), sleeper(0.2)
    wait, watched_meanwhile = other.wait, []

    def wait_and_note(timeout):
        watched_meanwhile.extend(trainer.strategy.launcher.procs)
        return wait(timeout)

    other.wait = wait_and_note
    fails_with(RuntimeError, trainer, other)
    assert watched_meanwhile == []
    assert other.returncode == 0


def test_in_a_sweep_other_ranks_run_this_job(sweep_job, monkeypatch, tmp_path):
    typed = ["train.py", "-m", "seed=0,1", "+x=a", "~logger", "-cd", "conf", "hydra.verbose=true"]
    monkeypatch.setattr(sys, "argv", typed)
    with ranks_started(trainer_of_ranks()):
        assert sys.argv == [
            *("train.py", "-cd", "conf", "seed=1", "+x=a"),
            *("hydra.verbose=true", "hydra.mode=RUN"),
        ]
        assert HydraConfig.get().run.dir == str(tmp_path / "1")
    assert sys.argv is typed


def test_elsewhere_other_ranks_run_the_same_command(monkeypatch):
    typed = ["dualgaf", "seed=0"]
    monkeypatch.setattr(sys, "argv", typed)
    monkeypatch.setattr(ranks, "first_words", ["train"])
    with ranks_started(trainer_of_ranks()):
        assert sys.argv == ["dualgaf", "train", "seed=0"]
    assert sys.argv is typed


@pytest.mark.parametrize(("rank", "level"), [(0, logging.INFO), (1, logging.WARNING)])
def test_the_first_rank_alone_logs_what_is_no_warning(rank, level, monkeypatch):
    monkeypatch.setattr(rank_zero_only, "rank", rank)
    root = logging.getLogger()
    monkeypatch.setattr(root, "level", logging.INFO)
    silence_other_ranks()
    assert root.level == level
    assert is_first() == (rank == 0)
    root.setLevel(logging.INFO)  # clears what loggers remember of the level


ORPHAN = """
import os, time
from dualgaf.training import ranks
if os.fork():
    time.sleep(1)
    os._exit(0)
ranks.end_with_parent()
print("watches", flush=True)
time.sleep(15)
print("was left", flush=True)
"""


def test_a_rank_ends_with_the_process_that_has_started_it():
    environment = {**os.environ, "LOCAL_RANK": "1"}
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "watches\n"  # its end is waited for: it has the pipe


ORPHAN_BEFORE = """
import os, time
from dualgaf.system.termination import FIRST_RANK
from dualgaf.training import ranks
first = os.getpid()
if os.fork():
    os._exit(0)
while os.getppid() == first:
    time.sleep(0.01)
os.environ[FIRST_RANK] = str(first)
ranks.end_with_parent()
print("watches", flush=True)
time.sleep(15)
print("was left", flush=True)
"""


def test_a_rank_whose_parent_was_killed_before_it_watches_ends_too():
    environment = {**os.environ, "LOCAL_RANK": "1"}
    command = [sys.executable, "-c", ORPHAN_BEFORE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "was left" not in done.stdout


@pytest.mark.parametrize(
    ("devices", "first"),
    [(2, 1), ("auto", 1), (-1, 1), ([3, 4], [3]), (OmegaConf.create([3, 4]), [3])],
)
def test_the_first_of_several_devices_is_used_alone(devices, first):
    assert on_one_device(devices) == {"devices": first, "num_nodes": 1, "strategy": "auto"}
