"""A study whose trials train nothing: their losses are a function of what they have drawn.

    python search_program.py FOLDER N_TRIALS [SEED]

As a program it ends itself by SIGKILL at a moment that is drawn from SEED: before a line of the
journal is written, after half of it, or after it while the lock is held.
"""

import json
import logging
import os
import random
import signal
import sys
from pathlib import Path

from optuna.storages.journal import JournalFileBackend

from dualgaf.search import journal, options, study
from dualgaf.search.options import asked_of
from dualgaf.search.study import Search
from dualgaf.search.trial import BEST_EPOCH, PRUNED, Ended
from dualgaf.system.whole_file import whole_file
from dualgaf.training.config import load_config

SPACE = ("search=none", "search.model.dropout={low:0.0,high:0.9}", "search.model.width=[8,16,32]")
LINES = (12, 20)
"""A kill comes at one of these lines of its process; a trial has 9, and what heals one has 2."""


def composed_once():
    """A `load_config` that composes once: that takes a quarter of a second, and here nobody looks
    at what a trial has drawn."""
    known = {}

    def composed(typed):
        kept = tuple(text for text in typed if not text.startswith("model."))
        if kept not in known:
            known[kept] = load_config(kept)
        return known[kept].copy()

    return composed


def loss_of(params, epoch=1):
    return abs(params["model.dropout"] - 0.3) + params["model.width"] / 100 + 1 / epoch


def stand_in(cfg, trial, epochs=3):
    """What `train_trial` does, but for the training."""
    pruned = None
    for epoch in range(1, epochs + 1):
        trial.report(loss_of(trial.params, epoch), epoch)
        if trial.should_prune():
            pruned = f"in epoch {epoch}"
            break
    metrics = {"val/loss": loss_of(trial.params, epoch), "val/acc": 0.5, BEST_EPOCH: epoch}
    metrics |= {"fit/epochs": epoch, **({PRUNED: pruned} if pruned else {})}
    with whole_file(Path(cfg.paths.run_dir) / "metrics.json") as draft:
        draft.write_text(json.dumps(metrics))
    return Ended(metrics)


def asked(folder, n_trials, *typed):
    return asked_of([f"study={folder}/s", "data=simulated", f"n_trials={n_trials}", *SPACE, *typed])


class Killed(JournalFileBackend):
    """A journal whose process is killed at a line."""

    lines = 0
    at = 0
    how = ""

    def append_logs(self, logs):
        Killed.lines += 1
        if Killed.lines != Killed.at:
            super().append_logs(logs)
            return
        self._lock.acquire()
        if Killed.how != "before":
            text = "\n".join(json.dumps(line, separators=(",", ":")) for line in logs) + "\n"
            text = text if Killed.how == "after" else text[: len(text) // 2]
            with Path(self._file_path).open("a") as file:
                file.write(text)
        os.kill(os.getpid(), signal.SIGKILL)


def main(folder, n_trials, seed=None):
    options.load_config = study.load_config = composed_once()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if seed is not None:
        drawn = random.Random(seed)
        Killed.at, Killed.how = drawn.randint(*LINES), drawn.choice(["before", "torn", "after"])
        journal.JournalFileBackend = Killed
    search = Search(asked(folder, int(n_trials)), stand_in)
    search.run()
    print(len(search.trials), "trials")


if __name__ == "__main__":
    main(*sys.argv[1:])
