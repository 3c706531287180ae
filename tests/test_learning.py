"""The default configuration learns: real sets, official test splits."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.learning
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["BasicMotions", "GunPoint", "JapaneseVowels"])
def test_the_default_recipe_reaches_95_percent(name, tmp_path):
    command = [sys.executable, str(ROOT / "train.py"), f"data.name={name}"]
    quiet = ["trainer.enable_progress_bar=false", "logger=csv"]
    done = subprocess.run(
        [*command, *quiet, "seed=0"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("runs/**/metrics.json")
    metrics = json.loads(path.read_text())
    assert metrics["test/acc"] >= 0.95, metrics
