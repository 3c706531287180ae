"""Old names: refused where they are typed, with the new one; read where they are stored."""

import re

import pytest

from dualgaf import DualGAFNet, HybridFocalLoss
from dualgaf.errors import ConfigError
from dualgaf.renamed import CHOICES, OPTIONS, TARGETS, check_typed, current_config, typed_for
from dualgaf.training.config import check_overrides, load_config


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (
            "model.use_kernels=false",
            "is now called model.use_minirocket; type model.use_minirocket=false",
        ),
        ("+model.use_kernels=false", "type model.use_minirocket=false"),
        ("loss.share=0.3", "loss.share is now called loss.weight; type loss.weight=0.3"),
        ("model=auto", "model=auto is now called model=largest; type model=largest"),
        ("model.extractor=null", "type model.extractor=auto"),
        ("model.fusion=null", "type model.fusion=auto"),
    ],
)
def test_an_old_name_that_is_typed_is_answered_with_the_new_one(typed, told):
    with pytest.raises(ConfigError, match=re.escape(told)):
        check_overrides([typed])
    advised = told.rpartition("type ")[2]
    group = ["loss=hybrid_focal"] if advised.startswith("loss") else []
    load_config([*group, advised])  # what it says to type works


@pytest.mark.parametrize(
    "text", ["model.use_minirocket=false", "data.name=null", "model=per_signal"]
)
def test_other_overrides_pass(text):
    check_typed(text)


def test_an_old_keyword_is_answered_with_the_new_one():
    with pytest.raises(
        ConfigError, match=r"use_kernels is now called use_minirocket; type use_mini.*=False"
    ):
        DualGAFNet(3, 2, use_kernels=False)
    with pytest.raises(ConfigError, match=r"share is now called weight; type weight=0.3"):
        HybridFocalLoss(share=0.3)
    with pytest.raises(TypeError, match="nonsense"):
        DualGAFNet(3, 2, nonsense=1)


def test_every_new_name_exists():
    for new in OPTIONS.values():
        group, _, key = new.partition(".")
        cfg = load_config(["loss=hybrid_focal"] if group == "loss" else [])
        assert key in cfg[group]
    for choice in CHOICES.values():
        load_config([choice])
    import dualgaf

    for target in TARGETS.values():
        assert hasattr(dualgaf, target.removeprefix("dualgaf."))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"extractor": None, "fusion": None, "use_kernels": True}, ("auto", "auto")),
        ({"extractor": "auto", "fusion": "early", "use_kernels": True}, ("largest", "early")),
        ({"extractor": "auto", "fusion": "auto", "use_minirocket": True}, ("auto", "auto")),
        (
            {"extractor": {"_target_": "my.Net"}, "fusion": None, "use_kernels": False},
            ({"_target_": "my.Net"}, "auto"),
        ),
    ],
)
def test_what_auto_and_null_meant_goes_by_the_age_of_the_configuration(old, new):
    model = current_config({"model": old})["model"]
    assert (model["extractor"], model["fusion"]) == new
    assert "use_kernels" not in model
    assert model["use_forest"] is False


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ({"use_minirocket": True}, False),
        ({"use_minirocket": False, "use_forest": True}, True),
        ({"_target_": "my.Net", "depth": 3}, None),
    ],
)
def test_a_network_from_before_the_forest_has_none(model, wanted):
    assert current_config({"model": model})["model"].get("use_forest") is wanted


def test_targets_of_a_stored_configuration_are_public_names():
    old = {"data": {"_target_": "dualgaf.series.table.TableSource", "split": {"_target_": "x.Y"}}}
    assert current_config(old) == {
        "data": {"_target_": "dualgaf.TableSource", "split": {"_target_": "x.Y"}},
        "config_version": 3,
    }


@pytest.mark.parametrize(
    ("stored", "method"),
    [
        ({"data": {"split": {"method": "time"}}}, "within"),
        ({"data": {"split": {"method": "group"}}}, "group"),
        ({"data": {"split": {"method": "time"}}, "config_version": 2}, "time"),
    ],
)
def test_a_split_by_time_of_before_stays_what_it_was(stored, method):
    assert current_config(stored)["data"]["split"]["method"] == method


def test_a_new_run_folder_says_what_its_values_mean():
    assert load_config(["data=ahu", "data.root=x"]).config_version == 3


def test_a_run_of_an_earlier_version_goes_on_with_what_it_began_with():
    ours = {"_target_": "dualgaf.DualGAFClassifier", "mixup": 0.4}
    old = {"classifier": ours, "model": {"_target_": "dualgaf.DualGAFNet"}, "config_version": 2}
    assert typed_for(old) == ["classifier.learning_rate=0.002", "model.use_forest=false"]
    assert current_config(old)["model"]["use_forest"] is False
    told = {**old, "classifier": {**ours, "learning_rate": 0.5}}
    assert current_config(told)["classifier"]["learning_rate"] == 0.5
    own = {**old, "model": {"_target_": "my.Net"}}
    assert typed_for(own) == ["classifier.learning_rate=0.002"]
    assert current_config(own)["model"] == {"_target_": "my.Net"}
    new = {**old, "config_version": 3}
    assert typed_for(new) == []
    assert current_config(new) == new
