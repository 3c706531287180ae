"""Places that refuse: /dev/shm small, read-only, missing or another's; memfd refused; disks full.

Each run is a program of its own in a mount namespace of its own, where the place really is as the
test says. It builds with processes and with threads, reads an epoch through loader workers, and
prints what it has done.
"""

import functools
import hashlib
import json
import os
import re
import subprocess
import sys

import pytest

from dualgaf.imaging.recipe import ImagingRecipe
from fills import images_of, windows_of
from programs import SEARCH_PATH

REFUSED = 77
WINDOWS = {"n": 3000, "channels": 3, "steps": 32}  # 18 MB of images

PROGRAM = """
import contextlib, ctypes, gc, hashlib, json, os, pickle, struct, sys, warnings

asked = json.loads(sys.argv[1])
if asked["memfd_create"]:
    # A filter of system calls as containers have it: load the number; is it memfd_create? then
    # refuse with this errno; else allow.
    libc = ctypes.CDLL(None, use_errno=True)
    number = 279 if os.uname().machine == "aarch64" else 319
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number)]
    steps += [(0x06, 0, 0, 0x50000 | asked["memfd_create"]), (0x06, 0, 0, 0x7FFF0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code))
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
        sys.exit(77)

import numpy as np
import torch
from torch.utils.data import DataLoader
from dualgaf.build import build_store
from dualgaf.data.dataset import DualGAFDataset
from dualgaf.data.loader import collate
from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.data.loader import loader_workers
from dualgaf.plan.preset import HardwarePreset
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.plan import BuildRequest, make_plan
from dualgaf.pool.settings import PoolSettings
from dualgaf.store import backing
from fills import windows_of

told = []
windows, recipe = windows_of(**asked["windows"]), ImagingRecipe(32)
if asked["disk_looks_free"]:  # another program takes the room meanwhile
    backing.disk_free = lambda folder: 1 << 40


def used():
    found = os.statvfs(asked["look_at"])
    return found.f_blocks - found.f_bfree


used_before = used() if asked["look_at"] else 0


def plan_of(backend):
    settings = PoolSettings(chunk_size=100, n_jobs=2, backend=backend)
    request = BuildRequest(len(windows), windows.n_channels, windows.window_size, recipe)
    return make_plan(request, HardwarePreset("mine"), settings, None)


def epoch(dataset, workers, prefetch, **options):
    loader = DataLoader(
        dataset, 100, num_workers=workers, prefetch_factor=prefetch, collate_fn=collate, **options
    )
    found, n = hashlib.sha256(), 0
    for batch in loader:
        n += len(batch.label)
        for part in batch:
            found.update(part.numpy())
    assert n == len(dataset)
    return found.hexdigest()


plans = {backend: plan_of(backend) for backend in ("process", "thread")}
if asked["group"]:  # memory becomes short after the plan was made
    with open(asked["group"] + "/cgroup.procs", "w") as procs:
        procs.write(str(os.getpid()))

for backend, plan in plans.items():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            store, report = build_store(windows, plan)
        except OSError as error:
            told.append({
                "error": [type(error).__name__, str(error)],
                "warnings": [str(one.message) for one in caught],
            })
            continue
    told.append({
        "backend": report.backend, "backing": store.backing, "cache": report.cache,
        "hash": hashlib.sha256(store.array).hexdigest(),
        "warnings": [f"{type(one.message).__name__}: {one.message}" for one in caught],
    })
    if backend == "process":
        store.close()
        del store
        gc.collect()

if asked["epoch"]:
    rows = np.arange(len(windows))
    scaler = SeriesScaler.fit([windows.flat])
    dataset = DualGAFDataset(windows, rows, rows % 2, scaler, (store, rows))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        workers, prefetch = loader_workers(2, 100 * dataset.shipped_bytes)
    here = epoch(dataset, 0, None)
    asked_for = {"workers": workers, "prefetch": prefetch}
    # one process that imports everything anew shows what a second one would
    spawned = {"multiprocessing_context": "spawn", "workers": 1} if workers else {}
    told.append({
        "workers": workers,
        "prefetch": prefetch,
        "pickle": len(pickle.dumps(dataset)),
        "same": [epoch(dataset, **{**asked_for, **way}) == here for way in ({}, spawned)],
        "warnings": [f"{type(one.message).__name__}: {one.message}" for one in caught],
    })
if asked["look_at"]:
    gc.collect()
    told.append({"names": os.listdir(asked["look_at"]), "used": used(), "used_before": used_before})
print("told", json.dumps(told))
"""

SHM = "mount -t tmpfs -o size=16m none /dev/shm"
DEV = """
mkdir {tmp}/dev && mount -t tmpfs none {tmp}/dev || exit 77
for name in null zero full random urandom; do
    touch {tmp}/dev/$name && mount --bind /dev/$name {tmp}/dev/$name || exit 77
done
ln -s /proc/self/fd {tmp}/dev/fd && mount --rbind {tmp}/dev /dev
"""
"""A /dev in which nothing is called shm; the real one must not be changed."""
ORDINARY = "setpriv --bounding-set=-dac_override,-dac_read_search"
"""Root, for whom permissions count. Another user might not be let to the Python of these tests."""


@pytest.fixture(scope="module")
def expected():
    return hashlib.sha256(images_of(windows_of(**WINDOWS), ImagingRecipe(32))).hexdigest()


@pytest.fixture
def run(tmp_path):
    """Runs the program after a shell script that mounts things; what it has told."""
    return functools.partial(run_in, tmp_path)


def run_in(tmp_path, mounts="", by="", **asked):
    asked = {
        "memfd_create": 0,
        "windows": WINDOWS,
        "disk_looks_free": False,
        "epoch": True,
        "group": "",
        "look_at": "",
        **asked,
    }
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": SEARCH_PATH,
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
    }
    refused = f"exit {REFUSED}"
    script = f"{{ {mounts.format(tmp=tmp_path)}\n}} || {refused}\n" if mounts else ""
    program = [sys.executable, "-c", PROGRAM, json.dumps(asked)]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{script}exec {by} "$@"', "sh", *program],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    if done.returncode == REFUSED or "unshare failed" in done.stderr:
        pytest.skip(f"mounts or system call filters are refused here: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stdout + done.stderr  # -7 would be SIGBUS
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("told "))
    return json.loads(line.removeprefix("told "))


def check_builds(told, expected, backing="memfd"):
    for backend, build in zip(("process", "thread"), told, strict=True):
        assert (build["backend"], build["backing"], build["cache"]) == (backend, backing, "off")
        assert build["hash"] == expected


@pytest.mark.fault(9)
def test_dev_shm_of_16_mb(run, expected, injected):
    injected(3)
    *builds, epoch = run(f"{SHM}")
    check_builds(builds, expected)
    assert [build["warnings"] for build in builds] == [[], []]
    # four batches of 653 KiB
    assert (epoch["workers"], epoch["prefetch"], epoch["warnings"]) == (2, 2, [])
    assert epoch["same"] == [True, True]
    assert epoch["pickle"] < 4096


@pytest.mark.fault(9)
def test_dev_shm_too_small_for_the_batches_of_two_workers(run, expected):
    *builds, epoch = run("mount -t tmpfs -o size=3m none /dev/shm")
    check_builds(builds, expected)
    assert (epoch["workers"], epoch["prefetch"], epoch["same"]) == (2, 1, [True, True])
    assert "/dev/shm has 3.00 MiB free" in epoch["warnings"][0]


@pytest.mark.fault(10)
@pytest.mark.parametrize(
    ("mounts", "by", "reason"),
    [
        ("mount -t tmpfs -o ro none /dev/shm", "", "Read-only file system"),
        (DEV, "", "No such file or directory"),
        ("mount -t tmpfs -o mode=0755,uid=65534 none /dev/shm", ORDINARY, "Permission denied"),
    ],
    ids=["read-only", "missing", "of another user"],
)
def test_dev_shm_that_takes_nothing(run, expected, mounts, by, reason, injected):
    injected(3)
    *builds, epoch = run(mounts, by)
    check_builds(builds, expected)
    assert [build["warnings"] for build in builds] == [[], []]
    assert (epoch["workers"], epoch["same"]) == (0, [True, True])
    (warning,) = epoch["warnings"]
    assert warning.startswith("FallbackWarning: num_workers=2 is not served")
    assert f"/dev/shm takes no semaphore ({reason})" in warning


@pytest.mark.fault(11)
@pytest.mark.parametrize("number", [1, 38], ids=["EPERM", "ENOSYS"])
def test_memfd_refused_by_a_filter_of_system_calls(run, expected, number, injected):
    injected(3)
    *builds, epoch = run(memfd_create=number)
    check_builds(builds, expected, "file")
    for build in builds:
        (warning,) = build["warnings"]
        assert warning.startswith("FallbackWarning: the images go to an anonymous disk file")
        assert f"memfd: {os.strerror(number)}" in warning
        assert "allow memfd_create in the container's seccomp profile" in warning
    assert (epoch["workers"], epoch["same"], epoch["warnings"]) == (2, [True, True], [])
    assert epoch["pickle"] < 4096


DISK = """
truncate -s 24M {tmp}/image && mkfs.ext4 -q -F {tmp}/image && mkdir {tmp}/disk &&
mount -o loop {tmp}/image {tmp}/disk && rmdir {tmp}/disk/lost+found &&
export TMPDIR={tmp}/disk
"""
"""A disk of 24 MB, and nothing else to put files on."""
LARGE = {"n": 90_000, "channels": 3, "steps": 32}
"""540 MB of images from 2 MB of series."""


@pytest.mark.fault(12)
@pytest.mark.parametrize("disk_looks_free", [False, True], ids=["at first", "while building"])
def test_disk_and_memory_are_full(run, memory_group, disk_looks_free, injected):
    injected(2)
    group = memory_group(900 << 20)
    *builds, left = run(
        DISK,
        group=str(group),
        windows=LARGE,
        disk_looks_free=disk_looks_free,
        epoch=False,
        look_at="disk",
    )
    for build in builds:
        name, text = build["error"]
        assert name == "StoreFullError"
        assert text.startswith("no place for a store of 527.3")
        assert re.search(r"memfd: \S+ MiB of memory are left \(cgroup \S+\), of which", text)
        assert "images=on_device" in text
        if disk_looks_free:
            assert re.search(r"file: file is full after \S+ MiB: No space left on device", text)
        else:
            assert re.search(r"file: \S+disk has \S+ MiB free \(set TMPDIR to a folder", text)
    assert left["names"] == []
    assert left["used"] == left["used_before"]
