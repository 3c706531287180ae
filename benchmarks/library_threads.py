"""A training by a program that has loaded torch first, beside the same by `train.py`.

    python -m benchmarks.library_threads [--name BasicMotions] [--epochs 2] [--repeats 5]

Threads of torch that wait in a loop make a training many times as slow where another program wants
their CPUs. ``train.py`` says how they wait before torch is loaded; a program that has loaded torch
first cannot (`dualgaf.models.idle_threads`). Each training is a process of its own, with as many
threads as torch chooses; the two take turns, alone and then beside a program that keeps one core
busy. Shown are medians of the seconds from the first step to the end of the last epoch, without a
val split.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.earlier_build import ROOT
from dualgaf.bench.results import machine, machine_lines, text_table

TIMED = """
import json, os, sys, time
import lightning as L
from lightning.pytorch.callbacks import Callback

class Timed(Callback):
    def on_train_start(self, trainer, module):
        self.began = time.perf_counter()

    def on_train_end(self, trainer, module):
        taken = [trainer.global_step, time.perf_counter() - self.began]
        open(os.environ["TAKEN"], "w").write(json.dumps(taken))

start = L.Trainer.__init__

def timed(trainer, *given, **named):
    callbacks = named.pop("callbacks", None) or []
    start(trainer, *given, callbacks=[*callbacks, Timed()], **named)

L.Trainer.__init__ = timed
"""
COMMAND_LINE = f"""
import runpy
import dualgaf  # first, as train.py has it
{TIMED}
sys.path.insert(0, os.getcwd())
runpy.run_path("train.py", run_name="__main__")
"""
LIBRARY = f"""
import torch  # first, as a program of one's own has it
{TIMED}
import dualgaf
name, root, epochs = sys.argv[1:]
L.seed_everything(0, verbose=False)
split = dualgaf.SplitSettings(val_fraction=0)
source = dualgaf.ArchiveSource(name, root=root or None, split=split)
data = dualgaf.DualGAFDataModule(source, seed=0)
net = dualgaf.DualGAFNet(data.n_channels, data.num_classes)
model = dualgaf.DualGAFClassifier(net, class_names=data.class_names)
trainer = L.Trainer(
    max_epochs=int(epochs), gradient_clip_val=1.0, accelerator="cpu", logger=False,
    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    limit_val_batches=0, log_every_n_steps=1,
)
trainer.fit(model, datamodule=data)
"""
SIDES = ("command line", "library")
MOST = 1.1
"""How many times as long a library run may take."""
WAITS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS")
"""Variables that would decide for both sides."""


def trained(side: str, name: str, root: str, epochs: int) -> tuple[int, float]:
    """Steps and seconds of one training."""
    kept = {key: value for key, value in os.environ.items() if key not in WAITS}
    with tempfile.TemporaryDirectory() as folder:
        words = [name, root, str(epochs)]
        if side == "command line":
            words = [
                *(f"data.name={name}", f"data.root={root or 'null'}", "data.split.val_fraction=0"),
                *(f"trainer.max_epochs={epochs}", "trainer.accelerator=cpu", "~logger"),
                *("refit=false", f"hydra.run.dir={folder}/run"),
            ]
        program = COMMAND_LINE if side == "command line" else LIBRARY
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, *words],
            cwd=ROOT,
            env=kept | {"PYTHONPATH": str(ROOT / "src"), "TAKEN": f"{folder}/taken"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{side}: {done.stderr[-800:]}")
        steps, seconds = json.loads(Path(folder, "taken").read_text())
    return steps, seconds


@contextlib.contextmanager
def busy_core(is_wanted: bool) -> Iterator[None]:
    """A program that never waits, where one is wanted."""
    if not is_wanted:
        yield
        return
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        neighbour.kill()
        neighbour.wait()


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 where a library run takes more than `MOST` times as long."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", default="BasicMotions", help="of the archive")
    parser.add_argument("--root", type=Path, help="its folder (bundled with aeon)")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args(arguments)
    root = str(given.root.resolve()) if given.root else ""
    for side in SIDES:  # compiles kernels, and reads files that are read again
        trained(side, given.name, root, 1)
    rows, ratios = [], []
    for is_busy in (False, True):
        seconds: dict[str, list[float]] = {side: [] for side in SIDES}
        taken = set()
        with busy_core(is_busy):
            for _ in range(given.repeats):
                for side in SIDES:
                    steps, took = trained(side, given.name, root, given.epochs)
                    seconds[side].append(took)
                    taken.add(steps)
        if len(taken) > 1:
            raise SystemExit(f"the two sides took different numbers of steps: {sorted(taken)}")
        command_line, library = (statistics.median(seconds[side]) for side in SIDES)
        ratios.append(library / command_line)
        rows.append({
            "beside": "a busy core" if is_busy else "nothing", "steps": taken.pop(),
            "command line s": command_line, "library s": library, "ratio": ratios[-1],
        })  # fmt: skip
    print(machine_lines(machine()), f"{given.name}, {given.epochs} epochs", sep="\n\n")
    print(text_table(rows))
    return int(max(ratios) > MOST)


if __name__ == "__main__":
    sys.exit(main())
