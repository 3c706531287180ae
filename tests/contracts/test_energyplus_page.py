"""Runs of EnergyPlus in docs/sources.md: its commands are typed, in order and in one folder."""

import re
import shlex
from pathlib import Path

import polars as pl
import pytest

from preloaded import MODULE, TRAIN, run

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "sources.md").read_text()


@pytest.mark.slow
def test_the_commands_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    section = PAGE.split("\n## Runs of EnergyPlus\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    exec(compile(code, "docs/sources.md", "exec"), {})
    (commands,) = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    said = []
    for line in commands.splitlines():
        _, name, *words = shlex.split(line)
        program = (TRAIN,) if name == "train.py" else MODULE
        rest = words if name == "train.py" else words[1:]
        said.append(run(*rest, cwd=tmp_path, program=program))
    assert "windows  24 of 12 steps, 4 channels" in said[0]
    assert "design days are left out: SUMMER, WINTER" in said[0]
    assert pl.read_csv(tmp_path / "predictions/predictions.csv").height == 12
    assert (tmp_path / "faults/metrics.json").is_file()
