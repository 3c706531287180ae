"""What a training takes, by hand, and what is said where it does not fit."""

import re
from dataclasses import replace

import pytest

from dualgaf.errors import BudgetError
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.plan import BuildRequest, budget, make_plan, placement
from dualgaf.plan.preset import HardwarePreset
from dualgaf.plan.training import MeasuredTraining
from dualgaf.pool import pool_size
from dualgaf.pool.settings import PoolSettings
from dualgaf.system.machine import Headroom

MIB = 2**20
PROCESS = 48 * MIB
LARGE = MeasuredTraining(weights_bytes=100 * MIB, window_bytes=10 * MIB, n_windows=100)
SETTINGS = PoolSettings(chunk_size=100, backend="thread")


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """200 MiB in use, a lot of memory and disk, until a test takes some."""

    def have(used=200 * MIB, headroom=1 << 40):
        monkeypatch.setattr(budget, "memory_headroom", lambda: Headroom(headroom, "MemAvailable"))
        monkeypatch.setattr(budget, "memory_used", lambda: used)

    monkeypatch.setattr(pool_size, "cpu_count", lambda: 8)
    monkeypatch.setattr(placement, "disk_free", lambda folder: 1 << 50)
    have()
    return have


def request(training=LARGE, batch_size=16, n_windows=120):
    """Windows of 4 channels: 32 KiB of images stored, 128 KiB as float32."""
    recipe = ImagingRecipe(64)
    return BuildRequest(n_windows, 4, 96, recipe, batch_size=batch_size, training=training)


def plan_of(memory, **fields):
    return make_plan(request(**fields), HardwarePreset("mine", memory), SETTINGS)


def test_weights_batches_and_checkpoints_by_hand():
    # gradient and two moments; five copies of 16 windows of 128 KiB; 160 MiB kept, and a fifth
    step = PROCESS + 300 * MIB + 10 * MIB + 160 * MIB + 32 * MIB
    # or weights and moments put together for a checkpoint, beside 0.85 of what was kept
    saving = PROCESS + 300 * MIB + 136 * MIB + 300 * MIB
    assert LARGE.bytes(16, 128 << 10, 0) == saving > step
    light = replace(LARGE, weights_bytes=MIB)
    assert light.bytes(16, 128 << 10, 0) == step - 297 * MIB
    assert request().training_bytes == saving
    assert request(batch_size=0).training_bytes == 0


def test_large_blocks_are_given_back_before_a_checkpoint_is_written():
    whole = replace(LARGE, blocks=(5 * MIB, 3 * MIB, 2 * MIB))
    assert LARGE.bytes(16, 0, 0) - whole.bytes(16, 0, 0) == 136 * MIB
    half = replace(LARGE, blocks=(5 * MIB, 3 * MIB, MIB, MIB))  # 16 of 1 MiB are below 32 MiB
    assert half.bytes(16, 0, 0) == PROCESS + 600 * MIB + int(0.85 * 32 * MIB)


def test_the_first_step_of_all_has_no_moments():
    wide = replace(LARGE, window_bytes=100 * MIB, blocks=(100 * MIB,), n_windows=20)
    step = PROCESS + 300 * MIB + 1200 * MIB
    assert replace(wide, n_batches=2).bytes(10, 0, 0) == wide.bytes(10, 0, 0) == step
    # but the rest of the windows comes after it
    assert replace(wide, n_batches=1).bytes(10, 0, 0) == step
    one = replace(wide, n_windows=11, n_batches=1)
    assert one.bytes(10, 0, 0) == step - 200 * MIB


def test_a_batch_has_no_more_windows_than_there_are():
    light = replace(LARGE, weights_bytes=MIB)
    assert light.bytes(1000, 128 << 10, 0) == light.bytes(100, 128 << 10, 0)


def test_the_branch_counts_where_there_is_one_and_is_solved_before():
    light = replace(LARGE, weights_bytes=MIB, is_solved=True)
    assert light.bytes(1, 0, 400 * MIB) == PROCESS + 400 * MIB
    assert light.bytes(100, 0, 400 * MIB) == replace(light, is_solved=False).bytes(100, 0, 0)
    asked = request(light, batch_size=1)
    read = replace(asked, training=None, n_windows=100)
    assert asked.training_bytes == PROCESS + read.kernel_bytes


def test_each_rank_is_a_process_with_its_own_gradients_and_a_copy_to_exchange():
    two = replace(LARGE, ranks=2, rank_bytes=350 * MIB)
    first = LARGE.bytes(16, 128 << 10, 0) + 100 * MIB
    further = 350 * MIB + PROCESS + 400 * MIB + 10 * MIB + 192 * MIB  # it writes no checkpoint
    assert two.bytes(16, 128 << 10, 0) == first + further
    three = replace(two, ranks=3)
    assert three.bytes(16, 128 << 10, 0) == first + 2 * further


def test_loaders_and_copies_of_the_weights_count():
    alone = LARGE.bytes(16, 0, 0)
    assert replace(LARGE, loaders=4, shipped_bytes=5).bytes(16, 0, 0) == alone + 48 * MIB + 5
    assert replace(LARGE, copies=2).bytes(16, 0, 0) == alone + 200 * MIB


NEEDED = 200 + 48 + 300 + 136 + 300  # MiB: in use, process, states, retained, checkpoint


def test_a_training_is_refused_above_the_promise_only():
    plan = plan_of(f"{NEEDED}MiB")
    assert (plan.place, plan.budget_bytes) == ("file", 0)
    assert plan.peak_bytes == NEEDED * MIB
    with pytest.raises(BudgetError) as caught:
        plan_of(f"{NEEDED - 1}MiB")
    assert str(caught.value).startswith(
        "hardware=mine promises 983.00 MiB, and this run takes about 984.00 MiB: 200.00 MiB are in "
        "use, training takes 784.00 MiB (gradients and moments 300.00 MiB, a batch of 16 windows "
        "160.00 MiB); type "
    )


def test_an_optimiser_that_is_not_known_is_told_of_and_not_refused():
    plan = plan_of(f"{NEEDED - 100}MiB", training=replace(LARGE, is_sure=False))
    assert any("it may be more than there is; type" in why for why in plan.reasons)


def test_what_is_advised_is_taken_without_a_word():
    with pytest.raises(BudgetError) as caught:
        plan_of("900MiB", training=replace(LARGE, weights_bytes=30 * MIB), batch_size=64)
    (size,) = re.findall(r"datamodule.batch_size=(\d+)", str(caught.value))
    (memory,) = re.findall(r"hardware.memory=(\d+MiB)", str(caught.value))
    for typed in ({"memory": "900MiB", "batch_size": int(size)}, {"memory": memory}):
        taken = {"batch_size": 64, **typed, "training": replace(LARGE, weights_bytes=30 * MIB)}
        assert not any("more than there is" in why for why in plan_of(**taken).reasons)


def test_fewer_ranks_are_advised_where_they_fit():
    two = replace(LARGE, ranks=2, rank_bytes=350 * MIB)
    with pytest.raises(BudgetError, match=r", 2 ranks each\); type trainer.devices=1, or hardware"):
        plan_of("1200MiB", training=two)
    plan_of("1200MiB")
    with pytest.raises(BudgetError, match=r"type trainer.devices=1 datamodule.batch_size=1\d, or"):
        plan_of("1100MiB", training=two)


def test_what_is_near_the_promise_is_told():
    near = f"{NEEDED + 50}MiB"
    (told,) = [why for why in plan_of(near).reasons if "it may be more than there is; type" in why]
    (size,) = re.findall(r"datamodule.batch_size=(\d+)", told)
    (memory,) = re.findall(r"hardware.memory=(\d+MiB)", told)
    for plan in (plan_of("4GiB"), plan_of(near, batch_size=int(size)), plan_of(memory)):
        assert not any("more than there is" in why for why in plan.reasons)


@pytest.mark.parametrize("headroom", [300 * MIB, 1 << 40])
def test_what_is_free_is_no_promise(machine, headroom):
    machine(used=0, headroom=headroom)
    plan = plan_of("auto")
    told = any("it may be more than there is; type " in why for why in plan.reasons)
    assert told == (headroom < 1 << 40)
    assert "peak" not in str(plan)
    assert "hardware.memory" not in str(plan)


def test_the_plan_says_what_the_whole_run_takes():
    plan = plan_of("4GiB")
    assert plan.peak_bytes == NEEDED * MIB + 120 * 32 * 1024  # with the images in memory
    assert (
        "  peak     about 987.75 MiB of 4.00 GiB: gradients and moments 300.00 MiB, a batch of 16 "
        "windows 160.00 MiB, the rest is in use or for images"
    ) in str(plan).splitlines()
    assert "peak" not in str(plan_of("4GiB", training=None))
