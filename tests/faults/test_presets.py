"""A preset is a promise: real builds and trainings in little memory, measured from outside.

Each run is a program of its own: it builds and trains one epoch under a preset. Its whole process
tree is sampled from here: what each process takes (PSS, pages that several share counted in parts),
and shared memory that is held open and not mapped. Where this machine lets us make a memory cgroup,
the same runs go through in one of that size, where too much is the death of the run.
"""

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

import dualgaf
from dualgaf.errors import BudgetError
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.plan import BuildRequest, budget
from dualgaf.plan.preset import HardwarePreset
from dualgaf.system.machine import parse_bytes
from programs import kills

ROOT = Path(__file__).resolve().parents[2]
LIMIT = "1200MiB"
FITS_PACKED = 222
"""Windows of 12 channels and 192 steps, float32, of which 178 are built: 601 MiB, packed 300."""
FITS_NOWHERE = 300
"""240 are built: 810 MiB, packed 405."""

PROGRAM = """
import json, os, sys, warnings
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
import lightning as L
import dualgaf
from dualgaf.plan.preset import HardwarePreset

memory, n_windows, images = sys.argv[1], int(sys.argv[2]), sys.argv[3]
warnings.simplefilter("ignore")
source = dualgaf.SimulatedSource(n_windows=n_windows, window_size=192)
preset = HardwarePreset("small", memory)
processes = {"backend": "process"}  # they take memory of their own
drawn = {"image_size": None, "storage": "float32"}
dm = dualgaf.DualGAFDataModule(
    source, batch_size=8, **drawn, images=images, hardware=preset, parallel=processes
)
plan = dm.plan("fit")
told = {"place": plan.place, "layout": plan.request.recipe.layout, "backend": plan.backend}
model = dualgaf.DualGAFClassifier(dualgaf.DualGAFNet(dm.n_channels, dm.num_classes))
quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
few = {"limit_train_batches": 11, "limit_val_batches": 2}  # the first ones take as much as all
trainer = L.Trainer(max_epochs=1, accelerator="cpu", enable_model_summary=False, **quiet, **few)
trainer.fit(model, datamodule=dm)
assert trainer.global_step > 10
print("told", json.dumps({**told, "plan": str(plan)}))
"""


@dataclass(frozen=True)
class Run:
    """How a program went."""

    status: int
    output: str
    peak_bytes: int

    @property
    def told(self) -> dict[str, object]:
        """What it printed at its end."""
        (line,) = re.findall(r"^told (.*)$", self.output, re.MULTILINE)
        return dict(json.loads(line))

    @property
    def decided(self) -> tuple[object, ...]:
        """Place, layout and backend of the plan."""
        return self.told["place"], self.told["layout"], self.told["backend"]


def run(folder: Path, memory: str, n_windows: int, images: str, cgroup: Path | None = None) -> Run:
    """Run the program: in a cgroup where one is given, which watches its memory, else we do."""
    command = [sys.executable, "-c", PROGRAM, memory, str(n_windows), images]
    if cgroup is not None:
        enter = f'echo $$ > {cgroup}/cgroup.procs && exec "$@"'
        command = ["sh", "-c", enter, "sh", *command]
    return watched(command, folder / "output", looks=cgroup is None)


def watched(command: list[str], output: Path, looks: bool = True) -> Run:
    """Run a program, and look at the memory of its tree all the time."""
    peak, n_looks = 0, 0
    with output.open("w") as file:
        child = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            while looks and child.poll() is None:
                if n_looks % 10 == 0:  # a worker of a pool lives for many of them
                    pids = tree(child.pid)
                began_s = time.thread_time()
                peak, n_looks = max(peak, memory_of(pids)), n_looks + 1
                # as in `dualgaf.system.memory`: by processor time, so that it looks as often on a
                # busy machine
                time.sleep(max(0.02, 3 * (time.thread_time() - began_s)))
            child.wait()
        finally:
            child.kill()
            child.wait()
    return Run(child.returncode, output.read_text(), peak)


def tree(pid: int) -> list[int]:
    """A process and its descendants; dear, for psutil reads every process of the machine."""
    with contextlib.suppress(psutil.Error):
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return [pid]


def memory_of(pids: list[int]) -> int:
    """Bytes that processes take, each page counted once."""
    private = shared = 0
    memfds: dict[int, int] = {}
    for one in pids:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
            pss = {
                kind: int(size) << 10
                for kind, size in re.findall(r"^(Pss|Pss_Shmem):\s+(\d+) kB", text, re.MULTILINE)
            }
            private += pss["Pss"] - pss["Pss_Shmem"]
            shared += pss["Pss_Shmem"]
            for path in Path(f"/proc/{one}/fd").iterdir():
                if str(path.readlink()).startswith("/memfd:"):
                    memfds[path.stat().st_ino] = path.stat().st_blocks * 512
    return private + max(shared, sum(memfds.values()))


def test_another_placement_changes_no_image(monkeypatch):
    monkeypatch.setattr(budget, "memory_used", lambda: 0)
    x = np.random.default_rng(0).normal(size=(40, 3, 96))
    wished = BuildRequest(40, 3, 96, ImagingRecipe(96), batch_size=8)
    memory = wished.training_bytes + wished.store_bytes * 3 // 4
    images = []
    for preset in (HardwarePreset("small", str(memory)), "8gb"):
        dm = dualgaf.DualGAFDataModule.from_arrays(
            (x, np.arange(40) % 2), batch_size=8, image_size=None, hardware=preset
        )
        dm.setup("fit")
        assert dm.stores[0].layout.row_shape == ((2, 3, 96, 96) if preset == "8gb" else (3, 96, 96))
        batches = [
            (gasf.numpy().copy(), gadf.numpy().copy()) for gasf, gadf, *_ in dm.train_dataloader()
        ]
        images.append([np.stack(batch) for batch in batches])
        dm.close()
    np.testing.assert_array_equal(*images)


def test_a_later_stage_of_a_run_that_took_too_much_goes_on(monkeypatch):
    x, y = np.random.default_rng(0).normal(size=(8, 3, 24)), [0, 1] * 4
    preset = HardwarePreset("small", "1GiB")
    dm = dualgaf.DualGAFDataModule.from_arrays(
        (x, y), test=(x, y), hardware=preset, overlap="allow"
    )
    monkeypatch.setattr(budget, "memory_used", lambda: 2 << 30)
    with pytest.raises(BudgetError, match="even images=on_device needs"):
        dm.setup("fit")
    monkeypatch.setattr(budget, "memory_used", lambda: 1 << 20)
    dm.setup("fit")
    monkeypatch.setattr(budget, "memory_used", lambda: 2 << 30)
    dm.setup("test")
    assert len(dm.dataset("test")) == 8
    dm.close()


@pytest.mark.parametrize(
    ("n_windows", "images", "expected"),
    [
        (FITS_PACKED, "precompute", ("memfd", "packed", "process")),
        (FITS_NOWHERE, "auto", ("none", "dual", "none")),
    ],
)
def test_the_peak_stays_inside_the_preset(n_windows, images, expected, tmp_path):
    done = run(tmp_path, LIMIT, n_windows, images)
    assert done.status == 0, done.output
    assert done.decided == expected, done.told["plan"]
    # The floor shows that the watch worked: torch, numba and a store take more than this.
    floor = parse_bytes("400MiB" if expected[0] == "none" else "700MiB")
    assert floor < done.peak_bytes <= parse_bytes(LIMIT), done.told["plan"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["datamodule.batch_size=16"],
        ["trainer=ddp_sim", "datamodule.batch_size=16"],
        ["model=rich", "datamodule.batch_size=48"],
        ["model.extractor=multiscale", "model.width=256", "datamodule.batch_size=32"],
        ["model.extractor=resnet18_gaf", "datamodule.batch_size=16", "refit=true"],
    ],
    ids=" ".join,
)
def test_the_planned_peak_is_within_a_fifth_of_the_measured_one(options, tmp_path):
    base = ["data=simulated", "data.n_windows=200", "hardware=8gb", "hardware.memory=4GiB"]
    short = ["trainer.max_epochs=1", "refit=false", "logger=csv", f"hydra.run.dir={tmp_path}/run"]
    command = [sys.executable, str(ROOT / "train.py"), *base, *short, *options]
    done = watched(command, tmp_path / "output")
    assert done.status == 0, done.output
    (told,) = re.findall(r"peak +about ([\d.]+ [MG]iB) of 4.00 GiB", done.output)
    assert 0.8 < parse_bytes(told) / done.peak_bytes < 1.2, told


@pytest.mark.parametrize(
    ("memory", "n_windows", "images", "expected"),
    [
        ("auto", FITS_PACKED, "precompute", ("memfd", "packed", "process")),
        (LIMIT, FITS_NOWHERE, "precompute", ("file", "packed", "process")),
    ],
)
def test_a_cgroup_of_the_size_of_the_preset_kills_nothing(
    memory, n_windows, images, expected, tmp_path, cgroup
):
    done = run(tmp_path, memory, n_windows, images, cgroup)
    assert done.status == 0, done.output
    assert done.decided == expected, done.told["plan"]
    assert kills(cgroup) == 0
    if memory == "auto":
        assert f"free (cgroup {cgroup.relative_to('/')})" in done.told["plan"]


def test_a_cgroup_kills_what_takes_more(cgroup):
    """The test above can fail."""
    command = f"echo $$ > {cgroup}/cgroup.procs && exec {sys.executable} -c 'bytearray(3 << 30)'"
    assert subprocess.run(["sh", "-c", command], check=False).returncode == -signal.SIGKILL
    assert kills(cgroup) == 1


@pytest.fixture
def cgroup(memory_group) -> Path:
    """A memory cgroup of `LIMIT`; skipped where none can be made."""
    return memory_group(parse_bytes(LIMIT))
