"""The programs in .ci, and the make targets that pages name."""

import importlib.util
import io
import re
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(
    not (ROOT / ".ci").is_dir(), reason="an sdist has no .ci: what CI runs is of the repository"
)


def program(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lower_bounds_are_those_of_hard_dependencies_but_torch():
    text = """
[project]
dependencies = [
  "numpy>=2.0", "torch>=2.4", "lightning>=2.6,!=2.6.2", "tqdm", "hydra-core>=1.3,<1.4",
]
optional-dependencies.dev = ["pytest>=8"]
"""
    assert program("lower_bounds").lower_bounds(text) == [
        "numpy==2.0",
        "lightning==2.6",
        "hydra-core==1.3",
    ]


def test_a_file_that_the_sdist_lacks_is_named(tmp_path):
    sdist = tmp_path / "dualgaf-1.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        for name in ("dualgaf-1/README.md", "dualgaf-1/src/dualgaf/errors.py"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    tracked = ["README.md", "src/dualgaf/errors.py", ".ci/run", ".gitignore", "conf/train.yaml"]
    assert program("check_sdist").missing(sdist, tracked) == ["conf/train.yaml"]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", ".ci/run", "findings/README.md"])
def test_every_make_target_that_a_page_names_is_there(page):
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    code = re.findall(r"^make ([\w-]+)|`make ([\w-]+)`", (ROOT / page).read_text(), re.MULTILINE)
    assert {one or other for one, other in code} <= set(targets)


def test_no_layer_is_tested_twice_or_not_at_all():
    """`make test` runs the folders of ALONE one test at a time, and all others in two processes."""
    makefile = (ROOT / "Makefile").read_text()
    alone = re.search(r"^ALONE := (.*)$", makefile, re.MULTILINE)[1].split()
    assert all((ROOT / folder).is_dir() for folder in alone)
    assert "$(BIN)/python -m pytest -n 2 $(addprefix --ignore=,$(ALONE))\n" in makefile
    assert "$(BIN)/python -m pytest $(ALONE)\n" in makefile
