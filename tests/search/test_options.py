"""What is typed after ``tune``: the space, the options of the search, and what messages advise."""

import re
import shlex
import subprocess
import sys
from functools import cache

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from dualgaf.cli import main
from dualgaf.errors import ConfigError
from dualgaf.search import options
from dualgaf.search.options import asked_of, read_space, spaces
from dualgaf.search.space import default_of, overrides_of, shown_space, stored
from dualgaf.training.config import load_config
from dualgaf.training.overrides import check_overrides


@pytest.fixture(autouse=True)
def _composed_once(monkeypatch):
    """Nobody changes what Hydra composes, which takes a quarter of a second."""
    monkeypatch.setattr(options, "load_config", lambda typed: _composed(tuple(typed)))
    monkeypatch.setattr(options, "read_space", lambda path: dict(_read(path)))


@cache
def _composed(typed):
    return load_config(typed)


@cache
def _read(path):
    return read_space(path)


BASE = ("study=s", "data=simulated")


def space(*typed):
    return dict(asked_of([*BASE, "search=none", *typed]).space)


def test_the_default_search_has_the_default_recipe():
    asked = asked_of(BASE)
    assert asked.journal.name == "s.journal"
    assert asked.folder.name == "s"
    assert (asked.n_trials, asked.sampler, asked.pruner) == (20, "tpe", "median")
    assert asked.space["classifier.learning_rate"] == FloatDistribution(0.001, 0.016, log=True)
    assert default_of(asked.space, asked.cfg) == {
        "classifier.crop": 0.2,
        "classifier.learning_rate": 0.004,
        "classifier.mixup": 0.4,
        "classifier.time_warp": 0.4,
        "classifier.weight_decay": 0.01,
        "model.dropout": 0.2,
    }


@pytest.mark.parametrize("name", spaces())
def test_every_search_of_the_package_can_be_drawn_from(name):
    asked = asked_of([*BASE, f"search={name}"])
    assert set(asked.space) == set(read_space(spaces()[name]))
    first = spaces()[name].read_text().splitlines()[0]
    assert first.startswith("# python -m dualgaf tune study=")
    assert f"search={name}" in first


@pytest.mark.parametrize(
    ("told", "drawn"),
    [
        ("model.dropout={low:0,high:1}", FloatDistribution(0.0, 1.0)),  # 0.2 is no whole number
        ("model.dropout={low:0.0,high:0.5,step:0.1}", FloatDistribution(0.0, 0.5, step=0.1)),
        ("model.width={low:8,high:32,step:8}", IntDistribution(8, 32, step=8)),
        ("model.width={low:8,high:64,log:true}", IntDistribution(8, 64, log=True)),
        ("model.width=[8,16]", CategoricalDistribution([8, 16])),
        ("model.width=8,16", CategoricalDistribution([8, 16])),
        ("model.head=[mlp,simple]", CategoricalDistribution(["mlp", "simple"])),
        ("datamodule.image_size=[auto,null,16]", CategoricalDistribution(["auto", None, 16])),
        (
            "datamodule.feature_range=[[0,1],[-1,1]]",
            CategoricalDistribution(["[0,1]", "[-1,1]"]),
        ),
        ("model=[dualgafnet,per_signal]", CategoricalDistribution(["dualgafnet", "per_signal"])),
    ],
)
def test_ranges_and_choices(told, drawn):
    key, _, value = told.partition("=")
    found = space(f"search.{told}")
    assert found == {key: drawn}
    if "step" not in value and value.startswith("{"):
        assert space(f"search.{key}={shown_space(found, key)}") == found
    assert shown_space(stored(found), key) == shown_space(found, key)


def test_a_file_of_ones_own_with_another_as_its_default(tmp_path):
    (tmp_path / "first.yaml").write_text("model.width: [8, 16]\nmodel.dropout: [0.1, 0.2]\n")
    own = tmp_path / "own.yaml"
    own.write_text("defaults: [first, _self_]\nmodel.width: [32, 64]\n")
    found = asked_of([*BASE, f"search={own}", "search.model.head=[mlp,simple]"]).space
    assert {key: each.choices for key, each in found.items()} == {
        "model.dropout": (0.1, 0.2),
        "model.head": ("mlp", "simple"),
        "model.width": (32, 64),
    }
    assert [*found] == sorted(found)


def test_what_is_typed_is_not_searched_and_a_key_can_be_left_out():
    asked = asked_of([*BASE, "classifier.mixup=0.1", "~search.classifier.crop"])
    assert "classifier.mixup" not in asked.space
    assert "classifier.crop" not in asked.space
    assert asked.cfg.classifier.mixup == 0.1
    assert asked.typed == ("data=simulated", "classifier.mixup=0.1")


def test_what_is_drawn_is_typed_as_it_is():
    drawn = {"model.width": 8, "model": "per_signal", "datamodule.image_size": None, "b": True}
    assert overrides_of({**drawn, "a": "[0,1]", "c": "x y"}) == [
        "a=[0,1]",
        "b=true",
        'c="x y"',
        "datamodule.image_size=null",
        "model=per_signal",
        "model.width=8",
    ]


WRONG = [
    # what is meant
    ("search.model.drpout=[0.1,0.2]", "there is no model.drpout"),
    ("search.lr={low:0.001,high:0.1,log:true}", "there is no lr"),
    ("search=defalt", "search='defalt' is not known"),
    ("search=nowhere.yaml", "search='nowhere.yaml' is not known"),
    ("sampler=cmaes", "sampler='cmaes' is not known"),
    ("pruner=hyperband", "pruner='hyperband' is not known"),
    ("n_trial=3", "there is no n_trial"),
    ("trials=3", "there is no trials"),
    ("epochs=3", "there is no epochs"),
    ("~search.classifier.crp", "is not known"),
    # ranges and lists
    ("search.model.dropout={low:0.5,high:0.1}", "numbers, low below high"),
    ("search.model.dropout={low:x,high:0.1}", "numbers, low below high"),
    ("search.model.dropout={lo:0.1,high:0.5}", "is not known; allowed: low, high, log, step"),
    ("search.model.dropout={low:0.0,high:0.5,log:true}", "low above 0"),
    ("search.model.dropout={low:0.0,high:0.5,step:1.0}", "a step above 0 that fits"),
    ("search.model.dropout=0.3", "is not allowed; allowed: a range"),
    ("search.model.width=[8]", "two or more choices, each once"),
    ("search.model.width=[8,8]", "two or more choices, each once"),
    ("search.model.width={low:8,", "cannot be read by Hydra"),
    # numbers
    ("n_trials=0", "n_trials=0 is not allowed"),
    ("n_trials=many", "n_trials='many' is not allowed"),
    ("trainer.devices=2", "each trial is trained on one device"),
    ("trainer.num_nodes=2", "each trial is trained on one device"),
]


def advised(message):
    words = shlex.split(message.rpartition("type ")[2])
    return words if all("=" in word or word.startswith("~") for word in words) else None


@pytest.mark.parametrize(("wrong", "says"), WRONG, ids=[wrong for wrong, _ in WRONG])
def test_what_a_message_says_to_type_works(wrong, says):
    with pytest.raises(ConfigError, match=re.escape(says)) as caught:
        asked_of([*BASE, wrong])
    words = advised(str(caught.value))
    assert words, str(caught.value)
    asked_of([*BASE, *words])


@pytest.mark.parametrize(
    "key", ["seed", "data.window_size", "loss.label_smoothing", "classifier.class_weights"]
)
def test_what_would_make_trials_incomparable_is_not_searched(key):
    with pytest.raises(ConfigError, match="cannot be searched: ") as caught:
        asked_of([*BASE, f"search.{key}=[1,2]"])
    (word,) = advised(str(caught.value))
    assert word == f"~search.{key}"
    asked_of([*BASE, f"search.{key}=[1,2]", word])


@pytest.mark.parametrize(
    "typed", ["task=test", "resume=a", "ckpt_path=a", "hydra.run.dir=a", "paths.run_dir=a", "-m"]
)
def test_what_a_search_decides_itself_is_refused(typed):
    with pytest.raises(ConfigError, match=f"^{typed}.*leave {typed} out|^-m .*leave it out"):
        asked_of([*BASE, typed])


def test_a_misspelt_key_of_a_file_is_told_with_the_file(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("model.drpout: [0.1, 0.2]\n")
    with pytest.raises(ConfigError, match=f"no model.drpout.*; write model.dropout in {own}$"):
        asked_of([*BASE, f"search={own}"])


def test_without_a_study_and_without_anything_to_search():
    with pytest.raises(ConfigError, match="which study") as caught:
        asked_of(BASE[1:])
    asked_of([*BASE[1:], *advised(str(caught.value))])
    with pytest.raises(ConfigError, match="nothing is left") as caught:
        asked_of([*BASE, "search=none"])
    asked_of([*BASE, "search=none", *advised(str(caught.value))])


def test_a_study_with_a_name_that_needs_quotes():
    assert asked_of(['study="my study (1).journal"', *BASE[1:]]).folder.name == "my study (1)"


@pytest.mark.parametrize("devices", ["2", "auto", "-1", "[0,1]"])
def test_a_trial_has_one_device(devices):
    with pytest.raises(ConfigError, match="same command may be started several times") as caught:
        asked_of([*BASE, f"trainer.devices={devices}"])
    assert advised(str(caught.value)) == ["trainer.devices=1"]
    asked_of([*BASE, "trainer.devices=[1]"])


def test_help_says_what_is_searched_and_needs_no_optuna(capsys):
    assert main(["tune", "--help"]) == 0
    said = capsys.readouterr().out
    assert f"search=default    what is searched: {', '.join(spaces())}, none, or" in said
    for line in re.findall("python -m dualgaf tune (.+)", said)[1:]:
        typed = [word for word in shlex.split(line) if word != "search=my_space.yaml"]
        asked_of(typed)


def test_a_training_refuses_a_search_and_says_where_it_is_typed(capsys):
    with pytest.raises(ConfigError, match="a training searches nothing") as caught:
        check_overrides(["search=wide"])
    words = shlex.split(str(caught.value).rpartition("type ")[2])
    assert words[:4] == ["python", "-m", "dualgaf", "tune"]
    assert "model.width" in asked_of(words[4:]).space


def test_without_optuna_it_is_said_what_to_install():
    # In an interpreter of its own, which loads nothing that trains before it looks.
    script = (
        "import sys; sys.modules['optuna'] = None\n"
        "from dualgaf.cli import main\n"
        "status = main(['tune', 'study=s'])\n"
        "print(status, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "2 False\n"
    assert done.stderr.strip() == (
        'dualgaf: a search needs optuna, which is not installed; type pip install "dualgaf[tune]"'
    )
