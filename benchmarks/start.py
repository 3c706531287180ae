"""CPU time of a command beside that of an earlier build: `python -m benchmarks.start`.

    python -m benchmarks.start [--commit 837ca8d] [--repeats 5] [--output FILE] [OPTION ...]

The earlier build is taken from git into a folder that is removed at the end, and runs in this
environment. Each command is a process of its own, one thread; the two builds take turns. Shown are
medians of user and system time of the process.

========== ===========================================================================
import     ``import dualgaf``
help       ``python train.py --help``
first step ``python train.py OPTION ...`` until the optimiser has taken its first step
a step     of steps 11 to 90, with the validations and checkpoints between them
========== ===========================================================================

Without options it is a training on the simulated plant; ``experiment=natops``, say, is another.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.earlier_build import EARLIER, earlier_build
from benchmarks.typed import words
from dualgaf.bench.results import Result, machine_lines, text_table
from dualgaf.bench.runner import Reading

ROOT = Path(__file__).resolve().parents[1]
STEPS = (10, 90)
"""Between these two a step is measured."""
OPTIONS = ("data=simulated", "data.n_windows=200", "logger=csv")
TRAIN = f"""
import json, os, runpy, sys, time
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
at = []

def step(optimizer, *given, **named):
    result = followed(optimizer, *given, **named)
    at.append(time.process_time())
    if len(at) == {STEPS[1]}:
        taken = (at[-1] - at[{STEPS[0]} - 1]) / {STEPS[1] - STEPS[0]}
        print(json.dumps([at[0], taken]), flush=True)
        os._exit(0)
    return result

import torch
followed, torch.optim.AdamW.step = torch.optim.AdamW.step, step
sys.path.insert(0, os.getcwd())
runpy.run_path("train.py", run_name="__main__")
"""


def cpu_seconds(folder: Path, *command: str) -> tuple[float, str]:
    """User and system time of a Python command in a build's folder, and what it printed."""
    before = os.times()
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    after = os.times()
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} in {folder}: {done.stderr[-500:]}")
    taken = after.children_user - before.children_user
    return taken + after.children_system - before.children_system, done.stdout


def measured(folder: Path, options: list[str]) -> dict[str, float]:
    """Seconds of each command in one build."""
    found = {
        "import": cpu_seconds(folder, "-c", "import dualgaf")[0],
        "help": cpu_seconds(folder, "train.py", "--help")[0],
    }
    with tempfile.TemporaryDirectory() as run:
        _, printed = cpu_seconds(folder, "-c", TRAIN, *options, f"hydra.run.dir={run}/run")
    found["first step"], found["a step"] = json.loads(printed.splitlines()[-1])
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commit", default=EARLIER, help="the earlier build")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, help="write the result as JSON")
    parser.add_argument("options", nargs="*", default=[*OPTIONS], help="of train.py")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        earlier = earlier_build(Path(folder, "earlier"), commit=given.commit)
        told: dict[Path, list[dict[str, float]]] = {earlier: [], ROOT: []}
        for build in told:  # compiles kernels, and reads files that are read again
            measured(build, given.options)
        for _ in range(given.repeats):
            for build, all_of in told.items():
                all_of.append(measured(build, given.options))
    sides = {given.commit: told[earlier], "now": told[ROOT]}
    rows, ratios, seconds = [], {}, {}
    for name in told[ROOT][0]:
        for side, all_of in sides.items():
            seconds[f"{name}, {side}"] = [each[name] for each in all_of]
        before, now = (statistics.median(seconds[f"{name}, {side}"]) for side in sides)
        ratios[name] = before / now
        rows.append({"CPU s": name, given.commit: before, "now": now, "x": ratios[name]})
    own = {name: getattr(given, name) for name in ("commit", "repeats")}
    options = words(own, {name: parser.get_default(name) for name in own})
    size = {"repeats": given.repeats, "typed": [*options, *given.options]}
    result = Result("start", size, Reading(rows, ratios, []), seconds)
    print(machine_lines(result.machine), " ".join(given.options), text_table(rows), sep="\n\n")
    if given.output:
        result.save(given.output)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the folder is removed then, too
    main()
