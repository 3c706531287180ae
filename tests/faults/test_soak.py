"""A short run of `make soak`: the same cycles, fewer of them."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def soak():
    spec = importlib.util.spec_from_file_location("soak", ROOT / "benchmarks" / "soak.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["soak"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    yield module
    del sys.modules["soak"]


@pytest.mark.fault(30)
def test_cycle_after_cycle_holds_no_more_and_changes_no_byte(tmp_path, injected):
    """In a process of its own: that of the tests holds a gigabyte, which comes and goes."""
    injected(24)
    command = [sys.executable, ROOT / "benchmarks" / "soak.py", "--output", tmp_path / "soak.json"]
    options = ["--cycles", "24", "--seed", "8", "--different", "6"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "soak.json").read_text())
    assert told["flat"] == dict.fromkeys(told["flat"], True)
    assert [sum(ends.values()) for ends in told["outcomes"].values()] == [4] * 6


@pytest.mark.parametrize("key", ["open_files", "threads", "children", "shared_maps", "rss_bytes"])
def test_what_grows_is_not_flat(soak, key):
    step = 1 << 20 if key == "rss_bytes" else 1
    flat = dict.fromkeys(
        ("rss_bytes", "open_files", "threads", "children", "shared_maps"), 100 * step
    )
    cycles = [
        soak.Cycle("none", "built", **{**flat, key: 100 * step + number * step})
        for number in range(40)
    ]
    told = soak.is_flat(cycles)
    assert not told.pop(key)
    assert all(told.values())
