"""The default configuration learns: real sets, official test splits."""

import json

import pytest

from preloaded import run


@pytest.mark.learning
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "name",
    [
        "BasicMotions",
        pytest.param("GunPoint", marks=pytest.mark.slow),
        pytest.param("JapaneseVowels", marks=pytest.mark.slow),
    ],
)
def test_the_default_recipe_reaches_95_percent(name, tmp_path):
    quiet = ["trainer.enable_progress_bar=false", "logger=csv"]
    run(f"data.name={name}", *quiet, "seed=0", cwd=tmp_path)
    (path,) = tmp_path.glob("runs/**/metrics.json")
    metrics = json.loads(path.read_text())
    assert metrics["test/acc"] >= 0.95, metrics
