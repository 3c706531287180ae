import csv
import json
import logging

from omegaconf import OmegaConf

from dualgaf.sweep import SweepTable


def job(folder, number, overrides, metrics):
    hydra = folder / str(number) / ".hydra"
    hydra.mkdir(parents=True)
    OmegaConf.save(OmegaConf.create(overrides), hydra / "overrides.yaml")
    if metrics is not None:
        (folder / str(number) / "metrics.json").write_text(json.dumps(metrics))


def test_one_row_a_job_in_the_order_of_the_jobs(tmp_path, caplog):
    shared = ["trainer.max_epochs=1"]
    job(tmp_path, 10, [*shared, "model.width=16"], {"test/acc": 0.5, "build/bytes": 7})
    job(tmp_path, 2, [*shared, "model.width=8"], {"test/acc": 0.25, "build/bytes": 7})
    job(tmp_path, 3, [*shared, "model.width=24"], None)  # a job that failed
    config = OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path)}}})
    with caplog.at_level(logging.INFO):
        SweepTable().on_multirun_end(config)
    with (tmp_path / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["job"] for row in rows] == ["2", "3", "10"]
    assert [row["test/acc"] for row in rows] == ["0.25", "", "0.5"]
    assert rows[0]["trainer.max_epochs"] == "1"
    assert rows[0]["build/bytes"] == "7"
    table = caplog.messages[0].splitlines()
    assert table[0] == f"sweep of 3 jobs: {tmp_path / 'sweep.csv'}"
    assert table[1].split() == ["job", "model.width", "test/acc"]  # what all share is not printed
    assert table[2].split() == ["2", "8", "0.2500"]


def test_a_sweep_without_jobs_writes_nothing(tmp_path):
    SweepTable().on_multirun_end(OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path)}}}))
    assert list(tmp_path.iterdir()) == []
