"""Ranks that srun or torchrun has started, maybe on several nodes: how many, and in which folder.

Lightning reads the same variables (``SLURMEnvironment``, ``TorchElasticEnvironment``). Here they
give ``trainer=cluster`` its numbers, refuse what could only wait for ever, and have all ranks of a
command name one run folder: each would make the time of its own start a name.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from omegaconf import DictConfig, ListConfig, OmegaConf

from dualgaf.errors import ConfigError
from dualgaf.plan.preset import conf_folder
from dualgaf.system.termination import is_started_rank
from dualgaf.training.resume import key_of

TOGETHER_S = 300
"""How long ranks of torchrun wait for the first to name the folder."""
_INTERACTIVE = ("bash", "interactive")
"""Names of jobs in whose shell something else than srun starts processes; as Lightning has them."""
_PLACES = ("hydra.run.dir", "hydra.sweep.dir", "paths.run_dir")
_NO_RUN = ("--help", "--hydra-help", "--info", "--cfg", "-c", "--version", "--shell-completion")


@dataclass(frozen=True)
class Cluster:
    """What the environment says of the ranks that this process is one of."""

    engine: str
    """``srun`` or ``torchrun``."""
    nodes: int
    ranks: int
    """On all nodes together."""
    rank: int
    local_rank: int

    @classmethod
    def here(cls, variables: Mapping[str, str] | None = None) -> Self | None:
        """Of this process; None where neither has started it.

        Args:
            variables: the environment of another one.

        Example:
            >>> told = {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "RANK": "3", "LOCAL_RANK": "1"}
            >>> Cluster.here({"TORCHELASTIC_RUN_ID": "none", **told})
            Cluster(engine='torchrun', nodes=2, ranks=4, rank=3, local_rank=1)
            >>> Cluster.here({}) is None
            True
        """
        told = os.environ if variables is None else variables
        if "TORCHELASTIC_RUN_ID" in told:
            ranks, local = int(told["WORLD_SIZE"]), int(told["LOCAL_WORLD_SIZE"])
            return cls(
                "torchrun", -(-ranks // local), ranks, int(told["RANK"]), int(told["LOCAL_RANK"])
            )
        if "SLURM_NTASKS" not in told or told.get("SLURM_JOB_NAME") in _INTERACTIVE:
            return None
        return cls(
            "srun",
            int(told.get("SLURM_STEP_NUM_NODES", told.get("SLURM_NNODES", 1))),
            int(told.get("SLURM_STEP_NUM_TASKS", told["SLURM_NTASKS"])),
            int(told.get("SLURM_PROCID", 0)),
            int(told.get("SLURM_LOCALID", 0)),
        )


def is_first_of_node() -> bool:
    """Whether this process is the first of its node, or no other was started with it."""
    here = Cluster.here()
    local_rank = os.environ.get("LOCAL_RANK", "0") if here is None else here.local_rank
    return int(local_rank) == 0


def placed(cfg: DictConfig) -> DictConfig:
    """A configuration with the nodes and devices of this cluster for ``trainer.num_nodes=auto``.

    Raises:
        ConfigError: nothing has started ranks, or they are not as many on each node.
    """
    if OmegaConf.select(cfg, "trainer.num_nodes") != "auto":
        return cfg
    here = Cluster.here()
    if here is None:
        raise ConfigError(
            "trainer=cluster takes its nodes and devices from SLURM or torchrun, and neither has "
            "started this program; type srun --nodes=2 --ntasks-per-node=4 python train.py "
            "trainer=cluster, or on one machine trainer.devices=4 in place of trainer=cluster"
        )
    if here.ranks % here.nodes:
        raise ConfigError(
            f"{here.engine} has started {here.ranks} ranks on {here.nodes} nodes, and a training "
            "has as many on each; type srun --ntasks-per-node="
            f"{max(1, here.ranks // here.nodes)}"
        )
    found = {"trainer": {"num_nodes": here.nodes, "devices": here.ranks // here.nodes}}
    merged: Any = OmegaConf.merge(cfg, found)
    return merged  # type: ignore[no-any-return]


def check_started(cfg: DictConfig) -> None:
    """Refuse a training whose ranks are not those that were started.

    Args:
        cfg: of the run, `placed`.

    Raises:
        ConfigError: some ranks would wait for others for ever, or each would train for itself.
    """
    here = Cluster.here()
    if here is None or cfg.task != "fit" or here.ranks == 1:
        return
    if here.engine == "srun" and "SLURM_STEP_NUM_TASKS" not in os.environ:
        if ranks_of(cfg) > 1:
            raise ConfigError(
                f"this job of SLURM is for {here.ranks} ranks, and srun has not started this "
                "program; type srun before the command"
            )
        return
    if here.engine == "srun" and "SLURM_NTASKS_PER_NODE" not in os.environ:
        per_node = max(1, here.ranks // here.nodes)
        raise ConfigError(
            f"srun was told of {here.ranks} ranks in all, and Lightning asks for their number on a "
            f"node; type srun --ntasks-per-node={per_node}"
        )
    if ranks_of(cfg) != here.ranks:
        raise ConfigError(
            f"{here.engine} has started {here.ranks} processes, and this training has "
            f"{ranks_of(cfg)}: trainer.num_nodes={cfg.trainer.get('num_nodes', 1)} "
            f"trainer.devices={cfg.trainer.get('devices', 'auto')}; type trainer=cluster"
        )


def ranks_of(cfg: DictConfig) -> int:
    """How many processes train together.

    Args:
        cfg: of the run, `placed`.

    Example:
        >>> ranks_of(OmegaConf.create({"trainer": {"devices": [0, 2], "num_nodes": 3}}))
        6
    """
    devices = cfg.trainer.get("devices", "auto")
    if isinstance(devices, ListConfig | list):
        own = len(devices)
    elif isinstance(devices, int) and devices > 0:
        own = devices
    elif isinstance(devices, str) and devices.isdigit():
        own = int(devices)
    elif isinstance(devices, str) and "," in devices:
        own = len([part for part in devices.split(",") if part.strip()])
    else:
        own = _all_devices(str(cfg.trainer.get("accelerator", "auto")))
    nodes = cfg.trainer.get("num_nodes", 1)
    return max(1, own) * (nodes if isinstance(nodes, int) else 1)


def _all_devices(accelerator: str) -> int:
    import torch  # seconds, which a mistyped option does not need

    return torch.cuda.device_count() if accelerator in ("auto", "gpu", "cuda") else 1


def in_one_folder(typed: Sequence[str]) -> list[str]:
    """The arguments of a command, with one folder for all the ranks that it was started in.

    Under SLURM it is ``runs/slurm-JOB-STEP``, so that a job that comes back to the queue goes on
    there. Under torchrun the first rank names it by the time, as where there is one process.

    Args:
        typed: what was typed after the command.

    Raises:
        ConfigError: torchrun gives the ranks no way to tell each other.

    Example:
        >>> in_one_folder(["seed=1"])
        ['seed=1']
    """
    here = Cluster.here()
    named = {*_PLACES} & {key_of(text) for text in typed}
    no_run = any(text.split("=")[0] in _NO_RUN for text in typed)
    if here is None or named or no_run or is_started_rank():
        return [*typed]
    is_sweep = {"-m", "--multirun", "hydra.mode=MULTIRUN"} & {*typed}
    kind = "sweep" if is_sweep else "run"
    conf: Any = OmegaConf.load(conf_folder() / "hydra" / "default.yaml")
    pattern = OmegaConf.to_container(conf, resolve=False)[kind]["dir"]  # type: ignore[index,call-overload]
    if here.engine == "srun":
        job, step = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_STEP_ID")
        if job is None or step is None:  # the script of a job, which has started this itself
            return [*typed]
        folder = f"{pattern.split('/')[0]}/slurm-{job}-{step}"
    else:
        now = datetime.now()
        own = re.sub(r"\$\{now:(.*?)\}", lambda found: now.strftime(found[1]), pattern)
        folder = own if here.ranks == 1 else _told_by_first(here, own)
    return [*typed, f"hydra.{kind}.dir={folder}"]


def requeued() -> str:
    """Have SLURM start this job again, where it goes on in its folder; empty where it does not.

    The first rank asks for it, as the last thing that it does: SLURM ends the job at once.
    """
    here, job = Cluster.here(), os.environ.get("SLURM_JOB_ID")
    if here is None or here.engine != "srun" or job is None:
        return ""
    if not any(key_of(text) in _PLACES for text in sys.argv[1:]):
        return ""  # the same command would begin anew, in another folder
    if here.rank:
        return f"job {job} goes back to the queue"
    asked = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True)
    if asked.returncode:
        return ""
    return f"job {job} is back in the queue, and goes on from its newest epoch"


def _told_by_first(here: Cluster, own: str) -> str:
    """What the first rank says, in the store by which the ranks of torchrun meet."""
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") not in ("True", "1"):
        raise ConfigError(
            "torchrun has started ranks that cannot agree on a folder before they meet; type "
            "hydra.run.dir=FOLDER, with one folder for all of them"
        )
    import torch

    distributed: Any = torch.distributed
    store = distributed.TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        is_master=False,
        timeout=timedelta(seconds=TOGETHER_S),
    )
    started = [os.environ.get(f"TORCHELASTIC_{name}", "") for name in ("RUN_ID", "RESTART_COUNT")]
    key = "/".join(["dualgaf/folder", *started])
    if here.rank == 0:
        store.set(key, own)
    return str(store.get(key).decode())
