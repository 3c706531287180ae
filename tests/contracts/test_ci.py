"""The programs in .ci, and the make targets that pages name."""

import importlib.util
import io
import os
import re
import subprocess
import sys
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


OUTSIDE = """
import importlib.util

spec = importlib.util.spec_from_file_location("ours", {path!r})
ours = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ours)
pytest_xdist_make_scheduler = ours.pytest_xdist_make_scheduler
"""
FILES = ("faults/test_a.py", "faults/test_b.py", "series/test_c.py", "series/test_d.py")


def test_faults_run_one_after_the_other(tmp_path):
    """`make test` gives all of them to one of its two processes: here, tests that only wait."""
    assert "\t$(BIN)/python -m pytest -n 2\n" in (ROOT / "Makefile").read_text()
    for file in FILES:
        path = tmp_path / "tests" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("import time\n" + "".join(
            f"def test_{k}(): time.sleep(0.05)\n" for k in range(4)
        ))  # fmt: skip
    (tmp_path / "tests/conftest.py").write_text(
        OUTSIDE.format(path=str(ROOT / "tests/conftest.py"))
    )
    run = [sys.executable, "-m", "pytest", "-n", "2", "-v", "-p", "no:cacheprovider", "tests"]
    found = subprocess.run(
        run,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
    )
    assert found.returncode == 0, found.stdout
    lines = re.findall(r"^\[(gw\d)\] .* (tests/\S+)", found.stdout, re.MULTILINE)
    faults = [process for process, test in lines if "/faults/" in test]
    assert (len(lines), len(faults)) == (16, 8)
    assert len(set(faults)) == 1
    assert {process for process, _ in lines} == {"gw0", "gw1"}


def test_nothing_imports_pyts_as_it_comes():
    """It compiles for half a minute: in each of two processes, where a file of tests imports it."""
    top = re.compile(r"^(import|from) pyts\b", re.MULTILINE)
    files = [path for folder in ("tests", "src") for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in files if top.search(path.read_text())] == []
