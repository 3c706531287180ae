"""`Search`: trials one after the other, by any number of processes, until enough have ended.

1. A process takes its turn: trials whose process was killed are healed, and where fewer than
   ``n_trials`` count, the next one is drawn and its folder is locked. All of that is one step, for
   which a process keeps the others waiting.
2. It trains the trial and tells the study. The lock of the folder says meanwhile that the trial has
   somebody; the kernel frees it when the process ends, however it ends.

What counts has ended, or has somebody. A trial that was killed does not: its draw is drawn again,
so a study that was killed has the same trials as one that was not. Where the same draw is killed
twice, another one takes its place: the trial itself may be what kills.
"""

import json
import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from omegaconf import DictConfig
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState

from dualgaf.errors import DualGAFError
from dualgaf.search.journal import opened
from dualgaf.search.kept import kept_study
from dualgaf.search.options import Asked
from dualgaf.search.space import brief, default_of, overrides_of
from dualgaf.search.trial import BEST_EPOCH, VALUE, Ended, ended_in
from dualgaf.store.lock import is_locked, locked
from dualgaf.system.termination import Stopped
from dualgaf.training.config import load_config
from dualgaf.training.resume import shown
from dualgaf.training.run_folder import RECORD, entered

DRAW, KILLED, FAILED, METRICS = "draw", "killed", "failed", "metrics"
"""Attributes of a trial: the number of its draw, from 0 on; how it was ended; why it failed; what
it has found."""
FAILURES = 3
"""So many that fail before one has ended are all that will."""

Train = Callable[[DictConfig, Trial], Ended]
"""Trains what a trial has drawn."""

log = logging.getLogger(__name__)


class Search:
    """A study and its folder.

    Args:
        asked: what was typed.
        train: trains a trial.

    Raises:
        ConfigError: the journal cannot be read, or its study was begun with other options.
    """

    def __init__(self, asked: Asked, train: Train) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.asked = asked
        self._train = train
        self._failed = 0
        storage = opened(asked.journal)
        with self._turn():
            self.study = kept_study(asked, storage)
            self._heal()
            self._say_where_it_stands()

    def run(self) -> None:
        """Take trials until enough have ended, or have somebody.

        Raises:
            DualGAFError: the first trials have all failed.
            Stopped: a signal came; the trial that was under way does not count.
        """
        while self._next():
            pass

    @property
    def trials(self) -> list[FrozenTrial]:
        """Those that count: ended by themselves, or under way."""
        with self._turn():
            self._heal()
            return self._counting()

    def cfg_of(self, trial: FrozenTrial | Trial, folder: Path) -> DictConfig:
        """The configuration of a trial, for a folder."""
        cfg = load_config([*self.asked.typed, *overrides_of(trial.params)])
        cfg.paths.run_dir = str(folder)
        return cfg

    def folder_of(self, number: int, kind: str = "trial") -> Path:
        """Of a trial."""
        return folder_of(self.asked.folder, number, kind)

    def is_under_way(self, number: int, kind: str = "trial") -> bool:
        """Whether a process has this trial."""
        lock = self.folder_of(number, kind) / RECORD.with_suffix(".lock")
        return lock.parent.is_dir() and is_locked(lock)

    def _turn(self) -> Any:
        self.asked.folder.mkdir(parents=True, exist_ok=True)
        return locked(self.asked.folder / ".turn.lock")

    def _next(self) -> bool:
        with ExitStack() as stack:
            with self._turn():
                self._heal()
                counting = self._counting()
                if len(counting) >= self.asked.n_trials:
                    return False
                trial = self._drawn(counting)
                cfg = self.cfg_of(trial, self.folder_of(trial.number))
                stack.enter_context(entered(cfg, Path(cfg.paths.run_dir)))
            self._trained(trial, cfg)
            return True

    def _trained(self, trial: Trial, cfg: DictConfig) -> None:
        started = time.perf_counter()
        try:
            ended = self._train(cfg, trial)
        except Stopped as stopped:
            self._tell_killed(trial.number, str(stopped))
            raise
        except Exception as error:
            self._tell_failed(trial, error)
            return
        self._tell(trial.number, ended)
        what = ended.pruned or f"{VALUE} {ended.value:.4f} in epoch {ended.metrics[BEST_EPOCH]}"
        log.info(
            "trial %d: %s; %.0f s; %s",
            trial.number,
            what,
            time.perf_counter() - started,
            " ".join(overrides_of({key: brief(value) for key, value in trial.params.items()})),
        )

    def _tell(self, number: int, ended: Ended) -> None:
        self._note(number, METRICS, json.loads(json.dumps(ended.metrics)))
        if ended.pruned is not None:
            self.study.tell(number, state=TrialState.PRUNED)
        elif ended.value is None:
            self._fail(number, FAILED, f"no epoch has a {VALUE}")
        else:
            self.study.tell(number, ended.value)

    def _tell_killed(self, number: int, how: str) -> None:
        self._fail(number, KILLED, how)

    def _tell_failed(self, trial: Trial, error: Exception) -> None:
        told = " ".join(str(error).split()) or type(error).__name__
        if not isinstance(error, DualGAFError):
            told = f"{type(error).__name__}: {told}"
        self._fail(trial.number, FAILED, told)
        log.warning("trial %d failed: %s", trial.number, told, exc_info=_stack_of(error))
        self._failed += 1
        ended = (TrialState.COMPLETE, TrialState.PRUNED)
        if self._failed >= FAILURES and not any(t.state in ended for t in self._counting()):
            raise DualGAFError(
                f"the first {self._failed} trials failed, the last of them so: {told}"
            ) from error

    def _fail(self, number: int, how: str, told: str) -> None:
        self._note(number, how, told)
        self.study.tell(number, state=TrialState.FAIL)

    def _note(self, number: int, key: str, value: Any) -> None:
        frozen = self.study.get_trials(deepcopy=False)[number]
        Trial(self.study, frozen._trial_id).set_user_attr(key, value)

    def _heal(self) -> None:
        """Settle trials whose process has ended without a word."""
        for each in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if self.is_under_way(each.number):
                continue
            ended = ended_in(self.folder_of(each.number))
            if ended is not None:  # it was killed between the last file and the last line
                self._tell(each.number, ended)
                continue
            log.info("trial %d was under way when its process was killed", each.number)
            self._tell_killed(each.number, "its process was killed")

    def _counting(self) -> list[FrozenTrial]:
        return [
            each
            for each in self.study.get_trials(deepcopy=False)
            if each.state is not TrialState.WAITING and KILLED not in each.user_attrs
        ]

    def _drawn(self, counting: list[FrozenTrial]) -> Trial:
        taken = {each.user_attrs.get(DRAW) for each in counting}
        draw = next(number for number in range(len(counting) + 1) if number not in taken)
        killed = sum(
            KILLED in each.user_attrs and each.user_attrs.get(DRAW) == draw
            for each in self.study.get_trials(deepcopy=False)
        )
        self.study.sampler = sampler_of(self.asked, draw, killed // 2)
        default = default_of(self.asked.space, self.asked.cfg) if draw == 0 else None
        if default is not None and killed < 2:
            self.study.enqueue_trial(default)
        trial = self.study.ask(fixed_distributions=dict(self.asked.space))
        trial.set_user_attr(DRAW, draw)
        return trial

    def _say_where_it_stands(self) -> None:
        done = len([each for each in self._counting() if each.state.is_finished()])
        if self.study.get_trials(deepcopy=False):
            journal = shown(self.asked.journal)
            log.info("study %s: %d of %d trials have ended", journal, done, self.asked.n_trials)


def folder_of(study: Path, number: int, kind: str = "trial") -> Path:
    """Of a trial, or of the best one.

    Example:
        >>> print(folder_of(Path("natops"), 7, "best"))
        natops/best-0007
    """
    return study / f"{kind}-{number:04d}"


def sampler_of(asked: Asked, draw: int, others: int = 0) -> BaseSampler:
    """What draws one trial: by its number, so that a study that goes on draws no trial twice.

    Args:
        asked: the search.
        draw: its number.
        others: of other numbers for the same draw.
    """
    words = (asked.cfg.seed, draw, others)
    seed = int(np.random.SeedSequence(words).generate_state(1)[0])
    return TPESampler(seed=seed) if asked.sampler == "tpe" else RandomSampler(seed=seed)


def _stack_of(error: Exception) -> bool:
    """Whether a stack helps: it is no error of what was typed."""
    return not isinstance(error, DualGAFError)
