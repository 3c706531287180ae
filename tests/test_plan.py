"""Every decision of the plan, with its reason, on a machine whose memory and CPUs are made up."""

from pathlib import Path

import pytest

from dualgaf import plan as module
from dualgaf.errors import BudgetError, ConfigError
from dualgaf.hardware import HardwarePreset
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.machine import Headroom
from dualgaf.plan import PROCESS_FROM_BYTES, BuildRequest, make_plan
from dualgaf.pool.settings import PoolSettings

MIB = 2**20
PRESET = HardwarePreset("mine", "64MiB", store_fraction=0.5)  # 32 MiB for images
RECIPE = ImagingRecipe(64)  # with 4 channels: 2 * 4 * 64 * 64 = 32 KiB a window


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """8 CPUs, and a lot of memory until a test takes it."""

    def leave(n, limited_by="MemAvailable", cpus=8):
        monkeypatch.setattr(module, "memory_headroom", lambda: Headroom(n, limited_by))
        monkeypatch.setattr(module, "cpu_count", lambda: cpus)

    leave(1 << 40)
    return leave


def request(n_windows=320, **fields):
    """Ten MiB of images."""
    return BuildRequest(n_windows, 4, 96, RECIPE, **fields)


def plan_of(n_windows=320, images="precompute", preset=PRESET, cache_dir=None, **settings):
    return make_plan(request(n_windows, images=images), preset, PoolSettings(**settings), cache_dir)


def test_sizes_by_hand():
    assert request().store_bytes == 10 * MIB
    assert request(1).store_bytes == 32 << 10


def test_an_unknown_wish_for_images_is_refused():
    with pytest.raises(ConfigError) as caught:
        request(images="precomputed")
    assert str(caught.value) == (
        "images='precomputed' is not known; allowed: precompute, on_device, auto; type "
        "images=precompute"
    )


def test_shared_memory_where_it_fits():
    plan = plan_of()
    assert (plan.place, plan.backend, plan.workers) == ("memfd", "thread", 4)
    assert plan.budget_bytes == 32 * MIB
    assert plan.reasons == (
        "parallel.shm=true: one copy that other processes can map",
        "parallel.backend=auto: thread (processes pay from 256.00 MiB of shared images and two "
        "workers on)",
    )


def test_private_memory_without_shm():
    plan = plan_of(shm=False)
    assert (plan.place, plan.backend) == ("private", "thread")
    assert plan.reasons[0] == (
        "parallel.shm=false: no shared memory, only this process reads the images"
    )


@pytest.mark.parametrize("shm", [True, False])
def test_a_disk_file_where_the_store_is_larger_than_the_budget(shm):
    plan = plan_of(32 * 32 + 1, shm=shm)
    assert plan.place == "file"
    assert plan.reasons[0] == (
        "the store of 32.03 MiB does not fit the budget; a smaller image_size, layout=packed or "
        "images=on_device would keep it in memory"
    )


def test_the_budget_is_reached_to_the_byte():
    assert plan_of(32 * 32).place == "memfd"


def test_the_machine_may_leave_less_than_the_preset(machine):
    machine(9 * MIB, "cgroup sys/fs/cgroup/job")
    plan = plan_of()
    assert plan.budget_bytes == 9 * MIB
    assert plan.place == "file"
    assert plan.reasons[0] == (
        "the machine leaves 9.00 MiB (cgroup sys/fs/cgroup/job), less than the preset's 32.00 MiB"
    )


def test_on_device_keeps_no_store():
    plan = plan_of(10**9, images="on_device")
    assert (plan.place, plan.backend, plan.workers) == ("none", "none", 0)
    assert plan.reasons == ("images=on_device keeps no store",)


def test_auto_keeps_a_store_that_fits_and_none_else():
    assert plan_of(32 * 32, images="auto").place == "memfd"
    plan = plan_of(32 * 32 + 1, images="auto")
    assert (plan.place, plan.workers) == ("none", 0)
    assert plan.reasons == ("images=auto: the store of 32.03 MiB does not fit the budget",)


def test_a_chunk_larger_than_the_budget_is_refused(machine):
    machine(3 * MIB)
    with pytest.raises(BudgetError) as caught:
        plan_of(chunk_size=100)
    assert str(caught.value) == (
        "hardware=mine leaves 3.00 MiB for images, but one chunk of chunk_size=100 windows takes "
        "3.12 MiB; type a smaller parallel.chunk_size, a larger hardware preset, or "
        "images=on_device"
    )
    assert isinstance(caught.value, MemoryError)
    assert plan_of(chunk_size=96).place == "file"
    assert plan_of(chunk_size=100, images="on_device").place == "none"


def test_a_chunk_is_never_larger_than_the_store():
    plan = plan_of(10, chunk_size=10**9)
    assert plan.chunk_rows == 10
    assert (plan.place, plan.workers) == ("memfd", 1)


def test_the_cache_takes_the_place_of_a_store(tmp_path):
    plan = plan_of(cache_dir=tmp_path)
    assert (plan.place, plan.cache_dir) == ("cache", tmp_path)
    assert plan.reasons[0] == f"cache.dir={tmp_path}: later runs map the same file"
    plan = plan_of(images="on_device", cache_dir=tmp_path)
    assert (plan.place, plan.cache_dir) == ("none", None)


LARGE = HardwarePreset("large", "64GiB")
N_LARGE = PROCESS_FROM_BYTES // (32 << 10)


@pytest.mark.parametrize(
    ("n_windows", "settings", "expected"),
    [
        (N_LARGE, {}, ("process", 8)),
        (N_LARGE - 1, {}, ("thread", 8)),
        (N_LARGE, {"n_jobs": 1}, ("thread", 1)),
        (N_LARGE, {"shm": False}, ("thread", 8)),
        (N_LARGE, {"chunk_size": 10**6}, ("thread", 1)),
        (320, {"backend": "process"}, ("process", 4)),
        (320, {"backend": "process", "chunk_size": 10}, ("process", 8)),
        (320, {"backend": "process", "n_jobs": 3}, ("process", 3)),
        (320, {"backend": "thread", "n_jobs": 2}, ("thread", 2)),
        (N_LARGE, {"backend": "serial"}, ("serial", 1)),
        (N_LARGE, {"enabled": False}, ("serial", 1)),
        (N_LARGE, {"enabled": False, "backend": "process"}, ("serial", 1)),
        (101, {"chunk_size": 100}, ("thread", 2)),
        (100, {"chunk_size": 100}, ("thread", 1)),
    ],
)
def test_who_draws(n_windows, settings, expected):
    plan = plan_of(n_windows, preset=LARGE, **settings)
    assert (plan.backend, plan.workers) == expected


def test_never_more_workers_than_cpus(machine):
    machine(1 << 40, cpus=2)
    plan = plan_of(n_jobs=16)
    assert plan.workers == 2
    assert "n_jobs=16 was asked; this process may use 2 CPUs" in plan.reasons
    assert not any("was asked" in reason for reason in plan_of(n_jobs=2).reasons)


def test_without_the_pool_everything_is_here():
    assert "parallel.enabled=false: everything in this process" in plan_of(enabled=False).reasons


def test_processes_cannot_fill_private_memory():
    with pytest.raises(ConfigError) as caught:
        plan_of(shm=False, backend="process")
    assert str(caught.value) == (
        "parallel.backend=process cannot fill private memory (parallel.shm=false); type "
        "parallel.shm=true or parallel.backend=thread"
    )
    # on a disk they can, and without the pool nobody asks
    assert plan_of(32 * 32 + 1, shm=False, backend="process").backend == "process"
    assert plan_of(shm=False, backend="process", enabled=False).backend == "serial"


def test_the_printed_plan():
    assert str(plan_of(backend="thread", n_jobs=2)).splitlines() == [
        "build plan",
        "  images   320 windows of 96 steps, 4 channels -> GASF and GADF of 64 x 64, uint8 dual, "
        "scaling=window",
        "  store    10.00 MiB in shared memory (memfd)",
        "  budget   32.00 MiB for images (hardware=mine)",
        "  workers  2 (thread), chunk_size=100 -> 4 chunks",
        "  why      parallel.shm=true: one copy that other processes can map",
    ]


def test_the_printed_plan_of_no_store_names_no_workers():
    assert str(plan_of(images="on_device")).splitlines()[2:] == [
        "  store    none: the images are drawn per batch on the device",
        "  budget   32.00 MiB for images (hardware=mine)",
        "  why      images=on_device keeps no store",
    ]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"shm": False}, "10.00 MiB in private memory of this process"),
        ({"n_windows": 1025}, "32.03 MiB in an anonymous disk file"),
        ({"cache_dir": Path("/x")}, "10.00 MiB in the cache"),
        ({"n_windows": 1}, "chunk_size=100 -> 1 chunk\n"),
    ],
)
def test_the_printed_plan_names_the_place(settings, text):
    assert text in f"{plan_of(**settings)}\n"


def test_a_plan_allocates_nothing():
    plan = make_plan(BuildRequest(10**9, 100, 512, ImagingRecipe(512)), LARGE, PoolSettings())
    assert plan.place == "file"
    assert "PiB" not in str(plan)
    assert "TiB in an anonymous disk file" in str(plan)
