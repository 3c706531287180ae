"""Hardware presets: what they leave, the sum of the budget by hand, the files of conf/hardware."""

import pytest
import yaml

from dualgaf.errors import ConfigError
from dualgaf.plan import budget
from dualgaf.plan.budget import Budget, MemoryLeft, memory_left
from dualgaf.plan.preset import HardwarePreset, conf_folder
from dualgaf.system.machine import Headroom

MIB = 2**20
GIB = 2**30


@pytest.fixture
def machine(monkeypatch):
    """Sets what the machine leaves and what is in use."""

    def leave(headroom, used=0, limited_by="MemAvailable"):
        monkeypatch.setattr(budget, "memory_headroom", lambda: Headroom(headroom, limited_by))
        monkeypatch.setattr(budget, "memory_used", lambda: used)

    leave(1024 * GIB)
    return leave


@pytest.mark.parametrize(
    ("name", "memory", "n_jobs", "chunk_size"),
    [
        ("8gb", "8GiB", 4, 100),
        ("16gb", "16GiB", 8, 200),
        ("32gb", "32GiB", 16, 400),
        ("auto", "auto", -1, "auto"),
    ],
)
def test_the_presets_by_hand(name, memory, n_jobs, chunk_size):
    preset = HardwarePreset.named(name)
    assert preset == HardwarePreset(name, memory, 0.5, n_jobs, chunk_size)


def test_what_is_in_use_is_taken_off_the_promise(machine):
    machine(100 * GIB, used=3 * GIB)
    left = memory_left(HardwarePreset.named("8gb"))
    assert (left.bytes, left.is_short) == (5 * GIB, False)
    assert str(left) == "8.00 GiB - 3.00 GiB in use"


def test_the_machine_may_leave_less_than_the_promise(machine):
    machine(4 * GIB, used=3 * GIB, limited_by="cgroup sys/fs/cgroup/job")
    left = memory_left(HardwarePreset.named("8gb"))
    assert (left.bytes, left.is_short) == (4 * GIB, True)
    assert str(left) == "4.00 GiB free (cgroup sys/fs/cgroup/job)"


def test_auto_takes_what_is_free_and_what_is_in_use_is_no_longer_free(machine):
    machine(6 * GIB, used=3 * GIB, limited_by="cgroup x")
    left = memory_left(HardwarePreset.named("auto"))
    assert left.used_bytes == 0
    assert (left.bytes, left.is_short) == (6 * GIB, False)
    assert str(left) == "6.00 GiB free (cgroup x)"
    machine(2 * GIB)
    assert memory_left(HardwarePreset.named("auto")).bytes == 2 * GIB


def test_more_in_use_than_promised_leaves_nothing(machine):
    machine(100 * GIB, used=9 * GIB)
    left = memory_left(HardwarePreset.named("8gb"))
    assert (left.bytes, left.is_short) == (0, False)


def test_memory_is_really_read():
    left = memory_left(HardwarePreset("mine", "1TiB"))
    assert MIB < left.used_bytes < 64 * GIB
    assert 0 < left.bytes <= left.headroom_bytes


def budget_of(fraction=0.5, memory="8GiB", used=GIB, **parts):
    preset = HardwarePreset("mine", memory, store_fraction=fraction)
    left = MemoryLeft(preset, used, 8 * GIB, 100 * GIB, "MemAvailable")
    nothing = {"workers": 0, "workers_bytes": 0, "input_bytes": 0, "training_bytes": 0}
    return Budget(left, **{**nothing, **parts})


@pytest.mark.parametrize(
    ("fraction", "parts", "images"),
    [
        (0.5, {}, 3.5),
        (1.0, {}, 7),
        (0.25, {}, 1.75),
        (0.5, {"workers": 2, "workers_bytes": GIB}, 3),
        (0.5, {"workers": 2, "workers_bytes": GIB, "input_bytes": 2 * GIB}, 2),
        (0.5, {"training_bytes": GIB}, 3.5),  # half is more than it needs
        (0.5, {"training_bytes": 5 * GIB}, 2),
        (1.0, {"training_bytes": 5 * GIB}, 2),
        (0.5, {"training_bytes": 8 * GIB}, 0),
        (0.5, {"workers": 200, "workers_bytes": 10 * GIB}, 0),
    ],
)
def test_the_sum_by_hand(fraction, parts, images):
    assert budget_of(fraction, **parts).images_bytes == images * GIB


def test_training_that_takes_more_than_there_is_shows():
    assert not budget_of(training_bytes=7 * GIB).is_short_of_training
    assert budget_of(training_bytes=7 * GIB + 1).is_short_of_training


def test_the_printed_sum():
    budget = budget_of(workers=2, workers_bytes=GIB, input_bytes=2 * GIB, training_bytes=3 * GIB)
    assert str(budget) == (
        "1.00 GiB for images (hardware=mine), 3.00 GiB for training,\n"
        "of 8.00 GiB - 1.00 GiB in use - 1.00 GiB for 2 worker processes - 2.00 GiB for their copy "
        "of the series"
    )


def test_each_file_is_a_preset_of_its_own_name():
    files = sorted((conf_folder() / "hardware").glob("*.yaml"))
    assert [file.stem for file in files] == ["16gb", "32gb", "8gb", "auto"]
    for file in files:
        assert HardwarePreset.named(file.stem).name == file.stem
        target = yaml.safe_load(file.read_text())["_target_"]
        assert target == "dualgaf.HardwarePreset"


def test_an_unknown_preset_is_refused_with_those_there_are():
    with pytest.raises(ConfigError) as caught:
        HardwarePreset.named("8GB")
    text = str(caught.value)
    assert text.startswith("hardware='8GB' is not known; allowed: 16gb, 32gb, 8gb, auto; type ")


@pytest.mark.parametrize("name", ["../hardware/8gb", "", "8gb.yaml"])
def test_a_path_is_not_a_preset(name):
    with pytest.raises(ConfigError, match="is not known"):
        HardwarePreset.named(name)


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.01, float("nan")])
def test_a_share_that_is_not_allowed(fraction):
    with pytest.raises(ConfigError) as caught:
        HardwarePreset("mine", "8GiB", store_fraction=fraction)
    assert str(caught.value) == (
        f"hardware.store_fraction={fraction} is not allowed; allowed: above 0, at most 1; type "
        "hardware.store_fraction=0.5"
    )


@pytest.mark.parametrize("memory", ["much", "0GiB", ""])
def test_memory_that_is_not_a_size_is_refused_at_construction(memory):
    with pytest.raises(ConfigError, match="is not a size"):
        HardwarePreset("mine", memory)
