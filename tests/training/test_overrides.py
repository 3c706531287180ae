"""What is typed for a name comes back as that name."""

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.errors import ConfigError, typed_option
from dualgaf.training.overrides import check_overrides

PARSER = OverridesParser.create()
ODD = ["null", "True", "1", "1e5", "a\\", 'a"b', 'a\\"b', "it's", "(1)", "a,b", " x "]
LETTERS = st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp"))
NAMES = st.text(LETTERS, min_size=1) | st.sampled_from(ODD)


def read(typed):
    """What Hydra makes of words that a shell has cut."""
    (word,) = shlex.split(typed)
    return PARSER.parse_override(word).value()


@given(NAMES)
def test_a_name_is_typed_so_that_it_comes_back(name):
    assert read(typed_option("data.label_column", name)) == name


@given(st.lists(NAMES, min_size=1, max_size=3))
def test_a_list_of_names_is_typed_so_that_it_comes_back(names):
    assert read(typed_option("data.channels", names)) == names


@pytest.mark.parametrize(
    ("typed", "advice"),
    [
        ("epochs=5", "trainer.max_epochs=5"),
        ("lr=0.1", "classifier.learning_rate=0.1"),
        ("batch_size=32", "datamodule.batch_size=32"),
        ("root=here", "data.root=here"),
        ("window=12", "data.window_size=12"),
        ("image_size=8", "datamodule.image_size=8"),
        ("gpus=2", "trainer.devices=2"),
        ("image=on_device", "images=on_device"),
        ("label=fault", "data=ahu data.label_column=fault"),
        ("trainer.limit_val_batch=0", "trainer.limit_val_batches=0"),
        ("root=AHU Süd (1)", "'data.root=\"AHU Süd (1)\"'"),
        ("model=resnet", "model=resnet18_gaf"),
        ("logger=tensorbord", "logger=tensorboard"),
        ("logger=[csv,mlfow]", "logger=[csv,mlflow]"),
        (
            "logger=csv,mlflow",
            "logger=[csv,mlflow] for all of them at once, or type -m logger=csv,mlflow",
        ),
        ("callbacks=null", "~callbacks"),
        ("~hardware", "hardware=auto"),
        ("hidden=3", "python train.py --cfg job to see every key"),
    ],
)
def test_the_key_that_is_meant_is_what_to_type(typed, advice):
    with pytest.raises(ConfigError) as caught:
        check_overrides([typed])
    assert str(caught.value).endswith(f"; type {advice}")


@pytest.mark.parametrize(
    "typed",
    [
        ["~callbacks", "~logger", "~trainer.gradient_clip_val"],
        ["+trainer.limit_val_batches=0", "++trainer.max_epochs=3", "+extra.key=1"],
        ["hydra/launcher=basic", "hydra.run.dir=here", "+callbacks.mine._target_=a.B"],
        ["data=ahu", "data.channels=[a,b]", "data.label_column='Störung, alt'"],
        ["--config-dir", "elsewhere", "model=mine"],
        ["-m", "model=rich,timm", "seed=1,2"],
    ],
)
def test_what_can_be_meant_so_passes(typed):
    check_overrides(typed)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("~experiment", "~experiment: no experiment is in force unless one is typed; leave"),
        (
            "debug=null",
            "debug=null: no debug is in force unless one is typed; leave debug=n",
        ),
    ],
)
def test_a_group_of_which_nothing_is_in_force_cannot_be_left_out(typed, says):
    with pytest.raises(ConfigError) as caught:
        check_overrides([typed])
    assert str(caught.value).startswith(says)
