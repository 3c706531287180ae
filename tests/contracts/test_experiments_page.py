"""docs/experiments.md: its commands are typed."""

import csv
import re
import shlex
from pathlib import Path

import pytest

from dualgaf.training.comparison.asked import asked_for
from preloaded import run

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "experiments.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [shlex.split(line) for text in BLOCKS for line in text.replace("\\\n", "").splitlines()]
COMPARISONS = [words[4:] for words in COMMANDS if words[3] == "compare"]
SWEEPS = [words[2:] for words in COMMANDS if words[1] == "train.py"]


def test_a_comparison_is_what_the_page_says():
    first, again = COMPARISONS
    asked = asked_for(first)
    assert (len(asked.sets), len(asked.methods), len(asked.jobs)) == (2, 7, 2 * 7 * 3)
    assert again == ["compare.dir=runs/compare/DATE/TIME"]
    assert len(SWEEPS) + len(COMPARISONS) == len(COMMANDS)


@pytest.mark.slow
def test_the_sweeps_of_the_page_run(tmp_path):
    said = [run(*words, "trainer.max_epochs=1", cwd=tmp_path) for words in SWEEPS]
    assert [text.count("run directory: ") for text in said] == [2, 1, 5]
    assert "sweep of 3 jobs" in said[1]
    with (tmp_path / "runs/folds/folds.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 100
