"""One job in a process of its own: what kills it, kills no other job.

A network is ``python -m dualgaf train``, so that it goes on where it was stopped. The process ends
with the comparison, see `dualgaf.system.termination`.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dualgaf.errors import typed_option
from dualgaf.pool.launch import ending
from dualgaf.system.termination import ENDS_WITH, Stopped
from dualgaf.training.code_stamp import is_of_this_code
from dualgaf.training.comparison.asked import Job
from dualgaf.training.comparison.rows import LOG, RUN, Row, begin, keep
from dualgaf.training.comparison.scores import pooled_scores, read_predictions

AGAIN = "for one by the new code alone type the same command again"
LOOKS_EVERY_S = 1.0
"""Between two looks at a job that runs."""


def command_of(job: Job, folder: Path) -> list[str]:
    """What is started for a job."""
    if job.baseline:
        own = ["dualgaf.training.comparison.baselines", job.baseline, str(folder / RUN)]
        return [sys.executable, "-m", *own, *job.overrides]
    (place,) = shlex.split(typed_option("hydra.run.dir", str(folder / RUN)))
    return [sys.executable, "-m", "dualgaf", "train", *job.overrides, place]


def run_job(job: Job, folder: Path, tick: Callable[[float], None]) -> Row:
    """Do a job, or go on with it, and keep its row.

    Args:
        job: the job.
        folder: its own.
        tick: called each second, with the seconds so far.

    Returns:
        Its row, which says so where it failed.

    Raises:
        Stopped: a signal has ended the comparison; the job has ended, too, and has no row.
    """
    begin(job, folder)
    started = time.perf_counter()
    with (folder / LOG).open("w") as log:
        process = subprocess.Popen(
            command_of(job, folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, ENDS_WITH: str(os.getpid())},
        )
        status = _wait(process, started, tick)
    row = _ended(job, folder, status)
    row["job_s"] = round(time.perf_counter() - started, 3)
    keep(row, folder)
    return row


def _wait(process: subprocess.Popen[bytes], started: float, tick: Callable[[float], None]) -> int:
    try:
        while True:
            try:
                return process.wait(LOOKS_EVERY_S)
            except subprocess.TimeoutExpired:
                tick(time.perf_counter() - started)
    except Stopped as stopped:
        process.send_signal(stopped.number)  # Ctrl-C has reached it, SIGTERM has not
        process.wait()
        raise
    except BaseException:
        process.terminate()
        process.wait()
        raise


def _ended(job: Job, folder: Path, status: int) -> Row:
    run = folder / RUN
    row: Row = {
        "set": job.set,
        "method": job.method,
        "repeat": dict(job.repeat),
        "state": "failed",
        "run": str(run),
    }
    if status:
        return {**row, "reason": _reason(folder / LOG, status)}
    if not is_of_this_code(run):
        return {**row, "reason": f"the code has changed under it; {AGAIN}"}
    try:
        metrics = json.loads((run / "metrics.json").read_text())
        scores = pooled_scores(*read_predictions(run))
    except OSError as error:
        return {**row, "reason": f"nothing was tested: there is no {error.filename}"}
    return {**row, "state": "done", **scores, "fit_s": round(metrics["fit/seconds"], 3)}


def _reason(log: Path, status: int) -> str:
    """The last words of a job: its error in a line, else the last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    own = [line.removeprefix("dualgaf: ") for line in lines if line.startswith("dualgaf: ")]
    said = own or [line for line in lines if line]
    told = said[-1] if said else ""
    ended = f"{ending(status)}: {told}" if told else ending(status)
    return told if own and status > 0 else ended
