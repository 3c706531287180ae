"""The default configuration learns: real sets, official test splits. `make slow` has it whole."""

import json

import pytest

from preloaded import run

SETS = ("BasicMotions", "GunPoint", "JapaneseVowels")


@pytest.mark.learning
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("BasicMotions", ("trainer.max_epochs=10", "refit=false")),  # seconds
        *(pytest.param(name, (), marks=pytest.mark.slow) for name in SETS),
    ],
)
def test_the_default_recipe_reaches_95_percent(name, typed, tmp_path):
    quiet = ["trainer.enable_progress_bar=false", "logger=csv"]
    run(f"data.name={name}", *quiet, *typed, "seed=0", cwd=tmp_path)
    (path,) = tmp_path.glob("runs/**/metrics.json")
    metrics = json.loads(path.read_text())
    assert metrics["test/acc"] >= 0.95, metrics
