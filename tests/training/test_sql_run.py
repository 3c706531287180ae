"""Runs on a database: what they write and say holds nothing of what is secret."""

import json
import re
import sqlite3
from pathlib import Path

import polars as pl
import pytest

from dualgaf.cli import main
from dualgaf.training.config import load_config, make_data
from postgres_server import PASSWORD, USER, WRITTEN, running
from preloaded import MODULE, run

pytest.importorskip("adbc_driver_sqlite")

SECRETS = (PASSWORD, WRITTEN, USER, "s3cret")
FROM_ENVIRONMENT = "data.uri=${oc.env:PLANT_URI}"
SMALL = (
    *("data=sql", FROM_ENVIRONMENT, 'data.query="SELECT * FROM plant"', "data.window_size=12"),
    *(
        "datamodule.image_size=4",
        "model.use_minirocket=false",
        "model.use_forest=false",
        "model.width=8",
        "refit=false",
    ),
    *("trainer.max_epochs=1", "trainer.accelerator=cpu"),
)
PLANT = """
CREATE TABLE plant AS SELECT TIMESTAMP '2024-01-01' + i * INTERVAL '1 hour' AS time,
    (0.1 * ((i * 7) % 11))::numeric AS sat, (i * 3) % 5 AS flow,
    CASE WHEN (i / 24) % 2 = 0 THEN 'a' ELSE 'b' END AS fault
FROM generate_series(0, 191) AS s(i)
"""


@pytest.fixture(scope="module")
def server():
    with running() as found:
        found.execute(PLANT)
        yield found


def holds_no_secret(folder, *texts):
    """Every byte that was written, with names of files, and all that was said."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        content = path.read_bytes()
        for secret in SECRETS:
            assert secret.encode() not in content, path
            assert secret not in str(path.relative_to(folder))
    for text in texts:
        for secret in SECRETS:
            assert secret not in text, text
    return len(files)


def test_a_run_its_sweep_its_resume_and_its_predictions_hold_no_password(
    server, tmp_path, monkeypatch
):
    monkeypatch.setenv("PLANT_URI", server.uri)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    said = [run(*SMALL, "hydra.run.dir=run", "cache.dir=kept", cwd=tmp_path)]
    assert json.loads((tmp_path / "run/metrics.json").read_text())["build/windows"] == 16
    stored = (tmp_path / "run/.hydra/config.yaml").read_text()
    assert "uri: ${oc.env:PLANT_URI}" in stored
    assert FROM_ENVIRONMENT in (tmp_path / "run/.hydra/overrides.yaml").read_text()
    said.append(run("resume=run", cwd=tmp_path))
    assert "is done" in said[-1]
    said.append(run("resume=run", "trainer.max_epochs=2", cwd=tmp_path))
    sweep = ("-m", *SMALL, "hydra.sweep.dir=sweep")
    said.append(run(*sweep, "seed=0,1", cwd=tmp_path))
    assert "PLANT_URI" in (tmp_path / "sweep/sweep.csv").read_text()
    said.append(run(*sweep, "seed=0,2", cwd=tmp_path, status=2))
    assert "holds another sweep" in said[-1]
    checkpoint = "run/checkpoints/best.ckpt"
    said.append(run(*SMALL, "task=test", f"ckpt_path={checkpoint}", cwd=tmp_path))
    new = ("--data", "${oc.env:PLANT_URI}", 'data.query="SELECT time, flow, sat FROM plant"')
    said.append(run("predict", checkpoint, *new, program=MODULE, cwd=tmp_path))
    assert "16 windows" in said[-1]
    said.append(run("inspect", *SMALL[:4], program=MODULE, cwd=tmp_path))
    assert "windows  16 of 12 steps" in said[-1]
    for wrong in ('data.query="SELECT * FROM nope"', 'data.query="SELECT sat FROM plant"'):
        words = [word for word in SMALL if not word.startswith("data.query")]
        said.append(run(*words, wrong, "hydra.run.dir=fails", cwd=tmp_path, status=2))
        assert "dualgaf: " in said[-1]
    monkeypatch.setenv("PLANT_URI", server.uri.replace(f":{server.port}", ":1"))
    said.append(run(*SMALL, "hydra.run.dir=off", cwd=tmp_path, status=2))
    assert "postgresql://127.0.0.1:1/postgres cannot be reached: " in said[-1]
    assert holds_no_secret(tmp_path, *said) > 60


def test_a_password_on_the_command_line_is_refused_before_anything_is_written(tmp_path):
    uri = f"postgresql://{USER}:{WRITTEN}@127.0.0.1:1/plant"
    query = 'data.query="SELECT 1"'
    train = run("data=sql", f"data.uri={uri}", query, cwd=tmp_path, status=2)
    inspect = run(
        "inspect", "data=sql", f"data.uri={uri}", query, program=MODULE, cwd=tmp_path, status=2
    )
    for said in (train, inspect):
        assert "type 'data.uri=${oc.env:PLANT_URI}'" in said
    words = ("predict", "x.ckpt", "--data", uri, query)
    predict = run(*words, program=MODULE, cwd=tmp_path, status=2)
    assert "type --data '${oc.env:PLANT_URI}'" in predict
    (tmp_path / "own").mkdir()
    (tmp_path / "own/data").mkdir()
    (tmp_path / "own/data/site.yaml").write_text(
        f"_target_: dualgaf.SQLSource\nuri: {uri}\nquery: SELECT 1\nwindow_size: 12\n"
    )
    told = run("--config-dir", "own", "data=site", cwd=tmp_path, status=None)
    assert "is not taken from the command line or a file of options" in told
    (tmp_path / "own/data/site.yaml").unlink()
    holds_no_secret(tmp_path, train, inspect, predict, told)
    assert not list(tmp_path.rglob("*.yaml"))


def test_a_password_that_is_looked_up_is_not_printed(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANT_URI", f"postgresql://{USER}:{WRITTEN}@127.0.0.1:1/plant")
    refused = run(*SMALL, "--cfg", "job", "--resolve", cwd=tmp_path, status=2)
    assert "--resolve shows what is looked up" in refused
    shown = run(*SMALL, "--cfg", "job", cwd=tmp_path)
    assert "uri: ${oc.env:PLANT_URI}" in shown
    holds_no_secret(tmp_path, refused, shown)


def test_a_variable_that_is_not_there_is_said(monkeypatch, capsys):
    monkeypatch.delenv("PLANT_URI", raising=False)
    for words in (["inspect", *SMALL[:4]], ["predict", "x.ckpt", "--data", "${oc.env:PLANT_URI}"]):
        assert main(words) == 2
        assert "has no PLANT_URI, which is looked up; type export PLANT_URI=" in (
            capsys.readouterr().err
        )


def test_what_is_typed_for_predict_is_typed(tmp_path, capsys, monkeypatch):
    from trained import plant_table, trained_on_plant

    monkeypatch.chdir(tmp_path)
    trained_on_plant(tmp_path)
    words = ["predict", "best.ckpt", "--output", "out"]
    (tmp_path / "new.csv").write_text(plant_table(2, columns=("time", "temp", "flow")))
    assert main([*words, "--data", "new.csv"]) == 0
    files = pl.read_csv("out/predictions.csv")
    with sqlite3.connect("new.db") as connection:
        connection.execute("CREATE TABLE week (time, temp, flow)")
        rows = pl.read_csv("new.csv").rows()
        connection.executemany("INSERT INTO week VALUES (?, ?, ?)", rows)
    connection.close()
    words[-1] = "out2"
    assert main([*words, "--data", "sqlite:///new.db"]) == 2
    (advice,) = re.findall(r"type '(data\.query=.+)'$", capsys.readouterr().err.strip())
    typed = advice.replace("TABLE", "week")
    assert main([*words, "--data", "sqlite:///new.db", typed]) == 0
    query = pl.read_csv("out2/predictions.csv")
    assert query.drop("source", "group").equals(files.drop("source", "group"))
    assert set(query["source"]) == {"query"}
    words[-1] = "out3"
    assert main([*words, "--data", "sqlite:///nowhere.db", typed]) == 2
    assert "type --data sqlite:///FILE" in capsys.readouterr().err
    record = json.loads(Path("out2/.prediction.json").read_text())
    assert record["data"] == "sqlite:///new.db"
    assert Path(json.loads(Path("out/.prediction.json").read_text())["data"]).is_absolute()


def test_a_missing_uri_and_a_query_are_asked_for():
    for typed, key in (
        (["data=sql"], "data.uri"),
        (["data=sql", "data.uri=sqlite:///a"], "data.query"),
    ):
        with pytest.raises(Exception, match=rf"{key} is missing; type {key}="):
            make_data(load_config(typed))
