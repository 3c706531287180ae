"""What `compare` makes of the words that are typed."""

import importlib.util
from pathlib import Path

import pytest

from dualgaf.errors import ConfigError, DependencyError
from dualgaf.training.comparison import baselines
from dualgaf.training.comparison.asked import asked_for, repeat_name

NATOPS = "experiment=natops"


def test_sets_repeats_and_methods_are_told_apart_by_their_keys():
    asked = asked_for(
        [
            "experiment=natops,basic_motions",
            "seed=range(2)",
            "model=dualgafnet,per_signal",
            "model.width=8,16",
            "trainer.max_epochs=3",
            "data.nan=interpolate",
            "baselines=[quant,1nn]",
            "compare.dir=here",
        ]
    )
    networks = [f"{name} model.width={n}" for name in ("dualgafnet", "per_signal") for n in (8, 16)]
    assert asked.sets == ["natops", "basic_motions"]
    assert asked.methods == [*networks, "quant", "1nn"]
    assert len(asked.jobs) == len(set(asked.jobs)) == 2 * 2 * 6
    assert asked.folder == Path("here")
    assert "compare.dir=here" not in asked.words
    of_set = ("experiment=basic_motions", "data.nan=interpolate")
    last = asked.jobs[-1]
    assert (last.set, last.baseline, last.overrides) == (
        "basic_motions",
        "1nn",
        (*of_set, "seed=1"),
    )
    network = next(job for job in asked.jobs if job.set == "basic_motions")
    assert not network.baseline
    assert network.overrides == (
        *of_set,
        *("model=dualgafnet", "model.width=8", "trainer.max_epochs=3", "seed=0"),
    )


def test_what_is_not_typed_is_dualgafnet_and_one_seed():
    asked = asked_for(["data=ucr", "data.name=NATOPS,ECG200", "data.archive_resample=0,7"])
    assert (asked.sets, asked.methods) == (["NATOPS", "ECG200"], ["dualgafnet"])
    assert [repeat_name(job.repeat) for job in asked.jobs[:2]] == [
        "archive_resample=0 seed=0",
        "archive_resample=7 seed=0",
    ]
    assert str(asked.folder).startswith("runs/compare/")
    assert asked_for(["data=simulated", "~logger"]).jobs[0].overrides[1] == "~logger"
    assert asked_for(["data=simulated", "data.n_windows=40"]).sets == ["simulated"]
    assert asked_for(["data=ucr", "data.name=NATOPS", "data.nan=error"]).sets == ["NATOPS"]


def test_a_pattern_stands_for_all_options():
    assert asked_for(["experiment=glob(robot_lp*)"]).sets == [f"robot_lp{n}" for n in range(1, 6)]
    both = asked_for(["experiment=glob([robot_lp*,natops],exclude=[robot_lp2,robot_lp3,*4,*5])"])
    assert both.sets == ["natops", "robot_lp1"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("experiment=nattops,ecg200", "type experiment=natops"),
        (f"{NATOPS} model=per_signals", "type model=per_signal"),
        (f"{NATOPS} baselines=[minirockett]", "type baselines=[minirocket]"),
        (f"{NATOPS} compare.score=f1", "type compare.score=f1_macro"),
        (f"{NATOPS} compare.folder=a", "type compare.dir=a"),
        (f"{NATOPS} baseline=[quant]", "type baselines=[quant]"),
        ("experiments=natops,ecg200", "type experiment=natops,ecg200"),
        (f"{NATOPS} epochs=3", "type trainer.max_epochs=3"),
        (f"{NATOPS} hydra.sweep.dir=a", "type compare.dir=FOLDER"),
        (f"{NATOPS} task=test", "task is not for comparisons; leave task=test out"),
        ("seed=0,1", "type experiment=natops,basic_motions"),
        (f"{NATOPS} model.width=[8", "type key=value"),
    ],
)
def test_a_wrong_word_is_told_what_to_type(words, text):
    with pytest.raises(ConfigError) as refused:
        asked_for(words.split())
    assert text in str(refused.value)


def test_what_needs_aeon_says_so_before_anything_is_done(monkeypatch):
    found = importlib.util.find_spec

    def without_aeon(name, *more):
        return None if name == "aeon" else found(name, *more)

    monkeypatch.setattr(baselines, "find_spec", without_aeon)
    with pytest.raises(DependencyError, match=r'type pip install "dualgaf\[accuracy\]"'):
        asked_for([NATOPS, "baselines=[forest,quant]"])
    assert asked_for([NATOPS, "baselines=[forest,1nn]"]).methods[1:] == ["forest", "1nn"]
