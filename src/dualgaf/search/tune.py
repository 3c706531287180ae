"""`tune`: a search from what was typed to the best network, tested once."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from omegaconf import DictConfig
from optuna.trial import FrozenTrial, Trial, TrialState

from dualgaf.errors import DualGAFError
from dualgaf.report.index import TRIALS
from dualgaf.search.images import KeptImages
from dualgaf.search.options import Asked, asked_of
from dualgaf.search.page import study_index
from dualgaf.search.report import PICTURE, best_of, write_study
from dualgaf.search.study import Search
from dualgaf.search.trial import Ended, less_said, train_trial
from dualgaf.training.quiet import errors_alone, quiet
from dualgaf.training.resume import shown
from dualgaf.training.run import train
from dualgaf.training.run_folder import finished
from dualgaf.training.sweep_page import write_index

log = logging.getLogger(__name__)


def tune(arguments: Sequence[str]) -> Path | None:
    """Search, train the best on train and val, and test it once.

    Args:
        arguments: ``key=value``, as after ``python -m dualgaf tune``.

    Returns:
        The folder of the best run; None where other processes have trials, or the best, under way.

    Raises:
        ConfigError: an option is not allowed, or the study was begun with other options.
        DualGAFError: no trial has ended.
        SystemExit: the training of the best has failed.
    """
    asked = asked_of(arguments)
    with errors_alone() if asked.cfg.get("quiet") else nullcontext():
        return _searched(asked)


def _searched(asked: Asked) -> Path | None:
    images = KeptImages()

    def trained(cfg: DictConfig, trial: Trial) -> Ended:
        with quiet(), less_said(images.has_built):
            return train_trial(cfg, images.of(cfg), trial)

    try:
        search = Search(asked, trained)
        search.run()
        best = _end(asked, search)
    finally:
        images.close()
    if asked.cfg.report:
        write_index(asked.folder, study_index)
    return best


def _end(asked: Asked, search: Search) -> Path | None:
    trials = search.trials
    table = write_study(asked.folder, search.study, trials, asked.space)
    log.info("%d trials: %s\n%s", len(trials), shown(asked.folder / TRIALS), table)
    under_way = [each for each in trials if each.state is TrialState.RUNNING]
    best = best_of(trials)
    if under_way:
        log.info(
            "%d trials are under way in other processes; the last one to end trains the best",
            len(under_way),
        )
        return None
    if best is None:
        raise DualGAFError(_none_ended(asked, trials))
    log.info("picture: %s", shown(asked.folder / PICTURE))
    if search.is_under_way(best.number, "best"):
        log.info("another process trains the best trial, %d, on train and val", best.number)
        return None
    folder = search.folder_of(best.number, "best")
    cfg = search.cfg_of(best, folder)
    if finished(cfg, folder) is None:
        log.info("the best trial is %d; it is trained on train and val, and tested", best.number)
        train(cfg)
    log.info("the best of %d trials: %s", len(trials), shown(folder / "metrics.json"))
    return folder


def _none_ended(asked: Asked, trials: Sequence[FrozenTrial]) -> str:
    pruned = sum(each.state is TrialState.PRUNED for each in trials)
    return (
        f"none of {len(trials)} trials has ended: {pruned} were pruned, {len(trials) - pruned} "
        f"failed ({shown(asked.folder / TRIALS)} says why), so there is no best; for further "
        f"trials type n_trials={2 * asked.n_trials}"
    )
