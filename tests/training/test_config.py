import re
from contextlib import closing

import pytest
from omegaconf import OmegaConf

from dualgaf.errors import ConfigError
from dualgaf.training.config import check_overrides, load_config, make_data, own_error


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["-m", "parallel.chunk_size=5,10", "model.use_statistics=true,false"],
        ["data=simulated", "data.n_windows=5", "+extra.key=1", "~logger.csv"],
        ["data=ucr", "hydra.run.dir=here", "data.name=[a", "hardware=64gb"],
        ["data.split.method=group", "callbacks.early_stopping.patience=3"],
    ],
    ids=str,
)
def test_known_keys_and_what_hydra_explains_itself_pass(overrides):
    check_overrides(overrides)


@pytest.mark.parametrize(
    ("override", "text"),
    [
        (
            "data.nme=X",
            "there is no data.nme; allowed after 'data.': name, root, download, archive",
        ),
        ("data.split.methd=X", "type data.split.method=X"),
        ("seeds=1", "there is no seeds; allowed after 'the start': task, ckpt_path"),
        ("trainer.epochs=1", "type trainer.max_epochs=1"),
    ],
)
def test_an_unknown_key_is_answered_with_those_beside_it(override, text):
    with pytest.raises(ConfigError, match=re.escape(text)):
        check_overrides([override])


def test_an_unknown_option_of_a_group_is_one_line_with_the_options():
    with pytest.raises(ConfigError, match="allowed: 16gb, 32gb, 8gb, auto; type hardware=16gb"):
        load_config(["hardware=64gb"])


def test_what_is_missing_is_named_as_it_is_typed():
    with pytest.raises(ConfigError, match=re.escape("data.root is missing; type data.root=...")):
        make_data(load_config(["data=ahu"]))


def test_the_cause_is_found_under_what_hydra_wraps():
    inner, outer = ConfigError("inner"), RuntimeError("outer")
    outer.__cause__ = inner
    assert own_error(outer) is inner
    assert own_error(ValueError("foreign")) is None


def test_what_is_looked_up_for_the_data_is_not_written_into_the_configuration(monkeypatch):
    monkeypatch.setenv("SET", "GunPoint")
    cfg = load_config(["data=ucr", "data.name=${oc.env:SET}"])
    with closing(make_data(cfg)) as data:
        assert data.source.name == "GunPoint"
    stored = OmegaConf.to_container(cfg, resolve=False)
    assert stored["data"]["name"] == "${oc.env:SET}"
    assert stored["datamodule"]["source"] == "${data}"
