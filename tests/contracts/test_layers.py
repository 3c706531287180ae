import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "src").rglob("*.py"))
MEASURING = sorted((ROOT / "benchmarks").rglob("*.py"))


def test_imports_point_downwards():
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([tool], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "statement",
    [
        "import dualgaf",
        "import dualgaf.build",
        "import dualgaf.pool.worker",
        "import dualgaf.series.tables.source, dualgaf.series.simulate",
        "import dualgaf; dualgaf.dual_gaf",
    ],
)
def test_what_a_worker_needs_loads_no_framework(statement):
    script = f"{statement}; import sys; print({{'torch', 'lightning', 'hydra'}} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("typed", ["--help", "nonsense=1"])
def test_help_and_a_mistyped_option_wait_for_nothing_that_trains(typed):
    # Of what takes seconds to import: each alone is more than Hydra and all of ours together.
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "train.py", typed],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (0 if typed == "--help" else 2)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "dualgaf.training.command" in imported
    heavy = {"torch", "lightning", "torchmetrics", "matplotlib", "scipy", "numba", "polars"}
    assert not imported & heavy


def test_how_threads_wait_is_set_before_torch_reads_it():
    script = (
        "import dualgaf.training.command, os, sys\n"
        "print('torch' in sys.modules, os.environ['OMP_WAIT_POLICY'])"
    )
    for given, wanted in ((None, "PASSIVE"), ("ACTIVE", "ACTIVE")):
        environment = {key: own for key, own in os.environ.items() if key != "OMP_WAIT_POLICY"}
        environment |= {} if given is None else {"OMP_WAIT_POLICY": given}
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        assert done.stdout.split() == ["False", wanted]


@pytest.mark.parametrize("room", ["imaging", "series", "models"])
def test_what_the_readme_says_needs_no_linux_imports_nothing_that_does(room):
    imported = set()
    for path in (ROOT / "src" / "dualgaf" / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                imported.add(node.module)
            elif isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
    ours = {name.split(".")[1] for name in imported if name.startswith("dualgaf.")}
    lowest = {"errors", "plain", "not_numbers", "given", "renamed"}
    assert ours <= lowest | {"imaging", "series", "models"}
    assert not imported & {"fcntl", "resource", "psutil", "socket", "mmap", "ctypes"}


@pytest.mark.parametrize("path", [*MODULES, *MEASURING], ids=lambda path: path.name)
def test_a_file_is_called_what_is_in_it(path):
    assert path.stem not in {"utils", "helpers", "common", "misc", "base", "core"}


@pytest.mark.parametrize("path", [*MODULES, *MEASURING], ids=lambda path: path.name)
def test_sizes_stay_readable(path):
    text = path.read_text()
    assert text.count("\n") <= 400, "a module of more than 400 lines wants to be two"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            code = node.end_lineno - node.body[0].lineno + 1
            assert code <= 60, f"{node.name} has {code} lines"


UNINSTALLED = """
import importlib.metadata as metadata, sys
found = metadata.Distribution.from_name
def from_name(name):
    if name == "dualgaf":
        raise metadata.PackageNotFoundError(name)
    return found(name)
metadata.Distribution.from_name = staticmethod(from_name)
import numpy as np, dualgaf
x, y = np.random.default_rng(0).normal(size=(8, 2, 12)), [0, 1] * 4
dm = dualgaf.DualGAFDataModule.from_arrays(train=(x, y), cache_dir=sys.argv[1])
dm.setup("fit")
print(dm.imaging_state().to_plain()["version"], dualgaf.__version__)
"""


def test_the_package_works_from_pythonpath_and_knows_its_version(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", UNINSTALLED, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    said, version = done.stdout.splitlines()[-1].split()
    assert said == version
    assert any(path.suffix == ".windows" for path in tmp_path.iterdir())


def test_the_version_stands_in_one_file():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert "version" not in project["project"]
    assert project["tool"]["hatch"]["version"]["path"] == "src/dualgaf/__init__.py"


def test_every_public_name_can_be_imported():
    import dualgaf

    for name in dualgaf.__all__:
        assert getattr(dualgaf, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dualgaf.nothing  # noqa: B018
