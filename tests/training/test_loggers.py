"""Loggers and their real back ends: files of CSV and TensorBoard, MLflow in SQLite, wandb offline.

One run with all of them is looked at by most tests; imports of MLflow alone take seconds.
"""

import csv
import json
import logging
import os
import shutil
import sqlite3
import struct
from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra import compose, initialize_config_dir
from lightning.pytorch.callbacks import ModelCheckpoint
from matplotlib.image import imread

import dualgaf
from dualgaf.errors import ConfigError, DependencyError
from dualgaf.training import loggers as module
from dualgaf.training.loggers import IDS, LoggersReady, closed_at_end, loggers_of
from dualgaf.training.options import trainer_options
from dualgaf.training.overrides import check_overrides
from dualgaf.training.run import train
from dualgaf.training.trainer import make_trainer

pytest.importorskip("mlflow", reason='logger=mlflow needs pip install "dualgaf[mlflow]"')
pytest.importorskip("wandb", reason='logger=wandb needs pip install "dualgaf[wandb]"')
pytest.importorskip("adbc_driver_sqlite", reason='data=sql needs pip install "dualgaf[sqlite]"')
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:mlflow", "ignore::DeprecationWarning:wandb"
)

CONF = Path(__file__).resolve().parents[2] / "conf"
SECRET = "s3cretword"
CLASSES = ("valve <10 %", "valve >10 %")
SMALL = (
    *("model.use_minirocket=false", "model.use_forest=false", "model.use_statistics=false"),
    *("model.width=8", "datamodule.image_size=4", "datamodule.batch_size=4", "refit=false"),
    *("trainer.accelerator=cpu", "trainer.max_epochs=2"),
)
LONG = ", ".join(["sat AS supply", "flow AS volume_flow_of_the_supply_air", "fault"] * 8)
OF_PLANT = (
    *("data=sql", "data.uri=${oc.env:PLANT_URI}", "data.label_column=fault"),
    f'data.query="SELECT time, sat, flow, fault FROM plant -- {LONG}"',
    "data.window_size=12",
)
SIMULATED = (
    "data=simulated",
    "data.n_windows=32",
    "data.window_size=12",
    "calibration.enabled=false",
)
PICTURES = ("confusion", "curves", "reliability")
TABLES = ("metrics.json", "outside.csv", "report.csv", "test_predictions.csv", "unlike.csv")


def configured(folder, *typed):
    typed = (*SMALL, *typed)
    check_overrides(typed)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=[*typed, f"paths.run_dir={folder}"])


def plant(path):
    rows = [
        (
            f"2024-01-{1 + i // 24:02d} {i % 24:02d}:00:00",
            0.1 * (i * 7 % 11),
            float(i * 3 % 5),
            CLASSES[i // 24 % 2],
        )
        for i in range(240)
    ]
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE plant (time TEXT, sat REAL, flow REAL, fault TEXT)")
        database.executemany("INSERT INTO plant VALUES (?, ?, ?, ?)", rows)
    database.close()


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """The folder of a run with every logger, MLflow the first."""
    folder = tmp_path_factory.mktemp("logged")
    (folder / SECRET).mkdir()
    plant(folder / SECRET / "plant.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WANDB_MODE", raising=False)
        patch.setenv("PLANT_URI", f"sqlite:///{folder}/{SECRET}/plant.db")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/kept/mlflow.db")
        dualgaf.MLFlowLogger(os.environ["MLFLOW_TRACKING_URI"])  # makes the tables
        shutil.copy(folder / "kept/mlflow.db", folder / "empty.db")
        train(configured(folder / "day/run", *OF_PLANT, "logger=[mlflow,csv,tensorboard,wandb]"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def client_of(folder):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{folder}/kept/mlflow.db")


def mlflow_run(folder):
    client = client_of(folder)
    (experiment,) = client.search_experiments(filter_string="name = 'dualgaf'")
    (found,) = client.search_runs([experiment.experiment_id])
    return client, found


def records(path):
    """What a file of wandb holds: records in the log format of LevelDB, after 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, place, parts = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if (left := 32768 - place % 32768) < 7:
            place += left
            continue
        length, kind = struct.unpack_from("<HB", content, place + 4)
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = Record()
            record.ParseFromString(parts)
            yield record
            parts = b""


def wandb_of(folder):
    """Configuration, lines and summary of the one run of wandb in a folder."""
    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    config, lines, summary = {}, [], {}

    def taken(items):
        names = ["/".join(i.nested_key) if i.nested_key else i.key for i in items]
        return dict(zip(names, (json.loads(i.value_json) for i in items), strict=True))

    for record in records(path):
        config |= taken([*record.run.config.update, *record.config.update])
        summary |= taken(record.summary.update)
        if record.history.item:
            lines.append(taken(record.history.item))
    return config, lines, summary, path


def curve(folder, key):
    """Steps and values of the training, of the CSV logger."""
    with (folder / "day/run/csv/metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get(key)]
    return [(int(row["step"]), float(row[key])) for row in rows]


def metrics_of(folder):
    return json.loads((folder / "day/run/metrics.json").read_text())


def test_mlflow_has_the_curves_the_last_figures_and_the_files(logged):
    client, run = mlflow_run(logged)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "day/run"
    history = client.get_metric_history(run.info.run_id, "train/loss_step")
    expected = curve(logged, "train/loss_step")
    assert [(m.step, m.value) for m in history] == [
        (step, pytest.approx(value)) for step, value in expected
    ]
    assert len(expected) > 4
    metrics = metrics_of(logged)
    for key in ("val/acc", "test/acc", "fit/epochs", "model/parameters"):
        assert run.data.metrics[key] == pytest.approx(metrics[key])
    found = {each.path for each in client.list_artifacts(run.info.run_id)}
    assert found == {
        *TABLES,
        *(f"{name}.png" for name in PICTURES),
        "options.yaml",
        "report.html",
    }
    folder = logged / "kept/mlruns/dualgaf" / run.info.run_id / "artifacts"
    own = logged / "day/run/confusion.png"
    assert (folder / "confusion.png").read_bytes() == own.read_bytes()


def test_mlflow_has_every_option_and_the_whole_of_a_long_one(logged):
    _, run = mlflow_run(logged)
    params = run.data.params
    assert (params["seed"], params["model.width"]) == ("0", "8")
    assert len(params["data.query"]) == 250
    assert params["data.query"].endswith("... (all of it: options.yaml)")
    folder = logged / "kept/mlruns/dualgaf" / run.info.run_id
    options = yaml.safe_load((folder / "artifacts/options.yaml").read_text())
    assert options["data.query"] == f"SELECT time, sat, flow, fault FROM plant -- {LONG}"
    assert len(options["data.query"]) > 250
    assert {*options} == {*params}


def test_classes_are_numbered_so_that_no_two_are_one_metric(logged):
    _, run = mlflow_run(logged)
    with (logged / "day/run/report.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    for number, name in enumerate(CLASSES):
        assert run.data.tags[f"class_{number}"] == name == rows[number]["class"]
        for score in ("precision", "recall", "f1"):
            key = f"test/{score}_class_{number}"
            assert run.data.metrics[key] == float(rows[number][score])


def test_wandb_has_the_same_and_has_sent_nothing(logged):
    config, lines, summary, path = wandb_of(logged / "day/run")
    assert (config["seed"], config["model.width"]) == (0, 8)
    assert config["class_0"] == CLASSES[0]
    assert "${" not in json.dumps({k: v for k, v in config.items() if k != "_wandb"})
    steps = [
        (line["trainer/global_step"], line["train/loss_step"])
        for line in lines
        if "train/loss_step" in line
    ]
    expected = curve(logged, "train/loss_step")
    assert steps == [(step, pytest.approx(value)) for step, value in expected]
    metrics = metrics_of(logged)
    for key in ("val/acc", "test/acc", "fit/epochs"):
        assert summary[key] == pytest.approx(metrics[key])
    files = {each.name for each in (path.parent / "files").iterdir()}
    assert {*TABLES} <= files
    images = {each.name.split("_")[0] for each in path.parent.glob("files/media/images/*.png")}
    assert images == {*PICTURES}
    assert not any(each.is_symlink() for each in path.parent.glob("files/**/*"))
    import wandb

    assert wandb.run is None  # the next job of a sweep begins one of its own


def test_tensorboard_has_the_curves_the_options_and_the_pictures(logged):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    found = EventAccumulator(str(logged / "day/run/tensorboard"), {"images": 0}).Reload()
    assert sorted(found.Tags()["images"]) == [*PICTURES]
    (image,) = found.Images("curves")
    height, width = imread(logged / "day/run/curves.png").shape[:2]
    assert (image.height, image.width) == (height, width)
    losses = [(event.step, event.value) for event in found.Scalars("train/loss_step")]
    expected = curve(logged, "train/loss_step")
    assert losses == [(step, pytest.approx(value)) for step, value in expected]
    begun = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    options = HParamsPluginData.FromString(begun).session_start_info.hparams
    assert options["model.width"].number_value == 8
    kept = yaml.safe_load((logged / "day/run/tensorboard/hparams.yaml").read_text())
    assert kept["model.width"] == 8


def test_no_back_end_holds_what_is_looked_up(logged):
    looked_at = [path for path in logged.rglob("*") if path.is_file() and path.suffix != ".db"]
    looked_at.append(logged / "kept/mlflow.db")
    assert len(looked_at) > 30
    for path in looked_at:
        assert SECRET.encode() not in path.read_bytes(), path


def test_checkpoints_are_in_the_folder_of_the_run_whichever_logger_is_the_first(logged):
    assert (logged / "day/run/checkpoints/best.ckpt").is_file()
    assert not [*logged.glob("kept/mlruns/**/*.ckpt")]
    own = ("+callbacks.mine._target_=lightning.pytorch.callbacks.ModelCheckpoint",)
    cfg = configured(logged / "elsewhere", *SIMULATED[:3], *own, "logger=mlflow")
    data = dualgaf.DualGAFDataModule(dualgaf.SimulatedSource(n_windows=32, window_size=12))
    data.setup("fit")
    found = trainer_options(cfg, data)["callbacks"]
    data.close()
    folders = [each.dirpath for each in found if isinstance(each, ModelCheckpoint)]
    checkpoints = logged / "elsewhere/checkpoints"
    assert folders == [str(checkpoints), str(checkpoints / "mine")]


@pytest.fixture
def kept(logged, tmp_path, monkeypatch):
    """A folder with a database of MLflow, whose tables take seconds to make."""
    (tmp_path / "kept").mkdir()
    shutil.copy(logged / "empty.db", tmp_path / "kept/mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/kept/mlflow.db")
    monkeypatch.setattr("dualgaf.training.report.write_report", lambda *given: [])
    return tmp_path


def test_a_run_that_goes_on_is_the_same_run_of_its_back_ends(kept):
    typed = (*SIMULATED, "logger=mlflow")
    train(configured(kept / "run", *typed))
    first = json.loads((kept / "run" / IDS).read_text())
    train(configured(kept / "run", *typed, "resume=run", "trainer.max_epochs=3"))
    assert json.loads((kept / "run" / IDS).read_text()) == first
    client, run = mlflow_run(kept)
    assert first == {"mlflow": run.info.run_id}
    assert run.info.status == "FINISHED"
    steps = [m.step for m in client.get_metric_history(run.info.run_id, "train/loss_step")]
    assert steps == [*range(len(steps))]
    assert run.data.metrics["fit/epochs"] == 3
    assert run.data.params["trainer.max_epochs"] == "2"  # MLflow changes none
    folder = kept / "kept/mlruns/dualgaf" / run.info.run_id / "artifacts"
    assert yaml.safe_load((folder / "options.yaml").read_text())["trainer.max_epochs"] == 3


def test_a_test_of_a_checkpoint_is_a_run_with_its_options(kept, caplog):
    train(configured(kept / "run", *SIMULATED, "logger=csv"))
    checkpoint = kept / "run/checkpoints/best.ckpt"
    train(
        configured(
            kept / "again", *SIMULATED, "logger=mlflow", "task=test", f"ckpt_path={checkpoint}"
        )
    )
    _, run = mlflow_run(kept)
    metrics = json.loads((kept / "again/metrics.json").read_text())
    assert run.data.metrics["test/acc"] == pytest.approx(metrics["test/acc"])
    assert run.data.params["task"] == "test"


def test_one_batch_of_each_is_no_run_of_a_back_end(kept):
    train(configured(kept / "run", *SIMULATED, "logger=mlflow", "trainer.fast_dev_run=true"))
    client = client_of(kept)
    assert not client.search_runs([e.experiment_id for e in client.search_experiments()])


def break_down(*given, **named):
    raise OSError(28, "No space left on device: http://me:s3cret@host/")


@pytest.mark.parametrize("name", ["log_batch", "log_artifact"])
def test_a_back_end_that_fails_ends_no_run_and_is_said_once(name, kept, monkeypatch, caplog):
    from mlflow import MlflowClient

    monkeypatch.setattr(MlflowClient, name, break_down)
    with caplog.at_level(logging.WARNING):
        train(configured(kept / "run", *SIMULATED, "logger=[mlflow,csv]"))
    (told,) = [r.getMessage() for r in caplog.records if "logger=mlflow has failed" in r.message]
    assert "the run goes on, its own files have all of it: [Errno 28] No space left" in told
    assert "s3cret" not in told
    assert (kept / "run/metrics.json").is_file()
    assert (kept / "run/checkpoints/best.ckpt").is_file()
    assert (kept / "run/csv/metrics.csv").is_file()


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (
            "logger.mlflow.tracking_uri=file:mlruns",
            "logger.mlflow.tracking_uri='file:mlruns' is not allowed; allowed: sqlite:///FILE, "
            "http://HOST:PORT of a server, postgresql://... and other databases; type "
            "logger.mlflow.tracking_uri=sqlite:///mlflow.db",
        ),
        ("logger.mlflow.tracking_uri=runs/plant.db", "tracking_uri=sqlite:///runs/plant.db"),
        ("logger.mlflow.tracking_uri=nodb://here", "logger=mlflow cannot be used: "),
        ("logger.mlflow.experiment_name=gone", "type logger.mlflow.experiment_name=gone-2, or"),
        ("logger.wandb.mode=ofline", "allowed: offline, online, disabled; type logger.wandb.mode="),
        ("logger.wandb.log_model=true", "type logger.wandb.mode=online, or logger.wandb.log_m"),
    ],
)
def test_a_back_end_that_cannot_be_used_is_refused_before_the_training(
    typed, says, kept, monkeypatch
):
    if "gone" in typed:
        logger = dualgaf.MLFlowLogger(os.environ["MLFLOW_TRACKING_URI"], "gone")
        logger.check()
        client_of(kept).delete_experiment(logger.experiment_id)
    which = typed.split(".")[1]
    cfg = configured(kept / "run", *SIMULATED, f"logger={which}", typed)
    with pytest.raises(ConfigError) as caught:
        loggers_of(cfg, None)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (kept / "run").exists()
    advice = str(caught.value).partition("; type ")[2].split(", or ")[0]
    shutil.copy(kept / "kept/mlflow.db", kept / "mlflow.db")
    monkeypatch.chdir(kept)
    (kept / "runs").mkdir()
    shutil.copy(kept / "kept/mlflow.db", kept / "runs/plant.db")
    (logger,) = loggers_of(configured("run", *SIMULATED, f"logger={which}", typed, advice), None)
    assert not logger.has_begun


def test_a_run_of_a_back_end_that_cannot_be_used_ends_in_one_line(kept):
    with pytest.raises(SystemExit, match=r"^dualgaf: logger\.wandb\.mode='ofline' is not known; "):
        train(configured(kept, *SIMULATED, "logger=wandb", "logger.wandb.mode=ofline"))
    assert not (kept / "checkpoints").exists()


def test_a_package_that_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setattr("dualgaf.training.run_logger.find_spec", lambda name: None)
    for made, name in ((dualgaf.MLFlowLogger, "mlflow"), (dualgaf.WandbLogger, "wandb")):
        with pytest.raises(DependencyError) as caught:
            made()
        assert str(caught.value) == (
            f"logger={name} needs {name}, which is not installed; type pip install "
            f'"dualgaf[{name}]"'
        )


@pytest.mark.parametrize(
    "typed",
    [
        "logger.mlflow.tracking_uri=postgresql://me:s3cretword@host/runs",
        "logger.mlflow.tracking_uri=http://me:s3cretword@host:5000",
    ],
)
def test_a_password_is_not_taken_from_the_command_line(typed):
    with pytest.raises(ConfigError) as caught:
        check_overrides(["logger=mlflow", typed])
    assert "export MLFLOW_TRACKING_URI), where logger=mlflow looks for it" in str(caught.value)
    assert SECRET not in str(caught.value)
    check_overrides(["logger=mlflow", "logger.mlflow.tracking_uri=http://host:5000"])


def test_names_that_mlflow_does_not_take_stay_apart(kept):
    logger = dualgaf.MLFlowLogger(os.environ["MLFLOW_TRACKING_URI"])
    logger.check()
    logger.begin()
    logger.log_metrics({"valve <10 %": 1.0, "valve >10 %": 2.0, "valve _10 _": np.float32(3)}, 4)
    logger.save()
    found = client_of(kept).get_run(logger.run_id).data.metrics
    assert found == {"valve _10 _": 1.0, "valve _10 __2": 2.0, "valve _10 __3": 3.0}
    logger.close("failed")
    assert client_of(kept).get_run(logger.run_id).info.status == "FAILED"


def test_a_stopped_run_is_said_to_be_one():
    class Told(module.RunLogger):
        option, id_option, has_begun = "told", "id", True
        name = version = property(lambda self: "x")
        check = begin = keep = log_metrics = log_hyperparams = None

        def close(self, status):
            said.append(status)

    said = []
    with closed_at_end([Told()]):
        pass
    for error in (ValueError(), KeyboardInterrupt(), module.Stopped(15)):
        with pytest.raises(type(error)), closed_at_end([Told()]):
            raise error
    assert said == ["success", "failed", "KILLED", "KILLED"]


def test_other_ranks_log_nothing(kept, monkeypatch):
    monkeypatch.setattr(module, "is_first", lambda: False)
    cfg = configured(kept / "run", *SIMULATED, "logger=[mlflow,wandb]")
    found = loggers_of(cfg, None)
    assert [type(each).__name__ for each in found] == ["SilentLogger", "SilentLogger"]
    assert make_trainer(cfg, logger=found, max_epochs=1).loggers == found
    assert not (kept / "run").exists()


def test_what_the_jobs_of_a_sweep_share_is_there_before_the_first(kept):
    cfg = configured(kept / "run", *SIMULATED, "logger=[csv,mlflow,wandb]")
    LoggersReady().on_multirun_start(cfg)
    names = [each.name for each in client_of(kept).search_experiments()]
    assert sorted(names) == ["Default", "dualgaf"]
    assert not (kept / "run").exists()
    wrong = configured(kept / "run", *SIMULATED, "logger=wandb", "logger.wandb.mode=on")
    with pytest.raises(SystemExit, match=r"dualgaf: logger\.wandb\.mode='on' is not known"):
        LoggersReady().on_multirun_start(wrong)
