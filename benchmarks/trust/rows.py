"""The rows of docs/trust.md: networks that judge their test windows, and classes that are new."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import instantiate
from omegaconf import OmegaConf
from sklearn.metrics import roc_auc_score

import dualgaf
from benchmarks.accuracy.sets import read_source
from benchmarks.trust.shown import CHOSEN_ON, COVERAGES, MOST_CLASSES, TYPED
from dualgaf.data.windowed import read_windows
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.series.source import Source
from dualgaf.training.config import load_config
from dualgaf.training.run import train

MORE: list[str] = []
"""Options of every training; rows with any are for a trial."""


def judged_row(name: str, work: Path) -> dict[str, Any]:
    """Train on a set, and judge its test windows."""
    run = work / name
    metrics = trained(name, run)
    checkpoint = run / "checkpoints" / "best.ckpt"
    imaging = Checkpoint(checkpoint).needed_imaging
    calibration = imaging.calibration
    row = {key: metrics.get(f"test/{key}") for key in ("acc", "ece_before", "ece")}
    row |= {"temperature": metrics.get("fit/temperature"), "groups": 0, "coverage": {}}
    if calibration is None:
        return row
    windowed = read_windows(read_source(name, TYPED.get(name, ())), seed=0)
    rows = windowed.indices["test"]
    row |= {"groups": calibration.n_groups, "windows": len(rows)}
    found = dualgaf.load(checkpoint).predict(windowed.windows.take(rows))
    for coverage in COVERAGES:
        if calibration.gives(coverage):
            sets = calibration.sets(found.probabilities, coverage)
            reached = float(sets[np.arange(len(rows)), windowed.labels[rows]].mean())
            row["coverage"][str(coverage)] = [reached, float(sets.sum(axis=1).mean())]
    return row


def trained(name: str, run: Path, without: str | None = None) -> dict[str, Any]:
    """Metrics of a training, as its experiment says; it goes on where its folder stands."""
    words = [f"experiment={name}", f"paths.run_dir={run}", *TYPED.get(name, ()), *_parts(name)]
    cfg = load_config([*words, "logger=csv", "trainer.accelerator=cpu", *MORE])
    if without is not None:
        OmegaConf.update(cfg, "data.left_out", without, force_add=True)
        OmegaConf.update(cfg, "data.kind", cfg.data._target_, force_add=True)
        OmegaConf.update(cfg, "data._target_", "benchmarks.trust.rows.without_class")
    train(cfg)
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return found


def without_class(left_out: str, kind: str, **options: Any) -> Source:
    """A source whose windows of a class have no label: none is learned, all are for predict."""
    return without(instantiate({"_target_": kind, **options}, _convert_="all"), left_out)


def without(source: Source, left_out: str) -> Source:
    """The same source, changed so."""
    read = source.load

    def load() -> Any:
        series = read()
        labels = tuple(None if label == left_out else label for label in series.labels)
        return replace(series, labels=labels)

    object.__setattr__(source, "load", load)
    return source


def new_rows(name: str, work: Path, done: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """For each class that is left out, the AUROC of each method.

    Args:
        name: of the set.
        work: folder of the trainings.
        done: rows that are there, by class.
    """
    source = read_source(name, [*TYPED.get(name, ()), *_parts(name)])
    windowed = read_windows(source, seed=0)
    classes = [windowed.class_names[code] for code in np.unique(windowed.labels)]
    drawn = np.random.default_rng(0).permutation(classes)[:MOST_CLASSES]
    for left_out in sorted(drawn.tolist()):
        if left_out not in done:
            yield left_out, new_row(name, left_out, work / f"{name}-without-{left_out}")


def _parts(name: str) -> tuple[str, ...]:
    """Groups are tested and held out, where the experiment leaves that to the benchmark."""
    is_left = name in CHOSEN_ON
    return ("data.split.test_fraction=0.3", "data.split.val_fraction=0.2") if is_left else ()


def new_row(name: str, left_out: str, run: Path) -> dict[str, Any]:
    """AUROC of windows of a class that was not learned, against test windows of the others."""
    trained(name, run, left_out)
    source = read_source(name, [*TYPED.get(name, ()), *_parts(name)])
    windowed = read_windows(without(source, left_out), seed=0)
    of = windowed.indices
    learned = np.concatenate([of[split] for split in ("train", "val") if split in of])
    judged = np.concatenate([of["test"], of["predict"]])
    is_new = np.arange(len(judged)) >= len(of["test"])
    x, new = (windowed.windows.take(rows).astype(np.float64) for rows in (learned, judged))
    found: dict[str, Any] = {"learned": len(x), "new": int(is_new.sum())}
    found["known"] = len(is_new) - found["new"]
    shares = dualgaf.load(run / "checkpoints" / "best.ckpt").predict(new).novelty
    found["novelty"] = float(roc_auc_score(is_new, shares))
    for method, strange in BASELINES.items():
        found[method] = float(roc_auc_score(is_new, strange(x, new)))
    return found


def _features(x: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """MiniRocket of aeon with its settings, each number standardised by the training windows."""
    from aeon.transformations.collection.convolution_based import MiniRocket
    from sklearn.preprocessing import StandardScaler

    transform, scale = MiniRocket(random_state=0), StandardScaler()
    found = scale.fit_transform(transform.fit_transform(x.astype(np.float32)))
    return found, scale.transform(transform.transform(new.astype(np.float32)))


def _isolation_forest(x: np.ndarray, new: np.ndarray) -> np.ndarray:
    from sklearn.ensemble import IsolationForest

    learned, judged = _features(x, new)
    return np.asarray(-IsolationForest(random_state=0).fit(learned).score_samples(judged))


def _nearest(x: np.ndarray, new: np.ndarray) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    learned, judged = _features(x, new)
    return np.asarray(NearestNeighbors(n_neighbors=1).fit(learned).kneighbors(judged)[0][:, 0])


BASELINES = {"isolation_forest": _isolation_forest, "nearest_minirocket": _nearest}
