"""Every decision of the plan, with its reason, on a machine that is made up."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dualgaf.errors import BudgetError, ConfigError
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.models.extractors.large_kernel import MAP, READ, LargeKernelExtractor
from dualgaf.models.minirocket.branch import MOST_WINDOWS
from dualgaf.models.minirocket.features import LEARNED_FROM, N_FEATURES
from dualgaf.models.statistics import STATISTICS
from dualgaf.plan import BuildRequest, budget, decision, make_plan, placement
from dualgaf.plan.preset import HardwarePreset
from dualgaf.plan.request import (
    KERNEL_NUMBERS,
    KERNEL_ROWS,
    KERNEL_STEPS,
    KERNEL_WINDOWS,
    NET_MAP,
    NET_READ,
)
from dualgaf.pool import pool_size
from dualgaf.pool.calibration import Drawing
from dualgaf.pool.pool_size import WORKER_BYTES
from dualgaf.pool.settings import PoolSettings
from dualgaf.system.machine import Headroom

MIB = 2**20
GIB = 2**30
PRESET = HardwarePreset("mine", "64MiB", store_fraction=0.5)  # 32 MiB for images
LARGE = HardwarePreset("large", "64GiB")
PROCESS_FROM_BYTES = 256 * MIB  # so that small presets can be told from large stores
RECIPE = ImagingRecipe(64)  # with 4 channels: 2 * 4 * 64 * 64 = 32 KiB a window
FITS_DUAL = 32 * 32  # windows of 32 MiB in all
FITS_PACKED = 2 * FITS_DUAL
INSTEAD = "a larger hardware preset, a smaller image_size"


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """8 CPUs, nothing in use, a lot of memory and disk, until a test takes some."""

    def have(headroom=1 << 40, limited_by="MemAvailable", *, used=0, disk=1 << 50, in_memory=()):
        monkeypatch.setattr(budget, "memory_headroom", lambda: Headroom(headroom, limited_by))
        monkeypatch.setattr(budget, "memory_used", lambda: used)
        monkeypatch.setattr(placement, "disk_free", lambda folder: disk)
        monkeypatch.setattr(placement, "is_in_memory", lambda folder: folder in in_memory)

    monkeypatch.setattr(pool_size, "cpu_count", lambda: 8)
    monkeypatch.setattr(pool_size, "PROCESS_FROM_BYTES", PROCESS_FROM_BYTES)
    monkeypatch.setattr(placement, "disk_folder", lambda: Path("/disk"))
    have()
    return have


@pytest.fixture
def store_pays(monkeypatch):
    """Images for which ``images=auto`` would rather have a store."""
    monkeypatch.setattr("dualgaf.plan.request.STEPS_A_PIXEL", 1)


def request(n_windows=320, recipe=RECIPE, **fields):
    """Ten MiB of images."""
    return BuildRequest(n_windows, 4, 96, recipe, **fields)


def plan_of(n_windows=320, images="precompute", preset=PRESET, cache_dir=None, **settings):
    asked = request(n_windows, images=images)
    return make_plan(asked, preset, PoolSettings(**{"chunk_size": 100, **settings}), cache_dir)


def test_sizes_by_hand():
    assert request().store_bytes == 10 * MIB
    assert request(1).store_bytes == 32 << 10
    assert request(batch_size=16).batch_bytes == 16 * 2 * 4 * 64 * 64 * 4


def test_what_training_takes_by_hand():
    assert request().training_bytes == 0
    batch = 16 * 2 * 4 * 4  # bytes of a batch, a pixel
    a_pixel = 16 * (2048 + 4 * 1536)  # of the map, which has 16 x 16, and 12 x 12 of images of 24
    expected = 5 * batch * 64 * 64 + a_pixel * 16 * 16
    small = replace(request(batch_size=16), recipe=ImagingRecipe(24))
    assert request(batch_size=16).learning_bytes == expected
    assert small.learning_bytes == 5 * batch * 24 * 24 + a_pixel * 12 * 12
    # 10 windows of 96 steps and four copies of each; batches of 16
    kernels = 50 * 4 * (4032 + 5 * 4) * 4 + 50 * 50 * 4 * 8 + 16 * 96 * 7 * 84 * 4
    assert request(10, batch_size=16).kernel_bytes == kernels
    assert request(10, batch_size=16).training_bytes == 128 * MIB + max(expected, kernels)
    many = request(100_000, batch_size=16)
    most = 3072 * 4 * (4032 + 5 * 4) * 4 + 3072 * 3072 * 4 * 8
    assert many.kernel_bytes == most + 200 * 96 * 7 * 84 * 4
    long = replace(many, window_size=1000)  # 65 windows have 65536 steps, about
    assert long.kernel_bytes == most + 65 * 1000 * 7 * 84 * 4
    assert many.training_bytes == 128 * MIB + many.kernel_bytes


def test_the_map_that_is_planned_for_is_the_one_of_the_network():
    assert (NET_MAP, NET_READ) == (MAP, READ)
    assert (KERNEL_ROWS, *KERNEL_NUMBERS) == (MOST_WINDOWS, N_FEATURES, len(STATISTICS))
    assert (KERNEL_WINDOWS, KERNEL_STEPS) == LEARNED_FROM
    for side in (2, 16, 23, 24, 60, 144, 400):
        net = LargeKernelExtractor(8)
        net.reduce = torch.nn.Identity()
        net.block = torch.nn.Identity()
        net.readout = torch.nn.Identity()
        rows, columns = net(torch.zeros(1, 1, side, side)).shape[-2:]
        four = request(batch_size=1, recipe=ImagingRecipe(side))
        three_more = four.learning_bytes - replace(four, n_channels=1).learning_bytes
        told = three_more - 3 * 5 * 2 * 4 * side * side
        assert told == 3 * 1536 * rows * columns, side


def test_an_unknown_wish_for_images_is_refused():
    with pytest.raises(ConfigError) as caught:
        request(images="precomputed")
    assert str(caught.value) == (
        "images='precomputed' is not known; allowed: precompute, on_device, auto; type "
        "images=precompute"
    )


# -- placements ---------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("images", "n_windows", "taken"),
    [
        ("precompute", FITS_DUAL, ("memfd", "dual")),
        ("precompute", FITS_DUAL + 1, ("memfd", "packed")),
        ("precompute", FITS_PACKED, ("memfd", "packed")),
        ("precompute", FITS_PACKED + 1, ("file", "packed")),
        ("auto", FITS_DUAL, ("memfd", "dual")),
        ("auto", FITS_DUAL + 1, ("none", "dual")),
        ("on_device", 1, ("none", "dual")),
        ("on_device", 10**9, ("none", "dual")),
    ],
)
def test_the_placement_turns_at_the_byte(images, n_windows, taken, store_pays):
    plan = plan_of(n_windows, images=images)
    assert (plan.place, plan.request.recipe.layout) == taken
    assert plan.request.recipe == replace(RECIPE, layout=taken[1])
    assert plan.request.n_windows == n_windows


@pytest.mark.parametrize("shm", [True, False])
def test_packed_in_memory_where_dual_does_not_fit(shm):
    plan = plan_of(FITS_DUAL + 1, shm=shm)
    assert plan.place == ("memfd" if shm else "private")
    assert plan.request.store_bytes == (FITS_DUAL + 1) * 16 * 1024
    assert plan.reasons[:2] == (
        "dual in memory needs 32.03 MiB, the budget is 32.00 MiB",
        "so the layout is packed, half the bytes and lossless; to choose otherwise type "
        f"images=on_device, cache.dir=FOLDER (dual on disk), {INSTEAD}",
    )


@pytest.mark.parametrize("shm", [True, False])
def test_a_disk_file_where_packed_does_not_fit(shm):
    plan = plan_of(FITS_PACKED + 1, shm=shm, backend="thread")
    assert (plan.place, plan.request.recipe.layout) == ("file", "packed")
    assert plan.reasons == (
        "dual in memory needs 64.03 MiB, the budget is 32.00 MiB",
        "packed in memory needs 32.02 MiB, the budget is 32.00 MiB",
        "so packed images, half the bytes and lossless, go to a disk file; to choose otherwise "
        f"type images=on_device, cache.dir=FOLDER (dual on disk), {INSTEAD}",
    )


def test_packed_is_tried_once_where_it_is_asked_for():
    asked = request(FITS_PACKED + 1, replace(RECIPE, layout="packed"))
    plan = make_plan(asked, PRESET, PoolSettings(chunk_size=1, backend="thread"))
    assert plan.place == "file"
    assert [reason for reason in plan.reasons if "needs" in reason] == [
        "packed in memory needs 32.02 MiB, the budget is 32.00 MiB"
    ]


@pytest.mark.parametrize(
    ("disk", "in_memory", "why"),
    [
        (32 * MIB, (), "/disk has 32.00 MiB free"),
        (1 << 50, (Path("/disk"),), "/disk is kept in memory, and the budget is 32.00 MiB"),
    ],
)
def test_on_the_device_where_no_disk_has_room(machine, disk, in_memory, why):
    machine(disk=disk, in_memory=in_memory)
    plan = plan_of(FITS_PACKED + 1)
    assert (plan.place, plan.backend, plan.workers, plan.chunk_rows) == ("none", "none", 0, 0)
    assert plan.reasons[2].startswith("packed in an anonymous disk file needs 32.02 MiB")
    assert plan.reasons[2].endswith(why)
    assert plan.reasons[3] == (
        "so the images are drawn per batch on the device; to choose otherwise type "
        f"cache.dir=FOLDER on a disk with room, {INSTEAD}"
    )
    # the disk is asked for what packed images take, not dual ones
    machine(disk=(FITS_PACKED + 1) * 16 * 1024)
    assert plan_of(FITS_PACKED + 1).place == "file"


def test_auto_takes_neither_the_disk_nor_packed_images(store_pays):
    plan = plan_of(FITS_PACKED + 1, images="auto")
    assert (plan.place, plan.workers) == ("none", 0)
    assert plan.reasons == (
        "dual in memory needs 64.03 MiB, the budget is 32.00 MiB",
        "so the images are drawn per batch on the device; to choose otherwise type "
        f"images=precompute (then on disk), cache.dir=FOLDER on a disk with room, {INSTEAD}",
    )


@pytest.mark.parametrize(
    ("steps", "size", "layout", "pays"),
    [
        (96, 96, "dual", False),
        (383, 48, "dual", False),
        (384, 48, "dual", True),
        (384, 48, "packed", False),
    ],
)
def test_only_long_averages_pay_for_a_store(steps, size, layout, pays):
    asked = BuildRequest(10, 4, steps, ImagingRecipe(size, layout=layout), "auto")
    plan = make_plan(asked, PRESET, PoolSettings(chunk_size=100))
    assert (plan.place == "memfd") is pays
    if not pays:
        assert plan.reasons == (
            "images=auto: drawing per batch takes no longer than loading from a store (measured, "
            "docs/performance.md); to keep one type images=precompute",
        )


def test_on_device_keeps_no_store():
    plan = plan_of(10**9, images="on_device")
    assert plan.reasons == ("images=on_device keeps no store",)


def test_smaller_pixels_are_advised_where_they_are_large():
    asked = request(FITS_DUAL, ImagingRecipe(64, storage="uint16"))
    plan = make_plan(asked, PRESET, PoolSettings(chunk_size=100))
    assert plan.request.recipe == ImagingRecipe(64, storage="uint16", layout="packed")
    assert plan.reasons[1].endswith(f"storage=uint8, {INSTEAD}")
    plan = make_plan(asked, HardwarePreset("auto"), PoolSettings(chunk_size=100))
    assert plan.place == "memfd"


def test_no_larger_preset_is_advised_to_auto(machine):
    machine(64 * MIB)
    plan = plan_of(FITS_DUAL + 1, preset=HardwarePreset("auto"))
    assert "hardware preset" not in str(plan)


@pytest.mark.parametrize(
    ("machine_has", "n_windows", "taken"),
    [
        ({}, 10**6, ("cache", "dual")),
        ({"disk": 64 * MIB}, FITS_PACKED, ("cache", "dual")),
        ({"disk": 64 * MIB}, FITS_PACKED + 1, ("cache", "packed")),
        ({"disk": 1}, 320, ("memfd", "dual")),
        ({"disk": 1}, 10**6, ("none", "dual")),
    ],
)
def test_the_cache_is_disk_and_comes_first(machine, tmp_path, machine_has, n_windows, taken):
    machine(**machine_has)
    plan = plan_of(n_windows, cache_dir=tmp_path)
    assert (plan.place, plan.request.recipe.layout) == taken
    assert plan.cache_dir == (tmp_path if taken[0] == "cache" else None)
    told = "cache.dir: later runs map the same file" in plan.reasons
    assert told == (taken[0] == "cache")


def test_a_cache_that_has_no_room_says_so(machine, tmp_path):
    machine(disk=MIB)
    folder = tmp_path / "not" / "there" / "yet"
    plan = plan_of(cache_dir=folder)
    assert plan.reasons[:2] == (
        f"dual in cache.dir={folder} needs 10.00 MiB, {tmp_path} has 1.00 MiB free",
        f"packed in cache.dir={folder} needs 5.00 MiB, {tmp_path} has 1.00 MiB free",
    )
    assert not folder.exists()


def test_a_cache_in_memory_counts_as_memory(machine, tmp_path):
    machine(in_memory=(tmp_path,))
    assert plan_of(FITS_DUAL, cache_dir=tmp_path).request.recipe.layout == "dual"
    plan = plan_of(FITS_DUAL + 1, cache_dir=tmp_path)
    assert (plan.place, plan.request.recipe.layout) == ("cache", "packed")
    assert plan.reasons[0] == (
        f"dual in cache.dir={tmp_path} needs 32.03 MiB; {tmp_path} is kept in memory, and the "
        "budget is 32.00 MiB"
    )


@pytest.mark.parametrize(
    ("n_windows", "taken"),
    [
        (FITS_DUAL, ("cache", "dual")),
        (FITS_DUAL + 1, ("none", "dual")),
    ],
)
def test_auto_caches_only_what_memory_can_hold(tmp_path, n_windows, taken, store_pays):
    plan = plan_of(n_windows, images="auto", cache_dir=tmp_path)
    assert (plan.place, plan.request.recipe.layout) == taken


def test_on_device_uses_no_cache(tmp_path):
    plan = plan_of(images="on_device", cache_dir=tmp_path)
    assert (plan.place, plan.cache_dir) == ("none", None)


def test_a_store_that_is_there_needs_no_room():
    asked_for = []

    def is_built(recipe):
        asked_for.append(recipe.layout)
        return recipe.layout == "dual"

    settings = PoolSettings(chunk_size=100)
    plan = make_plan(request(FITS_DUAL + 1), PRESET, settings, is_built=is_built)
    assert (plan.place, plan.request.recipe.layout) == ("memfd", "dual")
    assert plan.reasons[:2] == (
        "dual in memory needs 32.03 MiB, the budget is 32.00 MiB; but it is there already and is "
        "shared",
        "parallel.shm=true: one copy that other processes can map",
    )
    make_plan(request(FITS_DUAL), PRESET, settings, is_built=is_built)
    assert asked_for == ["dual"]  # not where there is room


# -- the budget ----------------------------------------------------------------------------------


def test_what_is_in_use_lowers_the_budget(machine):
    machine(used=44 * MIB)
    plan = plan_of()
    assert plan.budget_bytes == 10 * MIB
    assert plan.request.recipe.layout == "dual"
    machine(used=45 * MIB)
    assert plan_of().request.recipe.layout == "packed"


def test_the_machine_may_leave_less_than_the_preset(machine):
    machine(18 * MIB, "cgroup sys/fs/cgroup/job")
    plan = plan_of()
    assert plan.budget_bytes == 9 * MIB
    assert plan.reasons[:2] == (
        "the machine leaves 18.00 MiB (cgroup sys/fs/cgroup/job), less than hardware=mine allows",
        "dual in memory needs 10.00 MiB, the budget is 9.00 MiB",
    )


def test_processes_and_their_input_lower_the_budget_and_threads_do_not():
    asked = request(FITS_DUAL, input_bytes=7 * MIB)
    preset = HardwarePreset("mine", "512MiB")
    settings = {"chunk_size": 100, "n_jobs": 2}
    plan = make_plan(asked, preset, PoolSettings(backend="process", **settings))
    assert plan.budget_bytes == (512 * MIB - 2 * WORKER_BYTES - 7 * MIB + 1) // 2
    plan = make_plan(asked, preset, PoolSettings(backend="thread", **settings))
    assert plan.budget_bytes == 256 * MIB


def test_each_rung_counts_its_own_workers():
    # dual is large enough for processes, whose memory it then lacks; packed is for threads
    n_windows = PROCESS_FROM_BYTES // (32 << 10)
    preset = HardwarePreset("mine", "520MiB")
    plan = plan_of(n_windows, preset=preset, n_jobs=2)
    assert (plan.request.recipe.layout, plan.backend) == ("packed", "thread")
    assert plan.reasons[0] == "dual in memory needs 256.00 MiB, the budget is 180.00 MiB"
    assert plan.budget_bytes == 260 * MIB


def test_training_takes_half_or_what_it_is_known_to_need():
    asked = request(batch_size=16)
    settings = PoolSettings(chunk_size=100)
    assert make_plan(asked, LARGE, settings).budget_bytes == 32 * GIB
    plan = make_plan(asked, HardwarePreset("mine", "512MiB"), settings)
    assert plan.budget_bytes == 512 * MIB - asked.training_bytes
    assert not any("smaller batch_size" in reason for reason in plan.reasons)


def test_training_that_does_not_fit_is_told():
    asked = request(batch_size=256)
    plan = make_plan(asked, HardwarePreset("mine", "512MiB"), PoolSettings(chunk_size=100))
    assert plan.budget_bytes == 0
    assert plan.place == "file"
    assert plan.reasons[-1] == (
        "training in batches of 256 windows takes about 800.00 MiB on a CPU (measured with "
        "DualGAFNet), more than there is; type a smaller batch_size"
    )


@pytest.mark.parametrize("images", ["precompute", "auto", "on_device"])
def test_a_batch_that_does_not_fit_is_refused(machine, images):
    asked = request(batch_size=16, images=images)
    machine(used=62 * MIB)
    assert make_plan(asked, PRESET, PoolSettings(chunk_size=100)).place in ("file", "none")
    machine(used=62 * MIB + 1)
    with pytest.raises(BudgetError) as caught:
        make_plan(asked, PRESET, PoolSettings(chunk_size=100))
    assert str(caught.value) == (
        "hardware=mine leaves 2.00 MiB (64.00 MiB - 62.00 MiB in use), and even images=on_device "
        f"needs 2.00 MiB for a batch of 16 windows; type {INSTEAD}, a smaller batch_size"
    )
    assert isinstance(caught.value, MemoryError)


def test_after_a_training_nothing_is_refused(machine):
    machine(used=70 * MIB)
    assert plan_of(images="on_device").place == "none"
    assert plan_of(images="auto").place == "none"
    assert plan_of().place == "file"


# -- who, and in what portions -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_windows", "settings", "expected"),
    [
        (PROCESS_FROM_BYTES // (32 << 10), {}, ("process", 8)),
        (PROCESS_FROM_BYTES // (32 << 10), {"shm": False}, ("thread", 8)),
        (320, {"backend": "process"}, ("process", 4)),
        (320, {"enabled": False}, ("serial", 1)),
        (101, {}, ("thread", 2)),
    ],
)
def test_who_draws(n_windows, settings, expected):
    plan = plan_of(n_windows, preset=LARGE, **settings)
    assert (plan.backend, plan.workers) == expected


def test_processes_cannot_fill_private_memory():
    with pytest.raises(ConfigError) as caught:
        plan_of(shm=False, backend="process", preset=LARGE)
    assert str(caught.value) == (
        "parallel.backend=process cannot fill private memory (parallel.shm=false); type "
        "parallel.shm=true or parallel.backend=thread"
    )
    # on a disk they can, and without the pool nobody asks
    assert plan_of(FITS_PACKED + 1, shm=False, backend="process").backend == "process"
    assert plan_of(shm=False, backend="process", enabled=False).backend == "serial"


def test_a_chunk_is_never_larger_than_the_store():
    plan = plan_of(10, chunk_size=10**9)
    assert (plan.chunk_rows, plan.settings.chunk_size) == (10, 10**9)
    assert (plan.place, plan.workers) == ("memfd", 1)


@pytest.fixture
def paces(monkeypatch):
    """What was measured; a window takes 0.25 ms."""
    measured = []

    def measure(drawing):
        measured.append(drawing)
        return 0.00025

    monkeypatch.setattr(decision, "measure_window_s", measure)
    return measured


def test_a_number_of_windows_is_neither_measured_nor_replaced(paces):
    plan = plan_of(chunk_size=3)
    assert (plan.settings.chunk_size, plan.chunk_rows) == (3, 3)
    assert paces == []


def test_a_measured_chunk_reaches_the_pool(paces):
    plan = plan_of(10_000, preset=LARGE, chunk_size="auto", n_jobs=2, chunk_timeout_s=7)
    assert plan.settings == PoolSettings(n_jobs=2, chunk_size=120, chunk_timeout_s=7)
    assert plan.chunk_rows == 120
    assert plan.reasons[-1] == (
        "chunk_size=auto: 120 windows, a task of about 30 ms (0.25 ms a window, measured now)"
    )
    assert "chunk_size=120 -> 84 chunks" in str(plan)


def test_small_stores_are_cut_for_all_workers(paces):
    plan = plan_of(320, preset=LARGE, chunk_size="auto")
    assert (plan.workers, plan.chunk_rows) == (8, 5)
    plan = plan_of(1, preset=LARGE, chunk_size="auto")
    assert (plan.workers, plan.chunk_rows) == (1, 1)
    assert plan.reasons[-1].startswith("chunk_size=auto: 1 window, a task of about 0.25 ms")


def test_tasks_are_small_beside_the_free_memory(paces, machine):
    machine(1 << 40)
    free = HardwarePreset("mine", "64MiB")
    # 64 MiB / 64 / 2 workers / 32 KiB a window
    plan = plan_of(320, preset=free, chunk_size="auto", n_jobs=2)
    assert plan.chunk_rows == 16


@pytest.mark.parametrize(
    ("settings", "read_only", "private"),
    [
        ({"backend": "process"}, True, False),
        ({"backend": "thread"}, False, False),
        ({"shm": False}, False, True),
        ({"enabled": False}, False, False),
    ],
)
def test_what_is_measured_is_what_will_be_drawn(paces, settings, read_only, private):
    asked = request(input_dtype="float32")
    make_plan(asked, LARGE, PoolSettings(chunk_size="auto", **settings))
    assert paces == [Drawing(RECIPE, 4, 96, "float32", read_only, private)]


def test_packed_images_are_measured_as_packed(paces):
    plan_of(FITS_DUAL + 1, chunk_size="auto")
    assert [drawing.recipe.layout for drawing in paces] == ["packed"]


def test_nothing_is_measured_where_the_images_are_there(paces):
    settings = PoolSettings()
    plan = make_plan(request(), LARGE, settings, is_built=lambda recipe: recipe == RECIPE)
    assert (plan.settings.chunk_size, plan.chunk_rows) == (100, 100)
    assert plan.reasons[-1] == (
        "chunk_size=auto: 100 windows, not measured: the images are there already"
    )
    assert make_plan(request(7), LARGE, settings, is_built=lambda recipe: True).chunk_rows == 7
    assert paces == []


def test_nothing_is_measured_where_nothing_is_built(paces):
    plan = plan_of(images="on_device", chunk_size="auto")
    assert (plan.settings.chunk_size, plan.chunk_rows) == ("auto", 0)
    assert paces == []


# -- print ---------------------------------------------------------------------------------------


def test_the_printed_plan():
    assert str(plan_of(backend="thread", n_jobs=2)).splitlines() == [
        "build plan",
        "  images   320 windows of 96 steps, 4 channels -> GASF and GADF of 64 x 64, uint8 dual, "
        "scaling=window",
        "  store    10.00 MiB in shared memory (memfd)",
        "  budget   32.00 MiB for images (hardware=mine), 32.00 MiB for training,",
        "           of 64.00 MiB - 0 B in use",
        "  workers  2 (thread), chunk_size=100 -> 4 chunks",
        "  why      parallel.shm=true: one copy that other processes can map",
    ]


def test_the_printed_plan_of_no_store_names_no_workers():
    assert str(plan_of(images="on_device")).splitlines()[2:] == [
        "  store    none: the images are drawn per batch on the device",
        "  budget   32.00 MiB for images (hardware=mine), 32.00 MiB for training,",
        "           of 64.00 MiB - 0 B in use",
        "  why      images=on_device keeps no store",
    ]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"shm": False}, "10.00 MiB in private memory of this process"),
        ({"n_windows": FITS_PACKED + 1}, "32.02 MiB in an anonymous disk file"),
        ({"n_windows": FITS_PACKED + 1}, "uint8 packed, scaling=window"),
        ({"cache_dir": Path("/x")}, "10.00 MiB in the cache"),
        ({"n_windows": 1}, "chunk_size=100 -> 1 chunk\n"),
    ],
)
def test_the_printed_plan_names_the_place(settings, text):
    assert text in f"{plan_of(**settings)}\n"


def test_a_plan_allocates_nothing():
    asked = BuildRequest(10**9, 100, 512, ImagingRecipe(512))
    plan = make_plan(asked, LARGE, PoolSettings(chunk_size=100))
    assert plan.place == "none"
    assert "PiB" not in str(plan)
    assert "dual in memory needs 47683.72 TiB" in str(plan)
