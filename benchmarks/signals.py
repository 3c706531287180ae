"""A signal at a random moment of train.py: `python benchmarks/signals.py --moments 20 --seed 0`.

Training (``fit``), second training (``refit``), test and sweep, with one rank and with two. Each
gets SIGTERM, Ctrl-C (SIGINT to its whole group) or ``kill -9`` at moments that the seed chooses. It
is looked at

- whether it ends within 20 s, with the status of the signal, or had ended before;
- whether a process is left, or a file that is not whole: checkpoints load, metrics.json is JSON;
- whether what its last line says works when it is typed (after ``kill -9``: the same command), and
  ends with the figures and weights of a run that nothing has stopped.

The table has a line for each program, number of ranks and signal. Exit status 1 where a run did not
end well or did not go on; equal weights are counted, and do not count for the status. About ten
seconds a moment.
"""

import argparse
import json
import os
import random
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from preloaded import TRAIN, Program, start  # noqa: E402

MARK = "DUALGAF_SIGNALS"
ENDS_WITHIN_S = 20.0
GOES_ON_WITHIN_S = 180.0
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
SMALL = (
    *("data=simulated", "data.n_windows=90", "data.window_size=24", "datamodule.image_size=12"),
    *(
        "model.use_minirocket=false",
        "model.use_forest=false",
        "model.width=8",
        "datamodule.batch_size=8",
        "logger=csv",
    ),
    *("trainer.accelerator=cpu", "hydra.run.dir=run"),
)
KINDS: dict[str, tuple[str, ...]] = {
    "fit": (*SMALL, "trainer.max_epochs=12", "refit=false"),
    "refit": (*SMALL, "trainer.max_epochs=8"),
    "test": (*SMALL, "task=test", "ckpt_path=model.ckpt"),
    "sweep": (
        *("-m", "seed=0,1", "hydra.sweep.dir=run"),  # Hydra takes no flag behind an override
        *(*SMALL, "refit=false", "trainer.max_epochs=4"),
    ),
}
COLUMNS = (
    "moments",
    "done before",
    "status",
    "gone",
    "whole",
    "went on",
    "same figures",
    "weights",
)


@dataclass
class Reference:
    """A run that nothing has stopped."""

    folder: Path
    begins_s: float
    """When the part that is to be stopped begins."""
    ends_s: float


@dataclass
class Row:
    """Counts of one program, number of ranks and signal."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def main() -> int:
    """Run them and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--moments", type=int, default=20, help="of each program and number of ranks"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=[*KINDS], choices=[*KINDS])
    parser.add_argument("--ranks", nargs="+", type=int, default=[1, 2], choices=[1, 2])
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # A shell has what runs in the background ignore it, and so would the programs.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    rows: dict[tuple[str, int, str], Row] = {}
    place = Path(tempfile.mkdtemp(prefix="dualgaf-signals-"))
    os.environ["XDG_RUNTIME_DIR"] = str(place)
    try:
        for kind in options.kinds:
            for ranks in options.ranks:
                for name, row in stopped(kind, ranks, options, place):
                    rows.setdefault((kind, ranks, name), Row()).counts.update(row.counts)
                    rows[kind, ranks, name].faults += row.faults
        print(table(rows))
    finally:
        shutil.rmtree(place, ignore_errors=True)
    faults = [fault for row in rows.values() for fault in row.faults]
    print("\n".join(faults))
    return 1 if faults else 0


def stopped(kind: str, ranks: int, options: Any, place: Path) -> Iterator[tuple[str, Row]]:
    """One moment after the other: the signal's name and what came of it."""
    words = (*KINDS[kind], *(["trainer=ddp_sim"] if ranks == 2 else []))
    reference = undisturbed(kind, ranks, words, place)
    chance = random.Random(f"{options.seed} {kind} {ranks}")
    for number in range(options.moments):
        how = chance.choice(SIGNALS)
        after_s = chance.uniform(reference.begins_s, reference.ends_s)
        folder = place / f"{kind}-{ranks}-{number}"
        folder.mkdir()
        prepare(folder, place)
        row = moment(words, ranks, how, after_s, folder, reference)
        told = f"{kind} ranks={ranks} {how.name} after {after_s:.2f} s"
        row.faults = [f"{told}: {fault}" for fault in row.faults]
        print(f"{told}: {dict(row.counts)} {row.faults}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        yield how.name, row


def prepare(folder: Path, place: Path) -> None:
    """Put the model that is tested where the command finds it."""
    if (place / "model.ckpt").exists():
        shutil.copy(place / "model.ckpt", folder / "model.ckpt")


def undisturbed(kind: str, ranks: int, words: tuple[str, ...], place: Path) -> Reference:
    """Run it twice; when the part of the second run begins and ends."""
    if kind == "test" and not (place / "model.ckpt").exists():
        folder = place / "model"
        folder.mkdir()
        program = start(*KINDS["fit"], cwd=folder)
        program.communicate(GOES_ON_WITHIN_S)
        shutil.copy(folder / "run/checkpoints/best.ckpt", place / "model.ckpt")
    timed(kind, ranks, words, place, "first")  # it loads and compiles what later ones find
    return timed(kind, ranks, words, place, "undisturbed")


def timed(kind: str, ranks: int, words: tuple[str, ...], place: Path, which: str) -> Reference:
    """Run it in a folder of its own."""
    folder = place / f"{kind}-{ranks}-{which}"
    folder.mkdir()
    prepare(folder, place)
    output = (folder / "output").open("w")
    program = start(*words, cwd=folder, others=ranks_of(kind, ranks), into=output)
    began = time.monotonic()  # as in `moment`
    begins = 0.0
    while program.poll() is None:
        if begins == 0.0 and kind == "refit" and (folder / "run/refit").exists():
            begins = time.monotonic() - began
        time.sleep(0.005)
    program.stdout.close()
    if program.returncode != 0:
        raise RuntimeError((folder / "output").read_text())
    return Reference(folder, begins, time.monotonic() - began)


def ranks_of(kind: str, ranks: int) -> int:
    """Processes that a command starts."""
    return 0 if ranks == 1 or kind == "test" else {"sweep": 2}.get(kind, 1)


def moment(
    words: tuple[str, ...],
    ranks: int,
    how: signal.Signals,
    after_s: float,
    folder: Path,
    reference: Reference,
) -> Row:
    """One signal."""
    row, mark = Row(Counter(moments=1)), secrets.token_hex(8)
    kind = reference.folder.name.split("-")[0]
    os.environ[MARK] = mark
    with (folder / "output").open("w") as output:
        program = start(*words, cwd=folder, others=ranks_of(kind, ranks), into=output)
        time.sleep(after_s)
        before = program.poll()
        status = before if before is not None else end(program, how)
        program.stdout.close()
    row.counts["done before"] += status == 0
    # As the interpreter ends, it has no handlers any more; a shell shows -2 as 130, too.
    expected = {-how} if how == signal.SIGKILL else {128 + how, -how}
    # 0 says that all is done, also where the signal came at its very end: then all is there.
    done = status == 0 and same_figures(folder, reference.folder)
    check(row, "status", status in expected or done, f"status {status}")
    check(row, "gone", gone(mark), "a process is left")
    check(row, "whole", (bad := broken(folder)) == "", bad)
    last = (folder / "output").read_text().splitlines()[-1:] or [""]
    if status in (130, 143) and "; to go on type " in last[0]:
        python, program_name, *again = shlex.split(last[0].partition("; to go on type ")[2])
        line = again if (python, program_name) == ("python", TRAIN) else ["?"]
    else:  # killed, or before it knew where it writes: the same command
        line = [*words]
    with (folder / "again").open("w") as output:
        program = start(*line, cwd=folder, others=ranks_of(kind, ranks), into=output)
        try:
            found = program.wait(GOES_ON_WITHIN_S)
        except subprocess.TimeoutExpired:
            found = end(program, signal.SIGKILL)
        program.stdout.close()
    text = (folder / "again").read_text()
    check(row, "went on", found == 0, f"{line} ended with {found}: {text[-400:]}")
    row.counts["same figures"] += same_figures(folder, reference.folder)
    row.counts["weights"] += same_weights(folder, reference.folder)
    return row


def end(program: Program, how: signal.Signals) -> int | None:
    """Send it; the status, None where it did not end."""
    if how == signal.SIGINT:
        os.killpg(program.pid, how)
    else:
        program.send_signal(how)
    try:
        return program.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        os.killpg(program.pid, signal.SIGKILL)
        program.wait(ENDS_WITHIN_S)
        return None


def check(row: Row, name: str, is_right: bool, fault: str) -> None:
    """Count it, or note what is wrong."""
    row.counts[name] += is_right
    if not is_right:
        row.faults.append(fault)


def gone(mark: str) -> bool:
    """Whether all processes of a moment end within some seconds; those that do not are killed."""
    deadline = time.monotonic() + 10
    while True:
        left = []
        for process in psutil.process_iter():
            try:
                ours = process.pid != os.getpid() and process.environ().get(MARK) == mark
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    left.append(process)
            except (psutil.Error, OSError):
                continue
        if not left:
            return True
        if time.monotonic() > deadline:
            for process in left:
                process.kill()
            return False
        time.sleep(0.1)


def broken(folder: Path) -> str:
    """A file that is there under its final name and is not whole."""
    for path in folder.rglob("*.ckpt"):
        try:
            torch.load(path, weights_only=True)
        except Exception as error:
            return f"{path.name}: {error}"
    for path in folder.rglob("metrics.json"):
        try:
            json.loads(path.read_text())
        except ValueError as error:
            return f"{path.name}: {error}"
    return ""


def same_figures(folder: Path, reference: Path) -> bool:
    """Whether accuracies and numbers of epochs are those of the reference."""
    paths = sorted(reference.glob("run/**/metrics.json"))
    for path in paths:
        here = folder / path.relative_to(reference)
        if not here.is_file():
            return False
        told, found = json.loads(path.read_text()), json.loads(here.read_text())
        keys = [key for key in told if key.endswith(("acc", "epochs"))]
        if {*told} != {*found} or any(told[key] != found[key] for key in keys):
            return False
    return bool(paths)


def same_weights(folder: Path, reference: Path) -> bool:
    """Whether every checkpoint has the weights of the reference, bit for bit."""
    for path in reference.glob("run/**/*.ckpt"):
        here = folder / path.relative_to(reference)
        if not here.is_file():
            return False
        told, found = (torch.load(p, weights_only=True)["state_dict"] for p in (path, here))
        if any(not torch.equal(found[name], value) for name, value in told.items()):
            return False
    return True


def table(rows: dict[tuple[str, int, str], Row]) -> str:
    """The counts as a table of Markdown."""
    lines = [f"| program | ranks | signal | {' | '.join(COLUMNS)} |"]
    lines.append(f"| --- | ---: | --- |{' ---: |' * len(COLUMNS)}")
    for (kind, ranks, name), row in sorted(rows.items()):
        cells = " | ".join(str(row.counts[column]) for column in COLUMNS)
        lines.append(f"| {kind} | {ranks} | {name} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
