import csv
import errno
import json
import logging

import lightning as L
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_fscore_support

from dualgaf import ArraySource, DualGAFClassifier, DualGAFDataModule, DualGAFNet
from dualgaf.training.report import (
    EpochCurves,
    Outcome,
    ProbabilityKeeper,
    write_class_report,
    write_outcome,
    write_report,
)


def data(n=9):
    x = np.random.default_rng(0).normal(size=(n, 2, 12))
    y = np.array(["a", "b", "c"] * 3)[:n]
    source = ArraySource(train=(x, y), val=(x, y), test=(x[::-1], y[::-1]), overlap="allow")
    return DualGAFDataModule(source, batch_size=4)


def table(path):
    with path.open() as file:
        return list(csv.reader(file))


def test_the_report_of_the_classes_is_that_of_sklearn(tmp_path):
    generator = torch.Generator().manual_seed(0)
    label = torch.randint(0, 4, (50,), generator=generator)
    predicted = torch.where(label == 3, 1, torch.randint(0, 4, (50,), generator=generator))
    predicted[predicted == 2] = 0  # a class that is never predicted
    names = ["a", "b", "c", "d", "e"]  # e does not occur
    write_class_report(tmp_path / "report.csv", label, predicted, names)
    head, *lines, macro = table(tmp_path / "report.csv")
    assert head == ["class", "precision", "recall", "f1", "support"]
    scores = precision_recall_fscore_support(label, predicted, labels=range(5), zero_division=0)
    by_class = zip(names, *scores[:3], strict=True)
    wanted = [[name, *(f"{score:.4f}" for score in found)] for name, *found in by_class]
    assert [line[:4] for line in lines] == wanted
    assert [int(line[4]) for line in lines] == scores[3].tolist()
    # the mean leaves out what neither occurs nor was predicted
    assert macro == ["macro", *(f"{np.mean(s[:4]):.4f}" for s in scores[:3]), "50"]


def test_the_callbacks_keep_what_a_run_passes_by(tmp_path):
    model, dm = DualGAFClassifier(DualGAFNet(2, 3, width=8), learning_rate=0.5), data()
    curves, kept = EpochCurves(), ProbabilityKeeper()
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=3,
        callbacks=[curves, kept],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
    )
    assert kept.probabilities is None
    trainer.fit(model, datamodule=dm)
    assert [epoch["epoch"] for epoch in curves.epochs] == [1, 2, 3]
    last = curves.epochs[-1]
    logged = {key: float(value) for key, value in trainer.callback_metrics.items()}
    for key in ("train/loss", "train/acc", "val/loss", "val/acc"):
        assert last[key] == logged[key]
    assert last["train/loss"] == logged["train/loss_epoch"]
    assert last["learning_rate"] == pytest.approx(0.5 * 0.01)  # where the cosine ends
    for _ in range(2):  # the second test takes the place of the first
        (scores,) = trainer.test(model, datamodule=dm, verbose=False)
        assert kept.probabilities.shape == (9, 3)
    label = dm.windows.labels[dm.windows.indices["test"]]
    assert np.mean(kept.probabilities.argmax(axis=1) == label) == pytest.approx(scores["test/acc"])
    written = write_report(tmp_path, dm, Outcome({}, kept.probabilities, curves.epochs))
    assert sorted(written) == sorted(path.name for path in tmp_path.iterdir())
    assert table(tmp_path / "report.csv")[-1][3] == f"{scores['test/f1_macro']:.4f}"


def test_a_test_that_was_cut_short_is_reported_as_far_as_it_went(tmp_path):
    written = write_report(tmp_path, data(), Outcome({}, np.eye(3)[[0, 1, 0, 2]]))
    assert "curves.png" not in written
    assert len(table(tmp_path / "test_predictions.csv")) == 1 + 4
    assert table(tmp_path / "report.csv")[-1][-1] == "4"


def test_a_full_disk_costs_the_pictures_and_not_the_figures(tmp_path, monkeypatch, caplog):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    outcome = Outcome({"test/acc": 0.5}, None, [{"epoch": 1, "learning_rate": 0.1}])
    with caplog.at_level(logging.INFO):
        write_outcome(tmp_path / "run", data(), outcome)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == {"test/acc": 0.5}
    assert "the report could not be written" in caplog.text
    assert "No space left on device" in caplog.text
