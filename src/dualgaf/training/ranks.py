"""`ranks_started`: what a run of several ranks needs beside Lightning.

Lightning starts the other ranks of a machine by running the same command again. Around that:

1. In a job of a Hydra sweep "the same command" would sweep anew in each rank, and in the worker of
   a launcher it would be the launcher's (`dualgaf.training.launcher`). There the other ranks are
   given our command with the overrides of this one job.
2. After the block this process is alone, as it was before: the other ranks have ended, the process
   group is gone, and so are the variables by which Lightning would take the next job of a sweep for
   a rank of this one.
3. When this process fails, the other ranks are ended. Else they would end at their next collective,
   and Lightning's observer would then kill this process, say in the middle of the next job. Where
   it failed because another one did, that one has a moment to say why.
4. SIGTERM and Ctrl-C are this process' to decide: the ranks that it starts ignore both from their
   first moment on, see `dualgaf.system.termination`.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import ListConfig, read_write

from dualgaf.system.termination import FIRST_RANK, STATUS, signals_held_back
from dualgaf.training.launcher import our_command
from dualgaf.training.resume import as_typed_words, first_words, key_of

VARIABLES = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Set by Lightning where it starts ranks; who finds them takes itself for a rank."""
LAST_WORDS_S = 5.0
"""How long a rank may take to say why it failed."""
PARENT_PAUSE_S = 0.5
"""Between two looks of a rank for its parent."""
THREADS = "OMP_NUM_THREADS"
"""Set by Lightning to this process' share of the CPUs."""


def is_first() -> bool:
    """Whether this process is the first rank, or the only one."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def silence_other_ranks() -> None:
    """Let the first rank alone log what is no warning."""
    if not is_first():
        logging.getLogger().setLevel(logging.WARNING)


def end_with_parent() -> None:
    """Let no other rank outlive the process that has started it.

    Where that one is killed before all have met, Lightning would wait for it for half an hour.
    """
    if not is_first():
        # The parent of now may be who takes in orphans: the first rank says who it was.
        parent = int(os.environ.get(FIRST_RANK, os.getppid()))
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_PAUSE_S)
    os._exit(STATUS)  # the main thread may be anywhere; memory is given back by the system


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
def ranks_started(trainer: L.Trainer) -> Iterator[Callable[[L.Trainer], None]]:
    """A block in which ``trainer`` may start ranks; after it this process is alone.

    Args:
        trainer: with any number of devices; with one nothing is done.

    Yields:
        A function that takes a further Trainer of the block; whichever runs first starts them.
    """
    variables = {name: os.environ.get(name) for name in (*VARIABLES, THREADS, FIRST_RANK)}
    threads = torch.get_num_threads()
    trainers: list[L.Trainer] = []

    def take(another: L.Trainer) -> None:
        trainers.append(another)
        _start_deaf(another)

    take(trainer)
    try:
        os.environ[FIRST_RANK] = str(os.getpid())
        with _others_run_this_job(starts=_starts_programs(trainer)):
            yield take
        _end_others(trainers, within_s=None)
    except Exception:
        _end_others(trainers, LAST_WORDS_S)
        raise
    finally:
        _end_others(trainers, within_s=0.0)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        torch.set_num_threads(threads)


def _start_deaf(trainer: L.Trainer) -> None:
    """Have the ranks that a Trainer starts ignore signals while they do not know that they are."""
    launcher: Any = trainer.strategy.launcher
    if not isinstance(launcher, _SubprocessScriptLauncher):
        return
    launch = launcher.launch

    def launch_deaf(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        with ExitStack() as held:
            held.enter_context(signals_held_back())

            def begin(*own: Any, **own_named: Any) -> Any:  # the others are started
                held.close()
                return function(*own, **own_named)

            return launch(begin, *arguments, **named)

    setattr(launcher, "launch", launch_deaf)  # noqa: B010


def _starts_programs(trainer: L.Trainer) -> bool:
    """Whether a Trainer starts its other ranks by running this program again."""
    launcher: Any = trainer.strategy.launcher
    if not isinstance(launcher, _SubprocessScriptLauncher) or launcher.num_processes < 2:
        return False
    return not launcher.cluster_environment.creates_processes_externally


def _end_others(trainers: list[L.Trainer], within_s: float | None) -> None:
    """Wait for the ranks that were started, None is without limit; kill those that are left."""
    deadline = time.monotonic() + (within_s or 0.0)
    for trainer in trainers:
        processes: list[Any] = getattr(trainer.strategy.launcher, "procs", [])
        watched = [*processes]
        if within_s is not None:
            processes.clear()  # Lightning's observer watches the list: it would kill this process
        for process in watched:
            left = None if within_s is None else max(0.0, deadline - time.monotonic())
            if not _has_ended(process, left):
                process.kill()
                _has_ended(process, None)
        processes.clear()


def _has_ended(process: Any, within_s: float | None) -> bool:
    if isinstance(process, BaseProcess):  # of ddp_spawn
        process.join(within_s)
        return process.exitcode is not None
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        return False
    return True


@contextmanager
def _others_run_this_job(starts: bool) -> Iterator[None]:
    """`sys.argv` and ``hydra.run.dir``, of which Lightning makes the command of the other ranks.

    Args:
        starts: whether it starts ranks; else nothing has to be known of the command.

    Raises:
        ConfigError: the command is not known.
    """
    argv = sys.argv
    try:
        with our_command([argv[0], *first_words], starts) as words:
            if not is_sweep():
                sys.argv = [*words, *argv[1:]]
                yield
                return
            hydra: Any = HydraConfig.get()
            typed = [*as_typed_words(hydra.overrides.task), *as_typed_words(hydra.overrides.hydra)]
            job = [text for text in typed if not _is_of_sweep(text)]
            sys.argv = [*words, *job, "hydra.mode=RUN"]
            # The configuration of this job, which ends with it.
            with read_write(hydra.run):
                hydra.run.dir = hydra.runtime.output_dir
            yield
    finally:
        sys.argv = argv


def _is_of_sweep(text: str) -> bool:
    """Whether an option is for what starts the jobs."""
    key = key_of(text)
    return key in ("hydra.mode", "launcher", "hydra/launcher") or key.startswith("hydra.launcher.")
