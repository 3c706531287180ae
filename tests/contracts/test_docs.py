"""What README.md and the docs say is run, and what they name is there."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text()


def test_python_examples_of_the_readme_run():
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 3
    names = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert names["fields"].shape == (100, 2, 6, 24, 24)
    assert names["gasf"].shape == names["gadf"].shape == (32, 6, 48, 48)
    assert (names["dm"].num_classes, names["dm"].image_size) == (5, 24)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_that_are_named_exist(page):
    for path in re.findall(r"`(tests/[\w/.]+)", page.read_text()):
        assert (ROOT / path).exists(), path


def test_the_preset_table_is_that_of_conf():
    rows = re.findall(
        r"^\| `(\w+)` \| ([^|]+) \| half \| ([^|]+) \| ([^|]+) \|$", README, re.MULTILINE
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

    table = README.split("### From the earlier script's flags")[1].split("##")[0]
    settings = set(re.findall(r"`((?:parallel|model|trainer|hardware)[.\w]*)=", table))
    assert len(settings) >= 8
    check_overrides([f"{key}=0" if key != "hardware" else "hardware=8gb" for key in settings])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_emoji(page):
    assert not re.search("[\N{HORIZONTAL ELLIPSIS}\U0001f300-\U0001faff]", page.read_text())
