"""What srun and torchrun say in the environment of a rank, and what follows from it."""

import os
import sys
import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf

from dualgaf.errors import ConfigError
from dualgaf.training import cluster
from dualgaf.training.cluster import (
    Cluster,
    check_started,
    in_one_folder,
    is_first_of_node,
    placed,
    ranks_of,
    requeued,
)
from dualgaf.training.options import trainer_options
from dualgaf.training.standing import score

# As a step of SLURM 22.05 has them: srun -N2 --ntasks-per-node=2, its last rank.
STEP = {
    "SLURM_JOB_ID": "71",
    "SLURM_JOB_NAME": "python",
    "SLURM_LOCALID": "1",
    "SLURM_NNODES": "2",
    "SLURM_NTASKS": "4",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_PROCID": "3",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NUM_TASKS": "4",
}
# As torchrun 2.13 --nnodes 2 --nproc-per-node 2 has them, its last rank.
TORCHRUN = {
    "GROUP_RANK": "1",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "RANK": "3",
    "TORCHELASTIC_RESTART_COUNT": "0",
    "TORCHELASTIC_RUN_ID": "none",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
    "WORLD_SIZE": "4",
}


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    for name in [*os.environ]:
        if name.startswith(("SLURM_", "TORCHELASTIC_")) or name in TORCHRUN:
            monkeypatch.delenv(name)


def started(monkeypatch, variables, **other):
    for name, value in {**variables, **other}.items():
        monkeypatch.setenv(name, value)


def run(devices=1, num_nodes=1, task="fit", **trainer):
    told = {"devices": devices, "num_nodes": num_nodes, **trainer}
    return OmegaConf.create({"task": task, "trainer": told})


def refused(call, *arguments):
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    return str(caught.value)


@pytest.mark.parametrize(("engine", "variables"), [("srun", STEP), ("torchrun", TORCHRUN)])
def test_a_rank_knows_its_place(engine, variables, monkeypatch):
    started(monkeypatch, variables)
    assert Cluster.here() == Cluster(engine, nodes=2, ranks=4, rank=3, local_rank=1)
    assert not is_first_of_node()
    cfg = placed(run("auto", "auto"))
    assert (cfg.trainer.num_nodes, cfg.trainer.devices) == (2, 2)
    assert ranks_of(cfg) == 4
    check_started(cfg)


def test_a_shell_of_slurm_is_no_rank(monkeypatch):
    started(monkeypatch, STEP, SLURM_JOB_NAME="bash")
    assert Cluster.here() is None
    assert in_one_folder(["seed=1"]) == ["seed=1"]


def test_without_a_cluster_its_trainer_is_refused():
    told = refused(placed, run("auto", "auto"))
    assert "neither has started this program; type srun --nodes=2 --ntasks-per-node=4" in told
    cfg = run(2)
    assert placed(cfg) is cfg


def test_ranks_that_are_not_as_many_on_each_node_are_refused(monkeypatch):
    started(monkeypatch, STEP, SLURM_STEP_NUM_TASKS="5")
    told = refused(placed, run("auto", "auto"))
    assert told.endswith("a training has as many on each; type srun --ntasks-per-node=2")


def test_processes_that_would_each_train_for_themselves_are_refused(monkeypatch):
    started(monkeypatch, TORCHRUN)
    told = refused(check_started, run())
    assert told == (
        "torchrun has started 4 processes, and this training has 1: trainer.num_nodes=1 "
        "trainer.devices=1; type trainer=cluster"
    )
    check_started(run(task="test"))  # the first of them alone tests
    check_started(run(2, 2))


def test_what_would_wait_for_ever_is_refused(monkeypatch):
    started(monkeypatch, STEP)
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE")
    assert refused(check_started, run(2, 2)).endswith("type srun --ntasks-per-node=2")
    monkeypatch.delenv("SLURM_STEP_NUM_TASKS")  # in the script of a job, without srun
    assert refused(check_started, run(2, 2)).endswith("type srun before the command")
    check_started(run())


@pytest.mark.parametrize(
    ("devices", "ranks"), [(3, 3), ([0, 2], 2), ("2", 2), ("0,1", 2), ("auto", 1), (-1, 1)]
)
def test_devices_are_counted_as_lightning_counts_them(devices, ranks):
    assert ranks_of(run(devices, accelerator="cpu")) == ranks


def test_a_step_of_slurm_has_one_folder_which_it_has_again_after_a_requeue(monkeypatch):
    started(monkeypatch, STEP)
    assert in_one_folder(["seed=1"]) == ["seed=1", "hydra.run.dir=runs/slurm-71-0"]
    sweep = ["-m", "seed=1,2"]
    assert in_one_folder(sweep) == [*sweep, "hydra.sweep.dir=multirun/slurm-71-0"]
    for typed in (["hydra.run.dir=mine"], ["--help"], ["--cfg", "job"]):
        assert in_one_folder(typed) == typed
    monkeypatch.delenv("SLURM_STEP_ID")  # the script of the job itself
    assert in_one_folder(["seed=1"]) == ["seed=1"]


def test_ranks_of_torchrun_have_the_folder_that_the_first_names(monkeypatch):
    store = torch.distributed.TCPStore(
        "127.0.0.1", 0, is_master=True, timeout=timedelta(seconds=60), wait_for_workers=False
    )
    started(monkeypatch, TORCHRUN, MASTER_ADDR="127.0.0.1", MASTER_PORT=str(store.port))
    found = []
    last = threading.Thread(target=lambda: found.append(in_one_folder(["seed=1"])))
    last.start()  # it waits
    last.join(0.2)
    first = Cluster("torchrun", nodes=2, ranks=4, rank=0, local_rank=0)
    told = cluster._told_by_first(first, "runs/2026-11-30/20-00-00-000001")
    last.join()
    assert told == "runs/2026-11-30/20-00-00-000001"
    assert found == [["seed=1", f"hydra.run.dir={told}"]]
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "False")
    assert refused(in_one_folder, []).endswith("with one folder for all of them")


def test_a_job_goes_back_to_the_queue_where_it_goes_on(monkeypatch):
    asked = []

    def ask(words, **options):
        asked.append(words)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(cluster.subprocess, "run", ask)
    monkeypatch.setattr(sys, "argv", ["train.py", "hydra.run.dir=runs/slurm-71-0"])
    assert requeued() == ""  # no job
    started(monkeypatch, STEP)
    assert requeued() == "job 71 goes back to the queue"
    assert not asked  # the first rank asks
    monkeypatch.setenv("SLURM_PROCID", "0")
    assert requeued().startswith("job 71 is back in the queue")
    assert asked == [["scontrol", "requeue", "71"]]
    monkeypatch.setattr(sys, "argv", ["train.py"])
    assert requeued() == ""  # it would begin anew, in another folder


@pytest.mark.parametrize(("devices", "num_nodes", "epochs"), [(1, 1, 20), (2, 1, 39), (2, 2, 75)])
def test_auto_counts_the_steps_of_all_ranks(devices, num_nodes, epochs):
    # 600 windows in batches of 16 are 38 steps of one rank, 19 of two, 10 of four: 750 in all
    data = SimpleNamespace(batch_size=16, windows=SimpleNamespace(indices={"train": [0] * 600}))
    cfg = run(devices, num_nodes, accelerator="cpu", max_epochs="auto")
    cfg = OmegaConf.merge(cfg, {"seed": 0, "callbacks": {}, "paths": {"run_dir": "."}})
    assert trainer_options(cfg, data)["max_epochs"] == epochs


def test_no_search_gets_a_score_of_the_test_split():
    assert score({"test/acc": 0.9, "build/seconds": 1.0}) is None
    assert score({"test/acc": 0.9, "val/acc": 0.5}) == 0.5
    assert score({"build/seconds": 2.0}, "build") == 2.0
    assert score({"build/seconds": 2.0}, "predict") is None
