"""`ranks_started`: what a run of several ranks needs beside Lightning.

Lightning starts the other ranks of a machine by running the same command again. Around that:

1. In a job of a Hydra sweep "the same command" would sweep anew in each rank. There the other ranks
   are given the overrides of this one job.
2. After the block this process is alone, as it was before: the other ranks have ended, the process
   group is gone, and so are the variables by which Lightning would take the next job of a sweep for
   a rank of this one.
3. When this process fails, the other ranks are ended at once. Else they would end at their next
   collective, and Lightning's observer would then kill this process, say in the middle of the next
   job.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import ListConfig, open_dict, read_write

VARIABLES = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Set by Lightning where it starts ranks; who finds them takes itself for a rank."""
THREADS = "OMP_NUM_THREADS"
"""Set by Lightning to this process' share of the CPUs."""


def is_first() -> bool:
    """Whether this process is the first rank, or the only one."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def speak_once() -> None:
    """Let the first rank alone log what is no warning."""
    if not is_first():
        logging.getLogger().setLevel(logging.WARNING)


def is_sweep() -> bool:
    """Whether this is a job of a Hydra sweep."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def on_one_device(devices: Any) -> dict[str, Any]:
    """Options of a `Trainer` that uses the first of these devices and starts no rank.

    Example:
        >>> on_one_device([3, 4])
        {'devices': [3], 'num_nodes': 1, 'strategy': 'auto'}
        >>> on_one_device(2)["devices"]
        1
    """
    first = [devices[0]] if isinstance(devices, list | ListConfig) else 1
    return {"devices": first, "num_nodes": 1, "strategy": "auto"}


@contextmanager
def ranks_started(trainer: L.Trainer) -> Iterator[None]:
    """A block in which ``trainer`` may start ranks; after it this process is alone.

    Args:
        trainer: with any number of devices; with one nothing is done.
    """
    variables = {name: os.environ.get(name) for name in (*VARIABLES, THREADS)}
    threads, failed = torch.get_num_threads(), True
    try:
        with _others_run_this_job():
            yield
        failed = False
    finally:
        _end_others(getattr(trainer.strategy.launcher, "procs", []), failed)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        torch.set_num_threads(threads)


def _end_others(processes: list[Any], failed: bool) -> None:
    for process in processes:
        if isinstance(process, subprocess.Popen):
            if failed:
                process.kill()
            process.wait()
    processes.clear()  # of the list that Lightning's observer watches: all is well


@contextmanager
def _others_run_this_job() -> Iterator[None]:
    """In a sweep, Lightning's command for the other ranks: `sys.argv` and ``hydra.run.dir``."""
    if not is_sweep():
        yield
        return
    hydra, argv = HydraConfig.get(), sys.argv
    run_dir = hydra.run.dir
    with read_write(hydra.run), open_dict(hydra.run):
        hydra.run.dir = hydra.runtime.output_dir
    sys.argv = [argv[0], *_flags(argv[1:]), *hydra.overrides.task, *_of_hydra(hydra)]
    try:
        yield
    finally:
        sys.argv = argv
        with read_write(hydra.run):
            hydra.run.dir = run_dir


def _flags(typed: list[str]) -> list[str]:
    """What is no override, such as ``--config-dir FOLDER``, but for the one that sweeps."""
    return [
        text
        for text in typed
        if text not in ("-m", "--multirun")
        and not text.startswith("~")
        and (text.startswith("-") or "=" not in text)
    ]


def _of_hydra(hydra: Any) -> list[str]:
    kept = [text for text in hydra.overrides.hydra if not text.startswith("hydra.mode=")]
    return [*kept, "hydra.mode=RUN"]
