"""What a training is planned to take, beside what it takes: `python benchmarks/training_memory.py`.

Each row is a run of ``train.py`` for one epoch, in a process of its own; the whole tree is looked
at from here. PART of the options of a row, as an argument, runs that row alone.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dualgaf.bench.results import machine, machine_lines
from dualgaf.system.machine import format_bytes, parse_bytes
from dualgaf.system.memory import memory_used

ROWS = (
    "datamodule.batch_size=16",
    "datamodule.batch_size=16 refit=true",
    "trainer=ddp_sim datamodule.batch_size=16",
    "datamodule.num_workers=4 datamodule.batch_size=16",
    "model=rich datamodule.batch_size=64",
    "model.extractor=multiscale model.width=256 datamodule.batch_size=32",
    "model.extractor=resnet34 datamodule.batch_size=64",
    "model=resnet18_gaf model.width=128 datamodule.batch_size=32",
    "model=resnet18_gaf model.width=128 datamodule.batch_size=96",
)
MEMORY = "hardware.memory=12GiB"
"""More than any row takes, so that none is refused."""
PAUSE_S = 0.1


def measured(options: str) -> tuple[int, int]:
    """Bytes that the plan foretells for a run, and bytes that its processes took at most."""
    train = str(Path(__file__).resolve().parents[1] / "train.py")
    data = ["data=simulated", "data.n_windows=200", "hardware=8gb", MEMORY]
    with tempfile.TemporaryDirectory() as folder:
        run = ["refit=false", "trainer.max_epochs=1", "logger=csv", f"hydra.run.dir={folder}/run"]
        given = [text for text in run if text.split("=")[0] not in options]
        output, before, peak = Path(folder, "output"), memory_used(), 0
        with output.open("w") as file:
            command = [sys.executable, train, *data, *given, *options.split()]
            child = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
            while child.poll() is None:
                peak = max(peak, memory_used() - before)
                time.sleep(PAUSE_S)
        text = output.read_text()
    if child.returncode:
        raise SystemExit(text)
    (planned,) = re.findall(r"peak +about ([\d.]+ [MG]iB) of", text)
    return parse_bytes(planned), peak


def main() -> None:
    """Print a table."""
    print(f"```\n{machine_lines(machine())}\n```\n")
    print("| options | planned | measured | planned / measured |\n|---|---:|---:|---:|")
    for row in ROWS:
        if all(part in row for part in sys.argv[1:]):
            planned, peak = measured(row)
            sizes = f"{format_bytes(planned)} | {format_bytes(peak)}"
            print(f"| `{row}` | {sizes} | {planned / peak:.2f} |", flush=True)


if __name__ == "__main__":
    main()
