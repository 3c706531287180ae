"""A folder and a row for each job; what is there is not done again.

A job is the same where it was typed alike and is done by the same code, see
`dualgaf.training.code_stamp`: one that other code has done keeps its folder, and the new one gets
another.
"""

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from dualgaf.system.whole_file import whole_file
from dualgaf.training.code_stamp import codes_of, this_code
from dualgaf.training.comparison.asked import Job, repeat_name

Row = dict[str, Any]
"""``state`` (done, failed), ``reason``, ``accuracy``, ``f1_macro``, ``windows``, ``fit_s``,
``job_s``, ``run``; beside what says which job it is."""

JOB, ROW, RUN, LOG = "job.json", "row.json", "run", "log.txt"


def folder_of(job: Job, comparison: Path, taken: Collection[Path] = ()) -> Path:
    """Where a job is done, or was.

    Args:
        job: the job.
        comparison: folder of the comparison.
        taken: folders of other jobs, whose names may be alike.

    Returns:
        The folder of the same job by the same code, or one that is not there.
    """
    parts = [re.sub(r"[^\w.=+,-]+", "_", text)[:80] for text in (job.set, job.method)]
    name = re.sub(r"[^\w.=+,-]+", "_", repeat_name(job.repeat))[:80]
    own = what_makes(job)
    for folder in _numbered(comparison.joinpath(*parts, name)):
        record = folder / JOB
        if folder in taken:
            continue
        if not record.is_file():
            return folder
        is_own = codes_of(folder / RUN) in ([], [this_code()])  # not edited under it
        if is_own and json.loads(record.read_text()) == own:
            return folder
    raise AssertionError


def what_makes(job: Job) -> dict[str, Any]:
    """What is the same for the same job."""
    return {"overrides": list(job.overrides), "baseline": job.baseline, "code": this_code()}


def begin(job: Job, folder: Path) -> None:
    """Have a folder for a job; an earlier row of it, which failed, is gone."""
    (folder / ROW).unlink(missing_ok=True)
    with whole_file(folder / JOB) as draft:
        draft.write_text(json.dumps(what_makes(job), indent=2) + "\n")


def row_of(folder: Path) -> Row | None:
    """The row of a job; None where it has not ended."""
    path = folder / ROW
    return json.loads(path.read_text()) if path.is_file() else None


def keep(row: Row, folder: Path) -> None:
    """Write the row of a job, which has ended then."""
    with whole_file(folder / ROW) as draft:
        draft.write_text(json.dumps(row, indent=2) + "\n")


def _numbered(folder: Path) -> Iterator[Path]:
    yield folder
    number = 2
    while True:
        yield folder.with_name(f"{folder.name}-{number}")
        number += 1
