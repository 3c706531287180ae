import csv
import json
import logging

import matplotlib.image
from hydra.types import RunMode
from omegaconf import OmegaConf

from dualgaf.training.sweep import SweepTable


def job(folder, number, overrides, metrics):
    hydra = folder / str(number) / ".hydra"
    hydra.mkdir(parents=True)
    OmegaConf.save(OmegaConf.create(overrides), hydra / "overrides.yaml")
    if metrics is not None:
        (folder / str(number) / "metrics.json").write_text(json.dumps(metrics))


def config(folder, mode="MULTIRUN"):
    return OmegaConf.create({"hydra": {"sweep": {"dir": str(folder)}, "mode": RunMode[mode]}})


def end(folder, caplog):
    with caplog.at_level(logging.INFO):
        SweepTable().on_multirun_end(config(folder))
    return caplog.messages


def test_one_row_a_job_in_the_order_of_the_jobs_and_the_best_is_marked(tmp_path, caplog):
    shared = ["trainer.max_epochs=1"]
    job(tmp_path, 10, [*shared, "model.width=16"], {"test/acc": 0.5, "build/bytes": 7})
    job(tmp_path, 2, [*shared, "model.width=8"], {"test/acc": 0.25, "build/bytes": 7})
    job(tmp_path, 3, [*shared, "model.width=24"], None)  # a job that failed
    messages = end(tmp_path, caplog)
    with (tmp_path / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["job"] for row in rows] == ["2", "3", "10"]
    assert [row["test/acc"] for row in rows] == ["0.25", "", "0.5"]
    assert rows[0]["trainer.max_epochs"] == "1"
    assert rows[0]["build/bytes"] == "7"
    table = messages[0].splitlines()
    assert table[0] == f"sweep of 3 jobs: {tmp_path / 'sweep.csv'}"
    assert table[1].split() == ["job", "model.width", "test/acc"]  # what all share is not printed
    assert table[2].split() == ["2", "8", "0.2500"]
    assert table[3].split() == ["3", "24"]
    assert table[4].split() == ["10", "16", "0.5000", "<-", "highest", "test/acc"]
    assert messages[1] == f"picture: {tmp_path / 'sweep.png'}"
    picture = matplotlib.image.imread(tmp_path / "sweep.png")
    assert picture.shape[0] > 200
    assert picture[..., :3].std() > 0.05


def test_the_fastest_build_is_marked_where_the_pool_is_swept(tmp_path, caplog):
    for number, seconds in enumerate((0.5, 0.25, 0.75)):
        built = {"build/seconds": seconds, "build/windows": 10, "build/cache": "off"}
        metrics = {**built, "val/acc": 1.0 - seconds, "build/backend": "thread"}
        job(tmp_path, number, [f"parallel.chunk_size={10 + number}"], metrics)
    table = end(tmp_path, caplog)[0].splitlines()
    assert [line.endswith("<- lowest build/seconds") for line in table[2:]] == [False, True, False]


def test_a_sweep_of_which_no_job_ended_has_a_table_and_no_picture(tmp_path, caplog):
    job(tmp_path, 0, ["seed=0"], None)
    job(tmp_path, 1, ["seed=1"], None)
    message, page = end(tmp_path, caplog)
    assert page == f"page: {tmp_path / 'index.html'}"
    assert "sweep of 2 jobs" in message
    assert "<-" not in message
    assert not (tmp_path / "sweep.png").exists()


def test_a_sweep_without_jobs_writes_nothing(tmp_path, caplog):
    assert end(tmp_path, caplog) == []
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_was_stopped_before_it_began_has_no_row(tmp_path):
    job(tmp_path, 0, ["seed=0"], {"test/acc": 0.5})
    (tmp_path / "1/.hydra").mkdir(parents=True)
    (tmp_path / "1/.hydra/config.yaml").write_text("seed: 1\n")
    SweepTable().on_multirun_end(config(tmp_path))
    with (tmp_path / "sweep.csv").open() as file:
        assert [row["job"] for row in csv.DictReader(file)] == ["0"]


def test_the_table_grows_with_each_job_and_is_there_when_a_later_one_fails(tmp_path):
    for number in range(2):
        job(tmp_path, number, [f"seed={number}"], {"test/acc": 0.5})
        SweepTable().on_job_end(config(tmp_path), None)
        with (tmp_path / "sweep.csv").open() as file:
            assert len(list(csv.DictReader(file))) == number + 1
    assert {path.name for path in tmp_path.iterdir()} == {"0", "1", "sweep.csv"}


def test_a_run_that_is_no_sweep_has_no_table(tmp_path):
    job(tmp_path, 0, ["seed=0"], {"test/acc": 0.5})
    SweepTable().on_job_end(config(tmp_path, "RUN"), None)
    assert not (tmp_path / "sweep.csv").exists()
