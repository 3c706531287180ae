"""Jobs of ``launcher=slurm``: each comes to an end, and leaves a row in the table of its sweep.

submitit asks ``sacct`` how its jobs do. Where a cluster keeps no accounts there is no answer, and
it waits for ever for a job that has died without a result, as one that was killed for want of
memory. `watch_jobs` has it ask ``squeue``, and takes a job for dead that is over and has
left nothing. Then the sweep waits for its other jobs all the same.
"""

import os
import shutil
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf, open_dict

from dualgaf.system.whole_file import whole_file

LOOKS_EVERY_S = 60
"""Longest pause between two questions to ``squeue``."""
OVER = (
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY"),
    *("PREEMPTED", "TIMEOUT"),
)
"""What ``squeue`` says of a job that is over, unless it is about to come back to the queue."""
GONE = "GONE"
"""Of one that ``squeue`` no longer knows."""


def states(output: str) -> dict[str, str]:
    r"""What ``squeue --format=%i|%T`` says, by job.

    Example:
        >>> states("5_0|RUNNING\n5_1|NODE_FAIL\n")
        {'5_0': 'RUNNING', '5_1': 'NODE_FAIL'}
    """
    lines = (line.strip().partition("|") for line in output.splitlines() if "|" in line)
    return {job: state for job, _, state in lines}


class Looks:
    """What is known of jobs after some looks at the queue.

    A node that dies gives its job back to the queue. Between the two the job looks dead, so one
    look is not enough.

    Example:
        >>> looks = Looks()
        >>> looks.take({"5_0": "NODE_FAIL"}, ["5_0"])
        {'5_0': 'RUNNING'}
        >>> looks.take({"5_0": "PENDING"}, ["5_0"])
        {'5_0': 'RUNNING'}
        >>> looks.take({}, ["5_0"]), looks.take({}, ["5_0"])
        ({'5_0': 'RUNNING'}, {'5_0': 'GONE'})
    """

    def __init__(self) -> None:
        self._over: set[str] = set()

    def take(self, found: dict[str, str], jobs: list[str]) -> dict[str, str]:
        """States for submitit: RUNNING until a job was over at two looks, one after the other."""
        told = {}
        for job in jobs:
            state = found.get(job, GONE)
            is_over = state in (*OVER, GONE)
            told[job] = state if is_over and job in self._over else "RUNNING"
            (self._over.add if is_over else self._over.discard)(job)
        return told


def watch_jobs() -> None:
    """Have submitit ask ``squeue`` where it is there, and outlive jobs that die."""
    from submitit.core.utils import FailedJobError, UncompletedJobError
    from submitit.slurm import slurm

    if slurm.SlurmJob.__name__ == "WatchedJob":
        return  # of the sweep before this one

    class QueueWatcher(slurm.SlurmInfoWatcher):  # type: ignore[misc]
        looks = Looks()

        def _make_command(self) -> list[str] | None:
            if not self._registered - self._finished:
                return None
            user = f"--user={os.getuid()}"
            return ["squeue", "--noheader", "--array", "--states=all", user, "--format=%i|%T"]

        def read_info(self, string: Any) -> dict[str, dict[str, str]]:
            text = string if isinstance(string, str) else string.decode()
            told = self.looks.take(states(text), sorted(self._registered - self._finished))
            return {job: {"JobID": job, "State": state} for job, state in told.items()}

    class WatchedJob(slurm.SlurmJob):  # type: ignore[misc]
        if shutil.which("squeue"):
            watcher = QueueWatcher(delay_s=LOOKS_EVERY_S)

        def results(self) -> list[Any]:
            try:
                return super().results()  # type: ignore[no-any-return]
            except (FailedJobError, UncompletedJobError) as error:
                return [_dead(self.submission(), error)]

    # Of the jobs of an array and of single ones.
    slurm.SlurmJob = slurm.SlurmExecutor.job_class = WatchedJob


def _dead(submission: Any, error: Exception) -> JobReturn:
    """What Hydra gets of a job that has died; its folder has at least what it was to do."""
    launcher, (overrides, _, number, *_) = submission.function, submission.args
    cfg = launcher.hydra_context.config_loader.load_sweep_config(launcher.config, overrides)
    with open_dict(cfg.hydra.job):
        cfg.hydra.job.num, cfg.hydra.job.id = number, f"job_id_for_{number}"
    folder = Path(str(cfg.hydra.sweep.dir)) / str(cfg.hydra.sweep.subdir)
    record = folder / ".hydra" / "overrides.yaml"
    if not record.is_file():
        with whole_file(record) as draft:
            OmegaConf.save(cfg.hydra.overrides.task, draft)
    told = f"job {number} ({' '.join(overrides)}) has died: {error}"
    return JobReturn(overrides, cfg, status=JobStatus.FAILED, _return_value=RuntimeError(told))
