"""What a search leaves: a table, ``trials.csv`` and ``study.png``."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from dualgaf.plots.study import Point, draw_study
from dualgaf.report.index import TRIALS
from dualgaf.search.space import Space, as_value
from dualgaf.search.study import FAILED, METRICS
from dualgaf.search.trial import PRUNED, VALUE
from dualgaf.system.whole_file import write_csv
from dualgaf.training.text_tables import aligned

STATES = {
    TrialState.COMPLETE: "ended",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "under way",
}
FEWEST = 4
"""Trials that have ended, from which on importance is told."""
PICTURE = "study.png"

log = logging.getLogger(__name__)


def best_of(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The trial with the lowest value, the first of equals; None where none has ended."""
    ended = [each for each in trials if each.state is TrialState.COMPLETE]
    return min(ended, key=lambda each: (each.value, each.number), default=None)


def write_study(folder: Path, study: Study, trials: Sequence[FrozenTrial], space: Space) -> str:
    """Write table and picture.

    Args:
        folder: of the study.
        study: for the importance.
        trials: those that count.
        space: what was searched.

    Returns:
        The table as text.
    """
    best = best_of(trials)
    names = ["trial", "state", VALUE, "val/acc", "epochs", "s", *space]
    lines = [_line(each, space) for each in trials]
    why = [_why(each) for each in trials]
    write_csv(
        folder / TRIALS,
        [*names, "why"],
        [[*line, told] for line, told in zip(lines, why, strict=True)],
    )
    points = [p for each in trials if (p := _point(each)) is not None]
    if points:
        logarithmic = [key for key, each in space.items() if getattr(each, "log", False)]
        picture = draw_study(points, importance_of(study), logarithmic)
        picture.savefig(folder / PICTURE, dpi=100)
    marks = ["<- best" if each is best else told for each, told in zip(trials, why, strict=True)]
    shown = [[*map(_rounded, line), mark] for line, mark in zip(lines, marks, strict=True)]
    return aligned([[*(name.rpartition(".")[2] for name in names), ""], *shown])


def importance_of(study: Study) -> Mapping[str, float]:
    """How much of the spread of the values each key explains; empty where that cannot be said."""
    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(ended) < FEWEST or len({each.value for each in ended}) < 2:
        return {}
    # Its trees are drawn at random.
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))


def _line(trial: FrozenTrial, space: Space) -> list[str]:
    metrics = trial.user_attrs.get(METRICS, {})
    keys = (VALUE, "val/acc", "fit/epochs", "fit/seconds")
    found = (str(metrics.get(key, "")) for key in keys)
    drawn = (as_value(trial.params.get(key, "")) for key in space)
    return [str(trial.number), STATES[trial.state], *found, *drawn]


def _why(trial: FrozenTrial) -> str:
    told = trial.user_attrs.get(METRICS, {}).get(PRUNED) or trial.user_attrs.get(FAILED, "")
    return str(told)


def _point(trial: FrozenTrial) -> Point | None:
    loss = trial.user_attrs.get(METRICS, {}).get(VALUE)
    if loss is None or not math.isfinite(loss):
        return None
    return Point(trial.number, loss, trial.params, trial.state is TrialState.PRUNED)


def number_of(cell: str) -> str | float:
    """A drawn value as a number; whole ones and words stay as they are.

    Example:
        >>> [number_of(cell) for cell in ("64", "0.125", "tpe")]
        ['64', 0.125, 'tpe']
    """
    try:
        return cell if cell.lstrip("-").isdigit() else float(cell)
    except ValueError:
        return cell


def _rounded(cell: str) -> str:
    found = number_of(cell)
    return found if isinstance(found, str) else f"{found:.4g}"
