"""What `make docs` builds is complete: the API, the findings, the first page."""

import importlib
import importlib.util
import json
import re
from pathlib import Path

import pytest

import dualgaf
from dualgaf.cli import main

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SKINS = ("aeon", "pyts", "sklearn")
START = (DOCS / "start.md").read_text()


def shown(page):
    """Names that a page of the API documents."""
    return re.findall(r"^\.\. auto(?:class|function):: (\w+)$", page.read_text(), re.MULTILINE)


def test_every_public_name_is_on_one_page_of_the_api():
    pages = [page for page in (DOCS / "api").glob("*.md") if page.stem not in ("index", *SKINS)]
    assert sorted(name for page in pages for name in shown(page)) == sorted(dualgaf.__all__)


@pytest.mark.parametrize("name", SKINS)
def test_every_name_of_a_skin_is_on_its_page(name):
    page, module = DOCS / "api" / f"{name}.md", importlib.import_module(f"dualgaf.{name}")
    assert shown(page) == module.__all__
    assert f".. automodule:: dualgaf.{name}\n" in page.read_text()
    for each in module.__all__:
        assert ">>>" in getattr(module, each).__doc__, each


@pytest.mark.parametrize("name", dualgaf.__all__)
def test_every_public_name_has_an_example(name):
    assert ">>>" in getattr(dualgaf, name).__doc__


def test_every_page_is_in_the_contents():
    """Sphinx warns of a page that is not, but only of pages that it reads."""
    listed = set()
    for page in (DOCS / "index.md", DOCS / "api" / "index.md"):
        for block in re.findall(r"```{toctree}\n(.*?)```", page.read_text(), re.DOTALL):
            names = [line for line in block.splitlines() if line and line[0] != ":"]
            listed |= {(page.parent / f"{name}.md").relative_to(DOCS) for name in names}
    there = {page.relative_to(DOCS) for page in DOCS.rglob("*.md")}
    alone = {page for page in there - listed if page.parts[0] != "design"}
    assert alone == {Path("index.md"), Path("search.md")}
    assert not {page.stem for page in listed} & {"search", "genindex", "modindex", "py-modindex"}


def test_what_sphinx_would_write_over_is_shown_by_another_page():
    conf = (DOCS / "conf.py").read_text()
    assert re.search(r'exclude_patterns = \[.*"search.md"\]', conf)
    assert '"searched": "docs/search.md"' in conf


def test_the_gallery_has_a_dozen_examples_that_start_no_process():
    """`make docs` runs them, and a gallery that waits for a process had not ended."""
    examples = sorted((DOCS / "examples").glob("plot_*.py"))
    assert len(examples) >= 12
    for example in examples:
        text = example.read_text()
        assert re.match(r'"""\n?[^\n]+\n=+\n\n\S', text), example.name
        assert not re.search(r"num_workers|ddp|backend=|subprocess|multiprocessing", text)


def test_the_notebook_is_that_of_the_gallery_and_has_its_outputs():
    pytest.importorskip("sphinx_gallery")
    spec = importlib.util.spec_from_file_location("notebook", DOCS / "write_notebook.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kept = json.loads(module.NOTEBOOK.read_text())["cells"]
    told = [(cell["cell_type"], "".join(cell["source"])) for cell in kept]
    wanted = [(cell.cell_type, cell.source) for cell in module.cells().cells]
    assert told == wanted, "run: python docs/write_notebook.py"
    outputs = [out for cell in kept for out in cell.get("outputs", [])]
    assert any("image/png" in out.get("data", {}) for out in outputs)
    assert any("right: " in "".join(out.get("text", "")) for out in outputs)


def test_the_findings_are_those_of_the_scripts():
    spec = importlib.util.spec_from_file_location("findings", DOCS / "write_findings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text() == module.page(), "run: python docs/write_findings.py"


def test_start_is_read_in_two_minutes():
    """At 200 words a minute, code included."""
    assert len(re.findall(r"\w[\w'.-]*", START)) <= 400


def test_start_makes_the_picture_that_it_shows(tmp_path, monkeypatch, capsys):
    (typed,) = re.findall(r"^python -m dualgaf (preview .*)$", START, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    assert main(typed.split()) == 0
    assert (tmp_path / "preview.png").stat().st_size > 10_000
    told = capsys.readouterr().out
    assert "class Running, 64 x 64 pixels" in told
    assert START.count("](preview.png)") == 1


def test_start_explains_the_colours_as_they_are():
    low, high = (0, 1), (1, 0)  # where a step of each value is: the series falls, or rises
    for first, second in (low, high):
        fields = dualgaf.dual_gaf([[[first, second]]], feature_range=(0, 1))[0, :, 0]
        at = {first: 0, second: 1}
        assert fields[0, at[1], at[1]] == pytest.approx(1)  # both high: red
        assert fields[0, at[0], at[0]] == pytest.approx(-1)  # both low: blue
        assert fields[1, at[0], at[1]] == pytest.approx(1)  # rises from row to column: red
        assert fields[1, at[1], at[0]] == pytest.approx(-1)
