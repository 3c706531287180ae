"""What README.md and the docs say is run, and what they name is there."""

import dataclasses
import re
import textwrap
import tomllib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

import dualgaf

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(dualgaf.__file__).parent
OTHERS = ("README.md", "CONTRIBUTING.md", "changes/README.md", "findings/README.md")
PAGES = [*(ROOT / name for name in OTHERS), *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text()
MEMORY = (ROOT / "docs" / "memory.md").read_text()
COMMANDS = (ROOT / "docs" / "commands.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def test_python_examples_of_the_readme_run():
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 3
    names = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert names["fields"].shape == (100, 2, 6, 24, 24)
    assert names["gasf"].shape == names["gadf"].shape == (32, 6, 48, 48)
    assert (names["dm"].num_classes, names["dm"].image_size) == (5, 24)


def test_the_readme_compares_with_what_is_installed():
    """Its table names versions; tsai is not among the packages of the tests, its wheel was read."""
    (head,) = re.findall(r"^\| \| (dualgaf .*) \|$", README, re.MULTILINE)
    told = dict(cell.split() for cell in head.split(" | "))
    assert list(told) == ["dualgaf", "pyts", "tsai", "aeon"]
    for name in ("pyts", "aeon"):
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
        assert told[name] == version(name), "read it anew"
    assert told["dualgaf"] == dualgaf.__version__
    pyts, aeon = (Path(find_spec(name).origin).parent for name in ("pyts", "aeon"))  # not imported
    assert not (pyts / "image" / "gaf.py").exists()  # what tsai 1.0.1 imports
    assert (pyts / "image" / "_mtf.py").exists()
    listed = (pyts / "classification" / "__init__.py").read_text().split("__all__")[1]
    assert len(re.findall(r'"\w+"|\'\w+\'', listed)) == 6
    assert not any("gramian" in file.read_text().lower() for file in aeon.rglob("*.py"))


def test_the_readme_is_short():
    assert len(re.findall(r"\w[\w'.-]*", README)) <= 1700


def test_the_recipes_of_contributing_run():
    def blocks(kind):
        found = re.findall(rf"^ *```{kind}\n(.*?)^ *```", CONTRIBUTING, re.DOTALL | re.MULTILINE)
        return [textwrap.dedent(block) for block in found]

    import torch

    from dualgaf import DualGAFDataModule

    names = {}
    for block in blocks("python"):
        exec(compile(block, "CONTRIBUTING.md", "exec"), names)
    for side in (2, 100):
        images = torch.zeros(2, 3, side, side)
        assert names["GridExtractor"](8, in_channels=3)(images).shape == (2, 8)
    source = names["WaveSource"]()
    dm = DualGAFDataModule(source)
    dm.setup("fit")
    assert dm.class_names == ("fast", "slow")
    dm.close()
    (conf,) = map(yaml.safe_load, blocks("yaml"))
    assert set(conf) - {"_target_"} <= {field.name for field in dataclasses.fields(source)}


def test_every_file_that_contributing_names_is_there():
    for name in re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", CONTRIBUTING):
        own = re.search(r"NAME|grid|waves|^build/", name)  # what the reader makes
        # make wheel has the package elsewhere
        places = (ROOT / name, PACKAGE.parent / name.removeprefix("src/"))
        assert own or any(map(Path.exists, places)) or name.startswith(".venv/"), name


def test_the_citation_has_no_version_that_could_be_another():
    told = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (told["cff-version"], told["title"]) == ("1.2.0", project["name"])
    assert (told["license"], told["keywords"]) == (project["license"], project["keywords"])
    assert told["abstract"] == project["description"]
    assert not {"version", "date-released"} & set(told)


@pytest.mark.parametrize(
    "script", sorted((ROOT / "findings").glob("*.sh")), ids=lambda script: script.name
)
def test_a_finding_has_its_form(script):
    text = script.read_text()
    head = text.split("set -euo pipefail")[0]
    for word in ("Package", "Expected", "Seen", "Here"):
        assert f"# {word}:" in head, word
    installs = [line for line in text.splitlines() if "pip install" in line]
    assert installs
    assert all(re.search(r"\w==[\d.]+", line) for line in installs)
    assert not re.search(r"^\s*(import|from) dualgaf", text, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"`[^`\n]*`", "", page.read_text())  # a name in code may look like a link
    for target, _, anchor in re.findall(r"\]\(([^)#\s]*)(#([^)\s]+))?\)", text):
        goal = page.parent / target if target else page
        assert target.startswith("http") or goal.exists(), target
        assert not anchor or goal.suffix != ".md" or anchor in anchors(goal), f"{target}#{anchor}"


def anchors(page):
    """What GitHub and the site call the headings of a page."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    names = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return {f"{name}-{names[:n].count(name)}".removesuffix("-0") for n, name in enumerate(names)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tests_that_are_named_exist(page):
    for path in re.findall(r"`(tests/[\w/.]+)", page.read_text()):
        assert (ROOT / path).exists(), path


def test_the_preset_table_is_that_of_conf():
    rows = re.findall(
        r"^\| `(\w+)` \| ([^|]+) \| half \| ([^|]+) \| ([^|]+) \|$", MEMORY, re.MULTILINE
    )
    told = {name: (memory, jobs, chunk) for name, memory, jobs, chunk in rows}
    words = {"auto": "what is free", -1: "all CPUs"}
    kept = {}
    for path in (ROOT / "conf" / "hardware").glob("*.yaml"):
        preset = yaml.safe_load(path.read_text())
        assert preset["store_fraction"] == 0.5
        memory = words.get(preset["memory"], preset["memory"].replace("GiB", " GiB"))
        jobs = str(words.get(preset["n_jobs"], preset["n_jobs"]))
        chunk = str(preset["chunk_size"]).replace("auto", "`auto`")
        kept[path.stem] = (memory, jobs, chunk)
    assert told == kept


def test_every_flag_of_the_table_is_a_setting():
    from dualgaf.training.config import check_overrides

    table = COMMANDS.split("## From the earlier script's flags")[1].split("##")[0]
    settings = set(re.findall(r"`((?:parallel|model|trainer|hardware)[.\w]*)=", table))
    assert len(settings) >= 8
    check_overrides([f"{key}=0" if key != "hardware" else "hardware=8gb" for key in settings])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_emoji(page):
    assert not re.search("[\N{HORIZONTAL ELLIPSIS}\U0001f300-\U0001faff]", page.read_text())
