"""A search with real trainings: what it builds, reads, leaves and says."""

import csv
import json
import logging
import math
import random
import signal
import time
from pathlib import Path

import matplotlib.image
import optuna
import pytest

import dualgaf.data.image_build
from dualgaf.errors import DualGAFError
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.search.images import KeptImages
from dualgaf.search.journal import opened
from dualgaf.search.study import DRAW, KILLED
from dualgaf.search.trial import BEST_EPOCH, PRUNED, Ended, Watch, first_training, train_trial
from dualgaf.search.tune import tune
from dualgaf.training.config import load_config
from preloaded import MODULE, run, start

SMALL = (
    *("data=simulated", "data.n_windows=60", "data.window_size=24", "datamodule.image_size=12"),
    *("model.use_minirocket=false", "model.use_forest=false", "model.width=8", "logger=csv"),
    *("datamodule.batch_size=16", "trainer.max_epochs=2", "trainer.accelerator=cpu"),
    *("calibration.enabled=false", "cache.dir=null"),
)
SPACE = ("search=none", "search.model.dropout={low:0.0,high:0.5}")


@pytest.fixture
def built(monkeypatch):
    """Every build of images, by what it was for."""
    found = []
    build = dualgaf.data.image_build.build_store

    def counted(windows, plan, **more):
        store, report = build(windows, plan, **more)
        if report.cache != "hit":  # alive already
            found.append(len(windows))
        return store, report

    monkeypatch.setattr(dualgaf.data.image_build, "build_store", counted)
    return found


@pytest.fixture
def accidents(monkeypatch):
    """What happens to trials, by their numbers: ``fails`` in their second epoch, ``nan``."""
    happens, now = {}, []
    count, seen = DualGAFClassifier._count, Watch.on_validation_end

    def counted(self, logits, label, split, metrics):
        is_nan = split == "val" and now and happens.get(now[-1]) == "nan"
        count(self, logits * math.nan if is_nan else logits, label, split, metrics)

    def watched(self, trainer, pl_module):
        if trainer.current_epoch == 1 and happens.get(self._trial.number) == "fails":
            raise RuntimeError("boom")
        seen(self, trainer, pl_module)

    def begun(self, trainer, pl_module):
        now.append(self._trial.number)

    monkeypatch.setattr(DualGAFClassifier, "_count", counted)
    monkeypatch.setattr(Watch, "on_validation_end", watched)
    monkeypatch.setattr(Watch, "on_fit_start", begun)
    monkeypatch.setattr(Watch, "on_fit_end", lambda *_: now.append(-1))
    return happens


def test_a_search_from_the_first_trial_to_the_test(built, accidents, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    accidents |= {1: "fails", 2: "nan"}
    monkeypatch.chdir(tmp_path)
    tested = []
    monkeypatch.setattr(
        DualGAFClassifier,
        "on_test_start",
        lambda self: tested.append(Path(self.trainer.default_root_dir)),
        raising=False,
    )
    best = tune(["study=s", "n_trials=4", *SMALL, *SPACE])
    # The images of train and val are built once, whatever became of the trials; then those of test.
    assert built == [40, 20]
    # Only the best is tested, once.
    assert [path.name for path in tested] == [best.name]
    with (tmp_path / "s/trials.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert [row["state"] for row in rows] == ["ended", "failed", "pruned", "ended"]
    assert [row["why"] for row in rows[1:3]] == [
        "RuntimeError: boom",
        "val/loss is no number in epoch 1",
    ]
    losses = {int(row["trial"]): float(row["val/loss"]) for row in rows if row["state"] == "ended"}
    lowest = min(losses, key=losses.get)
    assert best == Path(f"s/best-{lowest:04d}")
    for number in (0, 2, 3):
        folder = tmp_path / f"s/trial-{number:04d}"
        metrics = json.loads((folder / "metrics.json").read_text())
        assert not any(key.startswith("test/") for key in metrics)
        assert (folder / "curves.png").is_file()
        assert (folder / "csv/metrics.csv").is_file()
        assert not (folder / "checkpoints/last.ckpt").exists()
    metrics = json.loads((best / "metrics.json").read_text())
    assert "test/acc" in metrics
    assert "refit/epochs" in metrics
    # What the val split says of the best run is what it said of the trial.
    assert metrics["val/loss"] == pytest.approx(losses[lowest], abs=1e-6)
    assert matplotlib.image.imread(tmp_path / "s/study.png").shape[0] > 300
    table = next(m for m in caplog.messages if m.startswith("4 trials: s/trials.csv"))
    assert table.count("<- best") == 1
    page = (tmp_path / "s/index.html").read_text()
    assert f'<a href="best-{lowest:04d}/report.html">{lowest}</a>' in page
    assert f"4 trials: 2 ended, 1 failed, 1 pruned. Lowest val/loss: {losses[lowest]:.4g}, " in page
    assert f"tested once: test/acc {metrics['test/acc']:.4g}, " in page
    # The same again does nothing, and tests nothing.
    assert tune(["study=s", "n_trials=4", *SMALL, *SPACE]) == best
    assert len(tested) == 1
    # Another study of this seed has the same trials.
    monkeypatch.setattr("dualgaf.search.tune._end", lambda asked, search: None)
    tune(["study=again", "n_trials=1", *SMALL, *SPACE])
    first, again = (
        optuna.load_study(study_name="dualgaf", storage=opened(Path(f"{name}.journal"))).trials[0]
        for name in ("s", "again")
    )
    assert (again.params, again.value) == (first.params, first.value)
    assert again.intermediate_values == first.intermediate_values
    assert len(first.intermediate_values) == 2


def test_where_all_are_pruned_it_is_said_and_the_advice_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def trained(cfg, data, trial):
        pruned = {PRUNED: "no number"} if trial.number == 0 else {"val/loss": 1.0}
        return Ended({"fit/epochs": 1, BEST_EPOCH: 1, **pruned})

    monkeypatch.setattr("dualgaf.search.tune.train_trial", trained)
    monkeypatch.setattr("dualgaf.search.tune.train", lambda cfg: None)
    typed = ["study=s", *SMALL, *SPACE]
    with pytest.raises(
        DualGAFError, match="none of 1 trials has ended: 1 were pruned, 0"
    ) as caught:
        tune([*typed, "n_trials=1"])
    assert str(caught.value).endswith("type n_trials=2")
    assert tune([*typed, "n_trials=2"]) == Path("s/best-0001")


def test_without_a_val_split_nothing_is_searched(tmp_path):
    typed = [f"study={tmp_path}/s", *SMALL, *SPACE, "data.split.val_fraction=0"]
    with pytest.raises(DualGAFError, match=r"there is none; type data\.split\.val_fraction=0\.2$"):
        tune(typed)


def test_images_are_built_once_for_each_recipe(built):
    images = KeptImages()
    cfg = load_config(SMALL)
    found = []
    for side, batch in ((12, 16), (8, 16), (12, "auto"), (8, 4)):
        cfg.datamodule.image_size, cfg.datamodule.batch_size = side, batch
        found.append(images.of(cfg))
        found[-1].setup("fit")
        assert found[-1].batch_size == (4 if batch == "auto" else batch)
    assert found[0] is found[2]
    assert found[1] is found[3]
    assert built == [40, 40]
    images.close()
    assert not found[0].stores


def test_images_of_another_recipe_are_let_go_where_there_is_no_room(monkeypatch, built):
    images = KeptImages()
    cfg = load_config(SMALL)
    first = images.of(cfg)
    first.setup("fit")

    def full(self, *stage):
        raise dualgaf.errors.BudgetError("no room")

    monkeypatch.setattr(dualgaf.DualGAFDataModule, "plan", full)
    cfg.datamodule.image_size = 8
    second = images.of(cfg)
    assert not first.stores
    second.setup("fit")
    assert second.stores
    images.close()


def test_a_trial_is_as_long_as_the_first_training_of_a_run():
    images = KeptImages()
    cfg = load_config([*SMALL, "trainer.max_epochs=auto"])
    data = images.of(cfg)
    own = first_training(cfg, data)
    assert (own.trainer.max_epochs, own.refit) == (38, False)
    cfg.refit = False
    assert first_training(cfg, data).trainer.max_epochs == 75


class Reports:
    """A trial that keeps what it is told."""

    def __init__(self):
        self.number, self.told = 0, []

    def report(self, loss, epoch):
        self.told.append((epoch, loss))

    def should_prune(self):
        return False


def test_an_epoch_counts_with_its_best_validation(tmp_path):
    # Where Optuna's own callback keeps the first of each.
    cfg = load_config([*SMALL, "trainer.val_check_interval=0.5", f"paths.run_dir={tmp_path}"])
    cfg.datamodule.batch_size = 4
    images, trial, seen = KeptImages(), Reports(), []
    on_end = Watch.on_validation_end

    class Seen(Watch):
        def on_validation_end(self, trainer, pl_module):
            seen.append(float(trainer.callback_metrics["val/loss"]))
            on_end(self, trainer, pl_module)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("dualgaf.search.trial.Watch", Seen)
        ended = train_trial(cfg, images.of(cfg), trial)
    images.close()
    assert len(seen) == 4
    assert trial.told == [(1, min(seen[:2])), (2, min(seen[2:]))]
    assert ended.value == min(seen)


@pytest.mark.slow
def test_a_search_that_is_killed_six_times_ends_as_one_that_is_not(tmp_path):
    """Five kills at seeded moments of the trials, counted in lines of the journal, one after."""
    typed = ("tune", "n_trials=7", *SMALL, *SPACE)
    moments = random.Random(28)
    journal = tmp_path / "killed.journal"

    def lines():
        return journal.read_bytes().count(b"\n") if journal.exists() else 0

    def killed(is_now, later=0.0):
        program = start(*typed, "study=killed", cwd=tmp_path, program=MODULE)
        while not is_now():
            assert program.poll() is None, program.communicate()[0]
            time.sleep(0.005)
        time.sleep(later)
        program.kill()
        program.communicate()
        assert program.returncode == -signal.SIGKILL

    for _ in range(5):
        # What heals a trial has 2 lines, a trial 7: where one draw is killed twice, others follow.
        at = lines() + moments.randint(9, 13)
        killed(lambda at=at: lines() >= at, moments.uniform(0, 0.2))
    killed(lambda: [*tmp_path.glob("killed/best-*/checkpoints/last.ckpt")])
    said = run(*typed, "study=killed", cwd=tmp_path, program=MODULE)
    assert "study killed.journal: 7 of 7 trials have ended" in said
    assert "this run has trained" in said  # it goes on in the middle of the best
    run(*typed, "study=whole", cwd=tmp_path, program=MODULE)
    found = []
    for name in ("killed", "whole"):
        made = optuna.load_study(study_name="dualgaf", storage=opened(tmp_path / f"{name}.journal"))
        counting = [each for each in made.trials if KILLED not in each.user_attrs]
        (best,) = (tmp_path / name).glob("best-*/metrics.json")
        tested = json.loads(best.read_text())["test/loss"]
        found.append((tested, {e.user_attrs[DRAW]: (e.params, e.value) for e in counting}))
        assert len(counting) == 7
    assert found[0] == found[1]


def test_ctrl_c_says_how_to_go_on_and_the_study_does(tmp_path):
    typed = ("tune", "n_trials=1", "study=s", *SMALL, *SPACE, "trainer.max_epochs=1000")
    program = start(*typed, cwd=tmp_path, program=MODULE)
    folder = tmp_path / "s/trial-0000/csv/metrics.csv"
    while not folder.exists():
        assert program.poll() is None, program.communicate()[0]
        time.sleep(0.02)
    program.send_signal(signal.SIGINT)
    said, _ = program.communicate()
    assert program.returncode == 130
    assert said.splitlines()[-1] == (
        "dualgaf: interrupted; to go on type python -m dualgaf tune n_trials=1 study=s "
        + " ".join([*SMALL, SPACE[0], f"'{SPACE[1]}'", "trainer.max_epochs=1000"])
    )
    made = optuna.load_study(study_name="dualgaf", storage=opened(tmp_path / "s.journal"))
    assert [each.user_attrs.get(KILLED) for each in made.trials] == ["interrupted"]
