"""Tutorials are followed by their blocks of code, in order; see docs/follow.py."""

import importlib.util
import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from dualgaf.training.config import check_overrides

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def program(name):
    """A program of docs, as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


follow = program("follow")


@pytest.fixture
def clone(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("an sdist has no .git: the tree is copied as git knows it")
    follow.copied(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(0)  # a plant is trained
@pytest.mark.parametrize("name", ["plant", "archive", "lightning"])
def test_a_tutorial_can_be_followed(name, clone):
    binaries = Path(sys.executable).parent
    active = follow.environment_of(binaries, PYTHONPATH=str(clone / "src"))
    followed = follow.follow((DOCS / f"{name}.md").read_text(), clone, active)
    assert len(followed) >= 4


@pytest.mark.parametrize("name", follow.TUTORIALS)
def test_what_a_tutorial_types_is_known(name):
    page = (DOCS / f"{name}.md").read_text()
    for line in re.findall(r"^python train\.py (?!-m)(.*)$", page, re.MULTILINE):
        words = [word.replace("data=plant", "data=ahu") for word in shlex.split(line)]
        check_overrides([word for word in words if not word.startswith("hydra.")])
    for name in re.findall(r"^python (docs/\S+\.py)", page, re.MULTILINE):
        assert (ROOT / name).exists()


def test_blocks_are_run_in_order_and_must_say_what_is_shown(tmp_path):
    page = """
```bash
echo "3 files"; echo; echo "x 1.5"
```

```text
...
x 2.5
```

```python
n = 1
```

```python
# kept.py
raise SystemExit("not run")
```

```python
print("n is", n)
```

```text
n is 1
```
"""
    environment = follow.environment_of(Path(sys.executable).parent)
    found = follow.follow(page, tmp_path, environment)
    assert [block.said for block in found] == ["3 files\n\nx 1.5\n", "", "", "n is 1\n"]
    assert "not run" in (tmp_path / "kept.py").read_text()
    assert "x 1.5\n```" in follow.written(page, found)
    assert follow.written(page, found).replace("x 1.5\n```", "x 2.5\n```") == page
    with pytest.raises(AssertionError, match="does not say 'm is 1'"):
        follow.follow(page.replace("\nn is 1\n", "\nm is 1\n"), tmp_path, environment)
    with pytest.raises(AssertionError, match="ended with 1"):
        follow.follow("```bash\nfalse\necho said\n```\n", tmp_path, environment)


def test_lines_in_another_order_are_not_what_is_shown():
    assert follow.unsaid("a 1\n...\nb 2\n", "a 3\nx\nb 4\n") is None
    assert follow.unsaid("b 1\n...\na 2\n", "a 3\nx\nb 4\n") == "a 2"
    assert follow.unsaid("a 1\nb 2\n", "a 3\nx\nb 4\n") is not None
    assert follow.unsaid("a 1 ...\n", "a 3 more\n") is None
    assert follow.unsaid("a 1 ...\n", "b 3 more\n") == "a 1 ..."


def test_the_exports_of_the_plant_are_as_the_page_says(tmp_path, monkeypatch):
    from dualgaf import TableSource, inspect_source
    from dualgaf.errors import DualGAFError

    monkeypatch.chdir(tmp_path)
    program("plant_exports").main()
    first = Path("plant/ahu3_week_1.csv").read_bytes().decode("cp1252").splitlines()
    fifth = Path("plant/ahu3_week_5.csv").read_text().splitlines()
    assert first[2].startswith("Date;Time;Supply air [°C];")
    assert re.match(r"02\.03\.2026;00:00;\d+,\d\d;", first[3])
    assert re.match(r"2026-03-29,00:00:00,\d+\.\d\d,", fifth[1])
    with pytest.raises(DualGAFError, match="has a fault in each row"):
        TableSource("plant").load()
    page = (DOCS / "plant.md").read_text()
    typed = dict(re.findall(r"^(\w+): (\S+)$", page, re.MULTILINE))
    source = TableSource(
        "plant",
        fault_log=typed["fault_log"],
        unlabelled=typed["unlabelled"],
        null_values=("", "-9999"),
        nan=typed["nan"],
        window_size=int(typed["window_size"]),
        stride=int(typed["stride"]),
    )
    told = str(inspect_source(source, seed=0))
    for line in follow.parts(follow.blocks(page)[3].shown)[0]:
        assert follow.masked(line) in [follow.masked(other) for other in told.splitlines()], line


def test_the_page_of_the_kernel_is_made_of_the_kernel():
    show = program("show_kernel")
    assert show.PAGE.read_text() == show.page(), "run: python docs/show_kernel.py"
    for picture in re.findall(r"\]\((\w+\.png)\)", show.page()):
        assert (DOCS / picture).exists()


def test_the_blocks_of_lightning_run(tmp_path, monkeypatch, capsys):
    """But for the one that starts processes; that is slow."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", os.environ.copy())  # seed_everything tells processes
    names = {}
    for block in follow.blocks((DOCS / "lightning.md").read_text()):
        if block.kind == "python" and not follow.FILE.match(block.text):
            exec(compile(block.text, "lightning.md", "exec"), names)
            assert follow.unsaid(block.shown, capsys.readouterr().out) is None
    assert all(value > 0.8 for value in names["found"].values())
