"""One line of progress for a whole training."""

import re
from contextlib import closing

import lightning as L
import pytest
import torch

from dualgaf import DualGAFClassifier, DualGAFDataModule, DualGAFNet, SimulatedSource
from dualgaf.training import progress_bar
from dualgaf.training.config import load_config, make_data
from dualgaf.training.options import trainer_options
from dualgaf.training.progress_bar import TrainingBar


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(progress_bar, "SHORT_S", 0)


@pytest.fixture
def trained(tmp_path, capsys):
    """Fits a tiny network and returns the last state of each line that stays."""

    def fitted(title="first training", ckpt_path=None, epochs=3, **options):
        torch.manual_seed(0)
        source = SimulatedSource(n_windows=40, window_size=12)
        dm = DualGAFDataModule(source, batch_size=8, image_size=4)
        with closing(dm):
            dm.setup("fit")
            net = DualGAFNet(
                dm.n_channels, dm.num_classes, width=8, use_minirocket=False, use_forest=False
            )
            trainer = L.Trainer(
                max_epochs=epochs, accelerator="cpu", logger=False, enable_model_summary=False,
                enable_checkpointing=False, callbacks=[TrainingBar(title)], **options,
            )  # fmt: skip
            model = DualGAFClassifier(net)
            trainer.fit(model, datamodule=dm, ckpt_path=ckpt_path, weights_only=True)
            trainer.save_checkpoint(tmp_path / "kept.ckpt")
            trainer.test(model, datamodule=dm, verbose=False)
        shown = capsys.readouterr().err
        lines = [line.split("\r")[-1] for line in shown.split("\n")]
        return [line for line in lines if "%|" in line]

    return fitted


def steps(line):
    return re.search(r"(\d+)/(\d+) \[", line).groups()


def test_a_training_has_one_line_and_a_test_another(trained):
    training, test = trained()
    assert training.startswith("first training: 100%|")
    assert steps(training)[0] == steps(training)[1] == "6"
    assert re.search(r"steps/s, val/acc 0\.\d{3}\]$", training)
    assert test.startswith("test: 100%|")
    assert "batches/s" in test


def test_one_that_goes_on_begins_where_it_was(trained, tmp_path, monkeypatch):
    trained()
    began = []
    begin = TrainingBar._begin
    monkeypatch.setattr(
        TrainingBar, "_begin", lambda bar, *given: (began.append(given), begin(bar, *given))
    )
    trained("second training", ckpt_path=tmp_path / "kept.ckpt", epochs=5)
    assert began[0] == ("second training", 10, 6)


def test_a_training_without_an_end_has_no_hundred_percent(trained):
    lines = trained(epochs=-1, max_steps=4)
    assert [line.split(":")[0] for line in lines] == ["test"]


def test_one_that_fails_leaves_no_line_open(trained, monkeypatch):
    def fail(*given):
        raise ValueError("here")

    monkeypatch.setattr(DualGAFClassifier, "training_step", fail)
    made = []
    monkeypatch.setattr(progress_bar, "tqdm", lambda **given: made.append(Bar()) or made[-1])
    with pytest.raises(ValueError, match="here"):
        trained()
    assert [bar.is_closed for bar in made] == [True]


class Bar:
    is_closed = False

    def close(self):
        self.is_closed = True


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_run_has_it_in_a_terminal_alone(is_terminal, monkeypatch, tmp_path):
    words = [
        "data=simulated",
        "data.n_windows=20",
        "data.window_size=12",
        f"paths.run_dir={tmp_path}",
    ]
    cfg = load_config(words)
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)
    with closing(make_data(cfg)) as data:
        options = trainer_options(cfg, data)
        assert any(isinstance(c, TrainingBar) for c in options["callbacks"]) == is_terminal
        assert options["enable_progress_bar"] == is_terminal
        cfg.trainer.enable_progress_bar = False
        assert not trainer_options(cfg, data)["enable_progress_bar"]
