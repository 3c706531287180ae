"""Ranks of one machine, through Lightning and torchrun: one build, one copy, and no end alone."""

import json
import signal
import time

import numpy as np
import pytest
import xxhash

import dualgaf
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from fills import images_of
from preloaded import start
from programs import ROOT, SEARCH_PATH, finished, told
from ranks_program import ROW_BYTES, SPLITS, STEPS, arrays
from semaphores import needs_semaphores

PROGRAM = ROOT / "tests" / "ranks_program.py"
BYTES = {"fit": (SPLITS["train"] + SPLITS["val"]) * ROW_BYTES, "test": SPLITS["test"] * ROW_BYTES}
ENDS_WITHIN_S = 60
RUNS_WITHIN_S = 120

pytestmark = pytest.mark.timeout(150)


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", SEARCH_PATH)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    """Hash of the images of each stage, drawn by a single call."""
    windowed = dualgaf.DualGAFDataModule.from_arrays(**arrays()).windows
    found = {}
    for stage, splits in (("fit", ("train", "val")), ("test", ("test",))):
        rows = np.sort(np.concatenate([windowed.indices[split] for split in splits]))
        windows = Windows(windowed.windows.flat, windowed.windows.starts[rows], STEPS)
        found[stage] = xxhash.xxh3_64_hexdigest(images_of(windows, ImagingRecipe(STEPS)))
    return found


def started(folder, *, launcher=(), others=None, **options):
    told = json.dumps({"folder": str(folder), **options})
    if others is None:
        others = options["ranks"] - 1
    return start(told, cwd=folder, program=(*launcher, str(PROGRAM)), others=others)


TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


@pytest.mark.fault(18)
@pytest.mark.parametrize(
    ("ranks", "strategy", "launcher", "others"),
    [
        (2, "ddp", (), 1),
        (4, "ddp", (), 3),
        (2, "ddp", TORCHRUN, 2),
        (2, "ddp_spawn", (), 4),  # two ranks that fit, and two that test
    ],
    ids=["2 of Lightning", "4 of Lightning", "2 of torchrun", "2 spawned"],
)
@needs_semaphores
def test_ranks_build_once_and_keep_one_copy(ranks, strategy, launcher, others, expected, tmp_path):
    process = started(tmp_path, launcher=launcher, others=others, ranks=ranks, strategy=strategy)
    output, status = finished(process, RUNS_WITHIN_S)
    assert status == 0, output
    stages = ["fit"]
    for stage, n_windows in (("fit", 840), ("test", 336)):
        stages = ["fit", "test"] if stage == "test" and strategy == "ddp" else [stage]
        each = told(tmp_path, stage)
        assert len(each) == ranks
        built = sorted(n for rank in each for n in rank["built"])
        assert built == sorted({"fit": 840, "test": 336}[one] for one in stages), n_windows
        assert {tuple(rank["hashes"]) for rank in each} == {
            tuple(sorted(expected[one] for one in stages))
        }
        assert len({tuple(rank["inodes"]) for rank in each}) == 1
        assert each[0]["inodes"]
        copy = sum(BYTES[one] for one in stages)
        assert sum(rank["pss_bytes"] for rank in each) == pytest.approx(copy, rel=0.02)
    seen = [window for rank in told(tmp_path, "fit") for window in rank["windows"]]
    assert len(seen) == len(set(seen)) == SPLITS["train"]  # none twice, none left out
    assert output.count("build plan") == 2  # by one rank, before each build
    assert not list((tmp_path / "dualgaf").iterdir())


@pytest.mark.fault(18)
def test_private_memory_is_a_copy_a_rank_which_is_said_once(expected, tmp_path):
    output, status = finished(started(tmp_path, ranks=2, shm=False), RUNS_WITHIN_S)
    assert status == 0, output
    each = told(tmp_path, "test")
    assert [rank["built"] for rank in each] == [[840, 336]] * 2
    assert {tuple(rank["hashes"]) for rank in each} == {tuple(sorted(expected.values()))}
    assert [rank["pss_bytes"] for rank in each] == [0, 0]  # of shared memory
    said = [line for line in output.splitlines() if "FallbackWarning" in line]
    assert len(said) == 1
    assert "each of the 2 processes" in said[0]
    assert said[0].endswith("for one copy type parallel.shm=true")


BUILDER, WAITER = {"at": "build"}, {"at": "wait"}
RACE = {"only_setup": True}


@pytest.mark.fault(19)
@pytest.mark.parametrize(
    "fault",
    [
        {**BUILDER, "how": "kill"},
        {**BUILDER, "how": "raise"},
        {**WAITER, "how": "kill"},
        {**BUILDER, **RACE, "how": "kill"},
        {**WAITER, **RACE, "how": "kill"},
        {"at": "attach", "how": "kill"},
        {"at": "attach", "how": "raise"},
        {"at": "training", "rank": 0, "how": "kill"},
        {"at": "training", "rank": 1, "how": "kill"},
        {"at": "training", "rank": 0, "how": "raise"},
        {"at": "training", "rank": 1, "how": "raise"},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
def test_a_rank_that_dies_or_raises_ends_the_job(fault, tmp_path):
    process = started(tmp_path, ranks=2, fault=fault)
    while not (tmp_path / "fault").exists():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.05)
    output, status = finished(process, ENDS_WITHIN_S)
    assert status not in (0, None), output
    if fault["how"] == "raise":
        assert "on purpose" in output
    assert not list(tmp_path.glob("test.*")), "a part of the ranks went on"


PLAIN = """
import os, signal, sys, time
import numpy as np, lightning as L, torch
import dualgaf
from dualgaf.data import image_build
from ranks_program import Tiny

build_store = image_build.build_store

def hangs(rows):
    print("builds", flush=True)
    for _ in range(600):  # one long wait would miss a signal that comes just before it
        time.sleep(0.05)

def build(*arguments, **named):
    try:
        return build_store(*arguments, **{**named, "progress": hangs})
    finally:
        handler = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        print("put back" if handler else "left", flush=True)

image_build.build_store = build
x = np.random.default_rng(0).normal(size=(200, 3, 32))
dm = dualgaf.DualGAFDataModule.from_arrays((x, np.arange(200) % 2), parallel={"chunk_size": 10})
L.Trainer(
    accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
).fit(Tiny({}), datamodule=dm)
"""


@pytest.mark.fault(15)
def test_sigterm_during_setup_under_a_trainer_is_exit_status_143(tmp_path):
    process = start(cwd=tmp_path, program=("-c", PLAIN))
    for line in process.stdout:
        if line == b"builds\n":
            break
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 143
    assert "put back\n" in output
    assert not list((tmp_path / "dualgaf").iterdir())
