"""Hardware presets: budgets by hand, and the files under conf/hardware."""

import pytest
import yaml

from dualgaf import hardware
from dualgaf.errors import ConfigError
from dualgaf.hardware import HardwarePreset, conf_folder
from dualgaf.machine import Headroom

GIB = 2**30


@pytest.mark.parametrize(
    ("name", "memory", "images", "n_jobs", "chunk_size"),
    [
        ("8gb", 8 * GIB, 4 * GIB, 4, 100),
        ("16gb", 16 * GIB, 8 * GIB, 8, 200),
        ("32gb", 32 * GIB, 16 * GIB, 16, 400),
    ],
)
def test_the_presets_by_hand(name, memory, images, n_jobs, chunk_size):
    preset = HardwarePreset.named(name)
    assert preset.name == name
    assert preset.memory_bytes() == memory
    assert preset.store_budget_bytes() == images
    assert (preset.n_jobs, preset.chunk_size) == (n_jobs, chunk_size)


def test_auto_takes_what_is_free_now(monkeypatch):
    monkeypatch.setattr(hardware, "memory_headroom", lambda: Headroom(6 * GIB, "cgroup x"))
    preset = HardwarePreset.named("auto")
    assert preset.memory_bytes() == 6 * GIB
    assert preset.store_budget_bytes() == 3 * GIB
    monkeypatch.setattr(hardware, "memory_headroom", lambda: Headroom(2 * GIB, "cgroup x"))
    assert preset.store_budget_bytes() == GIB


def test_each_file_is_a_preset_of_its_own_name():
    files = sorted((conf_folder() / "hardware").glob("*.yaml"))
    assert [file.stem for file in files] == ["16gb", "32gb", "8gb", "auto"]
    for file in files:
        assert HardwarePreset.named(file.stem).name == file.stem
        target = yaml.safe_load(file.read_text())["_target_"]
        assert target == "dualgaf.hardware.HardwarePreset"


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


def test_the_whole_memory_may_go_to_the_images():
    assert HardwarePreset("mine", "1000", store_fraction=1.0).store_budget_bytes() == 1000
