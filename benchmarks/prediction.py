"""Predictions from raw windows beside the program that 837ca8d exports.

    python -m benchmarks.prediction [--windows 64 1] [--repeats 15] [--work runs/prediction]

Both builds train one epoch on NATOPS (24 channels, 51 steps), which makes a network of the usual
size, and the earlier one, taken from git, exports its ``.pt2``. Then one process with one thread
calls `dualgaf.load(CKPT).predict` and the program in turn, on windows of the test split. Shown are
medians of milliseconds of CPU time. Checkpoint and program are kept in the work folder, and used
again while they are of the same commits.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.accuracy.tables import data_folder, with_data
from benchmarks.earlier_build import EARLIER, ROOT, earlier_build
from benchmarks.typed import words
from dualgaf.bench.results import Result, machine_lines, text_table
from dualgaf.bench.runner import Reading

TRAIN = ("experiment=natops", "trainer.max_epochs=1", "refit=false", "trainer.accelerator=cpu")
TIMED = """
import json, sys, time
import numpy as np
import dualgaf
import torch
checkpoint, program, root, repeats, *sizes = sys.argv[1:]
torch.set_num_threads(1)
series = dualgaf.ArchiveSource("NATOPS", root=root).load()
tested = [k for k, mark in enumerate(series.official) if mark == "test"]
windows = np.stack([series.values[k] for k in tested]).astype(np.float64)
model = dualgaf.load(checkpoint)
classify = torch.export.load(program).module()

def earlier(x):
    with torch.inference_mode():
        return classify(torch.from_numpy(x)).numpy()

sides = {"now": lambda x: model.predict(x).probabilities, "earlier": earlier}
found = {}
for size in map(int, sizes):
    x, taken = np.ascontiguousarray(windows[:size]), {side: [] for side in sides}
    for turn in range(int(repeats) + 2):
        for side, call in sides.items():
            began = time.process_time()
            made = call(x)
            took = time.process_time() - began
            assert made.shape == (size, 6), made.shape
            if turn > 1:  # the first ones compile and allocate
                taken[side].append(1e3 * took)
    found[size] = taken
print(json.dumps(found))
"""


def main(arguments: list[str] | None = None) -> None:
    """Make what is missing, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, nargs="+", default=[64, 1], help="of a call")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--work", type=Path, default=ROOT / "runs/prediction")
    parser.add_argument("--output", type=Path, help="JSON file")
    given = parser.parse_args(arguments)
    work = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    commit = _said(["git", "rev-parse", "--short", "HEAD"], ROOT)
    checkpoint, program = work / f"{commit}.ckpt", work / f"{EARLIER}.pt2"
    if not checkpoint.is_file():
        _train(ROOT, checkpoint)
    if not program.is_file():
        _export(program)
    paths = [str(checkpoint), str(program), str(data_folder().resolve())]
    sizes = map(str, (given.repeats, *given.windows))
    told = json.loads(_python(ROOT, "-c", TIMED, *paths, *sizes).splitlines()[-1])
    rows, ratios, seconds = [], {}, {}
    for size, taken in told.items():
        now, earlier = (statistics.median(taken[side]) for side in ("now", "earlier"))
        ratios[f"{size} windows"] = earlier / now
        rows.append(
            {"windows": size, f"{EARLIER}, .pt2": earlier, "predict": now, "x": earlier / now}
        )
        seconds |= {
            f"{size}, {side}": [ms / 1e3 for ms in all_of] for side, all_of in taken.items()
        }
    own = {name: getattr(given, name) for name in ("windows", "repeats")}
    typed = words(own, {name: parser.get_default(name) for name in own})
    done = {"repeats": given.repeats, "typed": typed}
    result = Result("prediction", done, Reading(rows, ratios, []), seconds)
    print(machine_lines(result.machine), "milliseconds of CPU time, one thread", sep="\n\n")
    print(text_table(rows))
    if given.output:
        result.save(given.output)


def _train(build: Path, checkpoint: Path) -> None:
    """One epoch of NATOPS; the file is there once it is whole."""
    with tempfile.TemporaryDirectory(dir=checkpoint.parent) as run:
        _python(build, "train.py", *TRAIN, f"hydra.run.dir={run}")
        Path(run, "checkpoints/best.ckpt").rename(checkpoint)


def _export(program: Path) -> None:
    """The program that the earlier build makes of a network of its own."""
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        build = earlier_build(Path(folder, EARLIER))
        run, made = Path(folder, "run"), Path(folder, "model.pt2")
        _python(build, "train.py", *TRAIN, f"hydra.run.dir={run}")
        checkpoint = str(run / "checkpoints/best.ckpt")
        _python(build, "-m", "dualgaf", "export", checkpoint, "--output", str(made))
        made.rename(program)


def _python(build: Path, *words: str) -> str:
    """What a command of Python prints, run in a build's folder with that build and one thread."""
    data = with_data(PYTHONPATH=str(build / "src"), OMP_NUM_THREADS="1")
    return _said([sys.executable, "-W", "ignore", *words], build, data)


def _said(command: list[str], folder: Path, more: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | (more or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:5])[:200]} in {folder}: {done.stderr[-800:]}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
