"""What ``resume=RUN`` stands for, and the line that says how to go on."""

import shlex
import string
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from dualgaf.errors import ConfigError
from dualgaf.training import ranks
from dualgaf.training.resume import in_full, resume_command


def hydra(task, own=(), sources=(), config_name="train"):
    overrides = {"task": [*task], "hydra": [*own]}
    runtime = {"config_sources": [{"path": path, "provider": "command-line"} for path in sources]}
    job = {"config_name": config_name}
    return OmegaConf.create({"hydra": {"overrides": overrides, "runtime": runtime, "job": job}})


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A folder ``RUN`` below the current one, as Hydra leaves it."""
    monkeypatch.chdir(tmp_path)
    folder = Path("RUN")
    (folder / ".hydra").mkdir(parents=True)
    typed = hydra(
        ["seed=3", "data.root='a b'", "resume=RUN"], ["hydra.run.dir=X", "hydra.mode=RUN"]
    )
    OmegaConf.save(typed, folder / ".hydra" / "hydra.yaml")
    return folder


def test_what_was_typed_for_the_run_is_typed_again_in_its_folder(run):
    assert in_full(["resume=RUN"]) == [
        "seed=3",
        "data.root='a b'",
        "hydra.run.dir=RUN",
        "resume=RUN",
    ]


@pytest.mark.parametrize("typed", [[], ["seed=1"], ["-m", "seed=1,2"], ["resume=null"]])
def test_without_a_run_nothing_is_put_in(typed):
    assert in_full(typed) == typed


def test_what_is_typed_beside_it_comes_in_the_place_of_what_was_typed(run):
    found = in_full(["trainer.max_epochs=9", "resume=RUN", "seed=4"])
    assert found == [
        *("data.root='a b'", "trainer.max_epochs=9", "seed=4"),
        *("hydra.run.dir=RUN", "resume=RUN"),
    ]


@pytest.mark.parametrize("is_sweep", [False, True])
def test_a_run_of_an_earlier_version_keeps_what_it_began_with(run, is_sweep):
    config = {
        "config_version": 2,
        "classifier": {"_target_": "dualgaf.DualGAFClassifier", "learning_rate": 0.002},
        "model": {"_target_": "dualgaf.DualGAFNet"},
    }
    if is_sweep:
        OmegaConf.save(hydra(["seed=0,1"]), run / "multirun.yaml")
        (run / "0/.hydra").mkdir(parents=True)
    OmegaConf.save(config, run / ("0/.hydra" if is_sweep else ".hydra") / "config.yaml")
    forest = "model.use_forest=false"
    assert [text for text in in_full(["resume=RUN"]) if text.startswith(("cl", "mo"))] == [
        *("classifier.learning_rate=0.002", forest),
    ]
    typed = in_full(["resume=RUN", "classifier.learning_rate=1"])
    assert [text for text in typed if text.startswith(("cl", "mo"))] == [
        *(forest, "classifier.learning_rate=1"),
    ]


def test_a_sweep_goes_on_as_a_sweep(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("S").mkdir()
    OmegaConf.save(hydra(["seed=0,1"], ["hydra.mode=MULTIRUN"]), "S/multirun.yaml")
    assert in_full(["resume=S"]) == ["-m", "seed=0,1", "hydra.sweep.dir=S", "resume=S"]
    assert in_full(["-m", "resume=S"])[0] == "-m"


def test_a_configuration_of_ones_own_is_found_again(run):
    own = hydra(["seed=3"], sources=["/my/conf"], config_name="mine")
    OmegaConf.save(own, run / ".hydra" / "hydra.yaml")
    there = ["--config-dir", "/my/conf", "--config-name", "mine"]
    assert in_full(["resume=RUN"])[:4] == there
    here = ["--config-dir", "/other", "--config-name", "mine", "resume=RUN"]
    assert in_full(here)[:4] == here[:4]  # no flag behind an override
    assert in_full(here).count("--config-dir") == 1


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (["resume=nowhere"], "resume=nowhere is not the folder of a run: there is no nowhere/.hyd"),
        (["resume=RUN/checkpoints/last.ckpt"], "type resume=RUN, with the folder"),
        (["resume=RUN", "hydra.run.dir=B"], "resume=RUN goes on in RUN; leave hydra.run.dir=B out"),
        (["-m", "resume=RUN"], "goes on with one run; leave -m out"),
        (["resume=a[b"], """cannot be read by Hydra; type 'resume="a[b"'"""),
    ],
)
def test_what_is_no_run_or_another_folder_is_refused(run, typed, text):
    with pytest.raises(ConfigError, match="resume=") as refused:
        in_full(typed)
    assert text in str(refused.value)


NAMES = st.text(string.ascii_letters + " ,=$'\"\\äé[]{}()#%:~.-", min_size=1).filter(
    lambda name: name.strip(" .") == name and name not in (".", "..")
)


@given(NAMES)
def test_the_line_means_the_folder_whatever_its_name_is(name):
    words = shlex.split(resume_command(Path(name)))
    override = OverridesParser.create().parse_override(words[-1])
    assert (override.key_or_group, override.value()) == ("resume", name)


def test_the_line_begins_as_the_command_was_typed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(tmp_path / "train.py")])
    assert resume_command(tmp_path / "runs" / "a") == "python train.py resume=runs/a"
    monkeypatch.setattr(ranks, "first_words", first := ["train"])
    monkeypatch.setattr("dualgaf.training.resume.first_words", first)
    assert resume_command(tmp_path / "runs" / "a") == "python -m dualgaf train resume=runs/a"


def test_an_option_of_the_trainer_that_was_added_is_there_now(run):
    typed = hydra(["+trainer.max_steps=3", "+trainer.mine=1", "+extra.key=2"])
    OmegaConf.save(typed, run / ".hydra" / "hydra.yaml")
    assert in_full(["resume=RUN"])[:3] == ["trainer.max_steps=3", "+trainer.mine=1", "+extra.key=2"]
