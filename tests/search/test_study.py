"""A study that is killed, shared and changed, with trials that train nothing."""

import re
import shlex
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

import search_program
from dualgaf.errors import ConfigError, DualGAFError
from dualgaf.search import options, study
from dualgaf.search.journal import opened
from dualgaf.search.kept import pruner_of
from dualgaf.search.study import DRAW, KILLED, Search
from dualgaf.system.termination import Stopped
from dualgaf.training.run_folder import entered
from preloaded import run, start
from search_program import asked, composed_once, loss_of, stand_in

PROGRAM = search_program.__file__
N = 12


@pytest.fixture(autouse=True)
def _composed_once(monkeypatch):
    composed = composed_once()
    monkeypatch.setattr(options, "load_config", composed)
    monkeypatch.setattr(study, "load_config", composed)


def ended(folder):
    """By draw: parameters and value of what counts; each draw is there once."""
    made = optuna.load_study(study_name="dualgaf", storage=opened(folder / "s.journal"))
    counting = [each for each in made.trials if KILLED not in each.user_attrs]
    assert all(each.state.is_finished() for each in made.trials)
    assert max(Counter(each.user_attrs[DRAW] for each in counting).values()) == 1
    for each in counting:
        assert (folder / "s" / f"trial-{each.number:04d}" / "metrics.json").is_file()
    return {each.user_attrs[DRAW]: (each.params, each.state, each.value) for each in counting}


def searched(folder, n_trials=N, *typed, train=stand_in):
    search = Search(asked(folder, n_trials, *typed), train)
    search.run()
    return search


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    run(str(folder), str(N), cwd=folder, program=(PROGRAM,))
    return ended(folder)


def test_a_study_that_is_killed_five_times_has_the_trials_of_one_that_is_not(
    uninterrupted, tmp_path
):
    said = [run(str(tmp_path), str(N), str(seed), cwd=tmp_path, program=(PROGRAM,), status=-9)
            for seed in range(5)]  # fmt: skip
    said.append(run(str(tmp_path), str(N), cwd=tmp_path, program=(PROGRAM,)))
    assert said[-1].endswith(f"{N} trials\n")
    assert ended(tmp_path) == uninterrupted
    assert len(uninterrupted) == N
    assert any("was torn" in each for each in said)


def test_two_processes_share_a_study_and_none_of_it_is_done_twice(uninterrupted, tmp_path):
    programs = [start(str(tmp_path), str(N), cwd=tmp_path, program=(PROGRAM,)) for _ in range(2)]
    said = [program.communicate()[0] for program in programs]
    assert all(each.endswith(f"{N} trials\n") for each in said)
    found = ended(tmp_path)
    # The first ten look at no other trial, so it does not matter which have ended by then.
    assert [found[draw][0] for draw in range(10)] == [uninterrupted[n][0] for n in range(10)]


def test_n_trials_counts_all_and_a_study_that_goes_on_draws_no_trial_twice(uninterrupted, tmp_path):
    searched(tmp_path, 2)
    assert len(ended(tmp_path)) == 2
    searched(tmp_path, 2)
    assert len(ended(tmp_path)) == 2
    searched(tmp_path, N)
    assert ended(tmp_path) == uninterrupted


def test_another_seed_draws_other_trials(tmp_path):
    drawn = {}
    for seed in (0, 1):
        search = searched(tmp_path / str(seed), 3, f"seed={seed}")
        drawn[seed] = [each.params for each in search.trials]
    both = [str(params) for each in drawn.values() for params in each]
    assert len({*both}) == 6


def test_the_first_trial_is_the_default_recipe_where_the_space_has_it(tmp_path):
    typed = ("search.model.width=[32,64]", "search.model.dropout={low:0.1,high:0.5}")
    (trial,) = searched(tmp_path, 1, *typed).trials
    assert trial.params == {"model.dropout": 0.2, "model.width": 64}


def test_a_trial_that_was_killed_after_its_last_file_is_not_lost(tmp_path):
    search = Search(asked(tmp_path, 2), stand_in)
    with search._turn(), ExitStack() as stack:
        trial = search._drawn([])
        cfg = search.cfg_of(trial, search.folder_of(0))
        stack.enter_context(entered(cfg, Path(cfg.paths.run_dir)))
        stand_in(cfg, trial)
    found = searched(tmp_path, 1).trials
    assert [(each.state, each.value) for each in found] == [
        (TrialState.COMPLETE, loss_of(trial.params, 3))
    ]


def test_a_trial_that_a_living_process_has_is_left_to_it(tmp_path):
    search = Search(asked(tmp_path, 2), stand_in)
    with ExitStack() as stack:
        with search._turn():
            trial = search._drawn([])
            cfg = search.cfg_of(trial, search.folder_of(0))
            stack.enter_context(entered(cfg, Path(cfg.paths.run_dir)))
        states = [each.state for each in searched(tmp_path, 2).trials]
        assert states == [TrialState.RUNNING, TrialState.COMPLETE]
    states = [each.state for each in searched(tmp_path, 2).trials]
    assert sorted(state.name for state in states) == ["COMPLETE", "COMPLETE"]


def test_what_kills_its_process_twice_is_drawn_no_third_time(tmp_path):
    drawn = []
    for _ in range(3):
        search = Search(asked(tmp_path, 1), stand_in)
        with search._turn():
            search._heal()
            drawn.append(search._drawn(search._counting()).params)
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_trial_that_is_stopped_does_not_count_and_says_so(tmp_path):
    def stopped(cfg, trial):
        raise Stopped(2)

    with pytest.raises(Stopped):
        searched(tmp_path, 2, train=stopped)
    made = optuna.load_study(study_name="dualgaf", storage=opened(tmp_path / "s.journal"))
    assert [each.user_attrs[KILLED] for each in made.trials] == ["interrupted"]
    searched(tmp_path, 2)
    assert len(ended(tmp_path)) == 2


def test_a_trial_that_fails_counts_and_has_its_reason(tmp_path, caplog):
    def fails_at_first(cfg, trial):
        if trial.number == 0:
            raise RuntimeError("out of\nmemory")
        return stand_in(cfg, trial)

    search = searched(tmp_path, 3, train=fails_at_first)
    assert [each.state.name for each in search.trials] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert search.trials[0].user_attrs["failed"] == "RuntimeError: out of memory"
    assert "trial 0 failed: RuntimeError: out of memory" in caplog.text


def test_where_the_first_three_fail_all_would(tmp_path):
    def fails(cfg, trial):
        raise ConfigError("model.width=1 is not allowed")

    with pytest.raises(DualGAFError, match="the first 3 trials failed, the last of them so: model"):
        searched(tmp_path, N, train=fails)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("search.model.width=[16,8,32]", "searches model.width=[8,16,32], and not [16,8,32]"),
        ("search.model.dropout={low:0.0,high:0.8}", "and not {low:0.0,high:0.8}"),
        ("search.model.head=[mlp,simple]", "searches model.head=none, and not [mlp,simple]"),
        ("classifier.mixup=0.1", "other options (classifier.mixup=0.4 there, 0.1 here)"),
        ("seed=3", "other options (seed=0 there, 3 here)"),
    ],
)
def test_a_study_is_not_continued_with_something_else(tmp_path, typed, says, monkeypatch):
    monkeypatch.chdir(tmp_path)
    searched(tmp_path, 1)
    before = (tmp_path / "s.journal").read_bytes()
    with pytest.raises(ConfigError, match=re.escape(says)) as caught:
        searched(tmp_path, 2, typed)
    assert (tmp_path / "s.journal").read_bytes() == before
    command, other = re.findall(r"type (.+?)(?:; for|$)", str(caught.value))
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "dualgaf", "tune"]
    again = options.asked_of([*words[4:], "n_trials=2"])
    Search(again, stand_in).run()
    assert len(ended(tmp_path)) == 2
    (word,) = shlex.split(other)
    Search(options.asked_of([*words[4:], word, "n_trials=1"]), stand_in)


def test_a_study_of_another_direction_or_of_another_program_is_refused(tmp_path):
    for name, direction in (("dualgaf", "maximize"), ("mine", "minimize")):
        folder = tmp_path / name
        folder.mkdir()
        optuna.create_study(
            storage=opened(folder / "s.journal"), study_name=name, direction=direction
        )
        says = "another direction .maximize" if name == "dualgaf" else r"another study \(mine\)"
        with pytest.raises(ConfigError, match=says):
            searched(folder, 1)


def test_runs_of_a_journal_that_is_gone_are_not_mixed_with_new_ones(tmp_path):
    searched(tmp_path, 1)
    (tmp_path / "s.journal").unlink()
    with pytest.raises(ConfigError, match=r"knows of none: .* type study=\S+s-2\.journal"):
        searched(tmp_path, 1)


def pruned(asked, others, own):
    """Whether a trial with these losses by epoch is ended, beside others that have ended."""
    made = optuna.create_study(pruner=pruner_of(asked))
    for losses in others:
        made.add_trial(
            optuna.trial.create_trial(value=min(losses.values()), intermediate_values=losses)
        )
    trial = made.ask()
    for epoch, loss in own.items():
        trial.report(loss, epoch)
    return trial.should_prune()


def test_a_trial_is_compared_in_equal_epochs_by_its_best_so_far_with_five_others(tmp_path):
    told = asked(tmp_path, 1)
    five = [dict.fromkeys(range(1, 9), 1.0)] * 5
    assert pruned(told, five, {5: 2.0})
    assert not pruned(told, five[:4], {5: 2.0})
    assert not pruned(told, five, {3: 2.0})  # too early
    assert not pruned(told, five, {9: 2.0})  # none of the others has come so far
    assert not pruned(told, five, {4: 0.5, 5: 2.0})
    assert not pruned(asked(tmp_path, 1, "pruner=none"), five, {5: 2.0})
