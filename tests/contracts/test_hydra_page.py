"""docs/hydra.md: its commands are typed, in order and in one folder, and say what it says."""

import re
import shlex
from pathlib import Path

import polars as pl
import pytest

from dualgaf.errors import ConfigError
from dualgaf.training.config import load_config
from preloaded import MODULE, TRAIN, run

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "hydra.md").read_text()


@pytest.mark.slow
def test_the_commands_of_the_page_run(tmp_path):
    *commands, last = re.findall(r"```bash\n(.*?)\n```", PAGE, re.DOTALL)
    assert "sweep=chunk_size" in last  # minutes; test_configs composes it
    said = []
    for command in commands:
        _, name, *words = shlex.split(command)
        program = (TRAIN,) if name == "train.py" else MODULE
        said.append(
            run(*(words if name == "train.py" else words[1:]), cwd=tmp_path, program=program)
        )
    trained, planned, swept = said
    assert re.search(r"images   60 windows|test/acc", trained)
    assert len([*tmp_path.glob("runs/*/*/metrics.json")]) == 1
    told = re.findall(r"`(\w+)`", PAGE.split("builds nothing:")[1].split("each `why`")[0])
    for word in (*told, "why"):
        assert re.search(rf"^  {word} ", planned, re.MULTILINE), word
    assert "chunk_size=100" in planned
    (table,) = tmp_path.glob("multirun/*/*/sweep.csv")
    assert table.with_suffix(".png").exists()
    wanted = re.findall(r"^  \d +(\w+) ", PAGE, re.MULTILINE)
    assert pl.read_csv(table)["parallel.chunk_size"].cast(str).to_list() == wanted
    assert re.search(re.escape("job  parallel.chunk_size  build/seconds"), swept)


def test_what_is_mistyped_is_refused_with_the_words_of_the_page():
    typed, told = re.findall(r"^\$ python train.py (.*)\ndualgaf: (.*)$", PAGE, re.MULTILINE)[0]
    with pytest.raises(ConfigError, match=f"^{re.escape(told)}$"):
        load_config(typed.split())
