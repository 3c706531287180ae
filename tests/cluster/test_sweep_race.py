"""Jobs of a sweep that end at the same time write its one table."""

import csv
import multiprocessing
from collections import Counter

from hydra.types import RunMode
from omegaconf import OmegaConf

from dualgaf.training.sweep import SweepTable

JOBS, WRITERS, REPEATS = 40, 8, 5
"""With 40 repeats, 320 written and 320 read whole, it takes a minute."""


def make(folder):
    for number in range(JOBS):
        (folder / str(number) / ".hydra").mkdir(parents=True)
        (folder / str(number) / ".hydra" / "overrides.yaml").write_text(f"- seed={number}\n")
        (folder / str(number) / "metrics.json").write_text('{"val/acc": 0.5}')


def write(folder, queue, repeats):
    told = {"hydra": {"sweep": {"dir": str(folder)}, "mode": RunMode.MULTIRUN}}
    seen, table, config = Counter(), SweepTable(), OmegaConf.create(told)
    for _ in range(repeats):
        try:
            table.on_job_end(config, None)
            seen["written"] += 1
        except Exception as error:
            seen[type(error).__name__] += 1
        with (folder / "sweep.csv").open() as file:
            rows = [*csv.DictReader(file)]
        is_whole = [row["seed"] for row in rows] == [str(number) for number in range(JOBS)]
        seen["read whole" if is_whole else "read torn"] += 1
    queue.put(seen)


def test_eight_jobs_that_end_at_once_leave_a_whole_table(tmp_path):
    make(tmp_path)
    forked = multiprocessing.get_context("fork")
    queue = forked.Queue()
    writers = [
        forked.Process(target=write, args=(tmp_path, queue, REPEATS)) for _ in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    found = sum((queue.get(timeout=240) for _ in writers), Counter())
    for writer in writers:
        writer.join()
    assert found == {"written": WRITERS * REPEATS, "read whole": WRITERS * REPEATS}
    assert [path.name for path in tmp_path.glob("*") if not path.is_dir()] == ["sweep.csv"]
