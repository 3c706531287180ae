"""Every file under conf/ composes, and its keys are the parameters of what it constructs."""

import inspect
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf

CONF = Path(__file__).resolve().parents[2] / "conf"
GROUPS = sorted(path.parent.name for path in CONF.glob("*/*.yaml"))
# Those of search/ are no part of a run: tests/search/test_options.py reads them.
FILES = sorted(
    f for path in CONF.glob("*/*.yaml") if (f := path.relative_to(CONF)).parts[0] != "search"
)
NEEDED = {"ahu": ["data.root=."], "energyplus": ["data.root=."]}


def composed(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=["paths.run_dir=run", *overrides])


def skip_without(file):
    """Hydra composes a launcher where it is installed."""
    plugin = {"here": "joblib", "slurm": "submitit"}.get(file.stem)
    if file.parent.name == "launcher" and plugin is not None:
        pytest.importorskip(f"hydra_plugins.hydra_{plugin}_launcher", reason="an optional package")


def constructed(node, path=""):
    if isinstance(node, DictConfig):
        if "_target_" in node:
            yield path, node
        for key in node:
            if not OmegaConf.is_missing(node, key):
                yield from constructed(node[key], f"{path}.{key}")


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_file_composes_and_every_key_is_a_parameter(file):
    skip_without(file)
    group, option = file.parent.name, file.stem
    if group == "hydra":
        overrides = [f"hydra={option}"]
    else:
        overrides = [f"{group}={option}", *NEEDED.get(option, [])]
    cfg = composed(*overrides)
    nodes = list(constructed(cfg))
    assert len(nodes) >= 8
    for path, node in nodes:
        parameters = inspect.signature(get_class(node["_target_"])).parameters
        unknown = set(node) - {"_target_", "_partial_"} - set(parameters)
        assert not unknown, f"{path}: {unknown} are not parameters of {node['_target_']}"


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_file_says_what_to_type(file):
    lines = (CONF / file).read_text().splitlines()
    # Hydra reads the package only from the very first line.
    first = lines[1] if lines[0] == "# @package _global_" else lines[0]
    assert first.startswith("# ")
    if file.parent.name not in ("hydra",):
        assert "python train.py" in first, first


@pytest.mark.parametrize(
    "file",
    [f for f in FILES if f.parent.name in ("ablation", "debug", "experiment", "sweep")],
    ids=str,
)
def test_overrides_reach_the_configuration(file):
    told = OmegaConf.load(CONF / file)
    told.pop("defaults", None)  # which other files it takes; what they say is not its own
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(
            "train",
            overrides=["paths.run_dir=run", f"{file.parent.name}={file.stem}"],
            return_hydra_config=True,
        )
    assert file.parent.name not in cfg
    for key, value in told.items():
        merged = OmegaConf.merge(cfg[key], value)
        assert OmegaConf.to_container(merged) == OmegaConf.to_container(cfg[key])


def test_all_presets_have_the_same_keys():
    keys = {tuple(OmegaConf.load(path)) for path in (CONF / "hardware").glob("*.yaml")}
    assert len(keys) == 1


@pytest.mark.parametrize("preset", ["auto", "8gb", "16gb", "32gb"])
def test_a_preset_reaches_the_pool_and_the_data_module(preset, monkeypatch):
    from dualgaf.plan.preset import HardwarePreset

    cfg = composed(f"hardware={preset}", "data=simulated")
    data = instantiate(cfg.datamodule, _convert_="all")
    named = HardwarePreset.named(preset)
    assert data.preset == named
    assert (data.pool.n_jobs, data.pool.chunk_size) == (named.n_jobs, named.chunk_size)


def test_what_the_user_asks_for_is_never_replaced():
    cfg = composed("hardware=8gb", "data=simulated", "parallel.chunk_size=7", "parallel.n_jobs=3")
    data = instantiate(cfg.datamodule, _convert_="all")
    assert (data.pool.n_jobs, data.pool.chunk_size) == (3, 7)


def test_the_defaults_of_conf_are_those_of_the_constructors():
    cfg = composed()
    for path, node in constructed(cfg):
        if not node["_target_"].startswith("dualgaf."):
            continue
        parameters = inspect.signature(get_class(node["_target_"])).parameters
        for key, value in node.items():
            default = parameters[key].default if key in parameters else inspect.Parameter.empty
            told = path in (".parallel", ".hardware") or isinstance(value, DictConfig)
            if told or key.startswith("_") or default is inspect.Parameter.empty:
                continue
            assert value == default, f"{path}.{key}: {value} in conf, {default} in Python"
