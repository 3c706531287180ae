"""docs/loggers.md: its commands are typed, in a folder of their own."""

import re
import shlex
import sqlite3
from pathlib import Path

import pytest

from dualgaf.training.overrides import check_overrides
from preloaded import run

pytest.importorskip("mlflow", reason='logger=mlflow needs pip install "dualgaf[mlflow]"')
pytest.importorskip("wandb", reason='logger=wandb needs pip install "dualgaf[wandb]"')

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/loggers.md").read_text()
COMMANDS = [
    shlex.split(line)[2:]
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
QUICK = (
    *("model.use_minirocket=false", "model.use_forest=false", "model.use_statistics=false"),
    *("model.width=8", "datamodule.image_size=4", "trainer.accelerator=cpu"),
    "data.window_size=12",
)


def test_every_command_can_be_typed_and_every_logger_is_on_the_page():
    assert len(COMMANDS) == 3
    for words in COMMANDS:
        check_overrides(words)
    told = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert told == {path.stem for path in (ROOT / "conf/logger").glob("*.yaml")}
    check_overrides(["logger=wandb", "+logger.wandb.settings.disable_git=true"])


@pytest.mark.slow
def test_the_commands_log_where_the_page_says(tmp_path):
    several, database, _ = COMMANDS
    three = (*several[:-1], "logger=[csv,mlflow,wandb]")
    said = run(*three, *QUICK, "hydra.run.dir=runs/1", cwd=tmp_path)
    (sync,) = re.findall(r"type (wandb sync \S+)", said)
    assert Path(sync.split()[-1]).parent == tmp_path / "runs/1/wandb"
    assert (tmp_path / "runs/1/csv/metrics.csv").is_file()
    assert (tmp_path / "mlflow.db").is_file()
    assert [*tmp_path.glob("mlruns/dualgaf/*/artifacts/confusion.png")]
    run(*database, *QUICK, "hydra.run.dir=runs/2", cwd=tmp_path)
    with sqlite3.connect(tmp_path / "plant.db") as rows:
        named = rows.execute(
            "SELECT r.name, e.name FROM runs r JOIN experiments e USING (experiment_id)"
        )
        assert named.fetchall() == [("first", "valves")]
    rows.close()
    assert [*tmp_path.glob("mlruns/valves/*/artifacts/options.yaml")]
