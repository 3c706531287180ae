"""docs/interface.md says what the code has, and no more; docs/architecture.md likewise."""

import ast
import importlib.util
import inspect
import json
import re
import tomllib
from pathlib import Path

import pytest

import dualgaf
from dualgaf.cli import COMMANDS
from dualgaf.training.config import load_config, make_data
from dualgaf.training.run import train

ROOT = Path(__file__).resolve().parents[2]
INTERFACE = (ROOT / "docs" / "interface.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def rows(page, title):
    """Cells of the first table below a title."""
    table = page.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def named(page, words):
    """Names in backquotes between these words and the end of the paragraph."""
    return re.findall(r"`([\w/]+)`", page.split(words)[1].split("\n\n")[0])


def test_the_commands_are_all_there():
    told = {
        row[0].strip("`").removeprefix("python -m dualgaf ") for row in rows(INTERFACE, "Commands")
    }
    assert told == set(COMMANDS)


@pytest.fixture(scope="module")
def composed():
    return load_config([])


@pytest.mark.parametrize("row", rows(INTERFACE, "Options of `train.py`"), ids=lambda row: row[0])
def test_an_option_is_a_key_and_its_values_are_allowed(row, composed):
    option, told = row[0].strip("`"), row[1].partition(";")[0]
    values = re.findall(r"`([\w-]+)`", told.partition("(")[0])
    if (ROOT / "conf" / option).is_dir():  # test_configs composes every file
        assert {*values} <= {path.stem for path in (ROOT / "conf" / option).glob("*.yaml")}
    elif option != "ckpt_path":
        for value in values:
            load_config([f"{option}={value}"])
    node = composed
    if option == "launcher":  # its keys are Hydra's own
        return
    for part in option.split("."):
        assert part in node, option
        node = node[part]


def test_the_public_names_are_all_there():
    told = named(INTERFACE, "Public names: ")
    assert sorted(told) == sorted({*dualgaf.__all__, *told} - {"dualgaf"})
    assert set(dualgaf.__all__) == set(told)


def test_the_data_module_takes_and_has_what_is_told():
    parameters = inspect.signature(dualgaf.DualGAFDataModule.__init__).parameters
    paragraph = INTERFACE.split("Keywords of the DataModule: ")[1]
    told = re.findall(r"`(\w+)`", paragraph.split(". What")[0])
    assert told == [name for name in parameters if name not in ("self", "source")]
    for name in re.findall(r"`(\w+)`", paragraph.split("Attributes: ")[1].split("\n\n")[0]):
        assert hasattr(dualgaf.DualGAFDataModule, name), name


def test_a_run_leaves_the_files_and_keys_that_are_told(tmp_path):
    typed = [
        "data=simulated",
        "data.n_windows=40",
        "data.window_size=24",
        "trainer.max_epochs=1",
        "logger=csv",
    ]
    cfg = load_config([*typed, f"paths.run_dir={tmp_path}"])
    train(cfg)
    make_data(cfg).close()
    keys = re.findall(
        r"`((?:fit|refit|val|test|model|build)/\w+)`", INTERFACE.split("Metric keys: ")[1]
    )
    assert sorted(json.loads((tmp_path / "metrics.json").read_text())) == sorted(keys)
    for row in rows(INTERFACE, "Files of a run"):
        name = row[0].strip("`")
        assert name == ".hydra/" or (tmp_path / name).exists(), name


def test_every_stop_of_the_walk_is_a_function():
    stops = rows(ARCHITECTURE, "From a row to a logit")
    assert 10 <= len(stops) <= 17
    for number, (count, _, file, function) in enumerate(stops, 1):
        assert int(count) == number
        tree = ast.parse((ROOT / "src" / "dualgaf" / file.strip("`")).read_text())
        *above, name = function.strip("`").split(".")
        for owner in above:
            (tree,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == owner)
        assert name in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}, function


def test_every_contract_and_every_room_is_explained():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    assert [row[0] for row in rows(ARCHITECTURE, "Walls")] == [each["name"] for each in contracts]
    told = {row[0].strip("`/").removesuffix(".py") for row in rows(ARCHITECTURE, "Rooms")}
    found = (ROOT / "src" / "dualgaf").iterdir()
    here = {path.stem for path in found if path.suffix in ("", ".py") and path.name[0] != "_"}
    assert told == here


def test_the_drawing_is_of_todays_imports():
    spec = importlib.util.spec_from_file_location("drawing", ROOT / "docs" / "draw_architecture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PICTURE.read_text() == module.drawing(), "run: python docs/draw_architecture.py"
