"""What happens where numba is missing or broken, or may write nowhere."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import numpy as np, dualgaf
from dualgaf.imaging import compiled
fields = dualgaf.dual_gaf(np.arange(12.0).reshape(1, 2, 6))
print(compiled.kernel().__name__, compiled.kernel_folder(), fields.sum())
print(compiled.os.environ.get("NUMBA_CACHE_DIR"))
"""
REASON = "Numba needs NumPy 2.0 or less. Got NumPy 9.9."


def run(*command, check=True, **environment):
    clean = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=check,
    )


@pytest.fixture
def broken(tmp_path):
    """A numba that cannot be imported, as one that is older than NumPy."""
    (tmp_path / "numba.py").write_text(f"raise ImportError({REASON!r})\n")
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT / "src")])}


def test_kernels_are_compiled_by_numba_and_kept():
    first, _ = run("-c", CODE).stdout.splitlines()
    name, folder, _ = first.split()
    assert name == "dualgaf.imaging.kernel"
    assert Path(folder).is_dir()


def test_a_numba_that_cannot_be_imported_is_an_error_that_says_what_to_type(broken):
    done = run("-c", CODE, check=False, **broken)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("dualgaf.errors.DependencyError: numba, which compiles the kernels")
    assert REASON in last
    assert last.endswith("; type pip install --upgrade --force-reinstall numba")


def test_a_missing_numba_is_the_same_error():
    done = run("-c", f"import sys; sys.modules['numba'] = None\n{CODE}", check=False)
    assert "DependencyError: numba, which compiles the kernels, cannot be" in done.stderr


def test_a_run_with_a_broken_numba_says_so_in_one_line(broken, tmp_path):
    pytest.importorskip("hydra")  # not there in `make pythons`
    command = ("train.py", "data=simulated", "data.n_windows=40", f"hydra.run.dir={tmp_path}/run")
    done = run(*command, check=False, **broken)
    assert done.returncode == 2
    assert REASON in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_says_why_numba_cannot_be_imported_and_what_to_type(broken):
    done = run("-m", "dualgaf", "doctor", **broken)
    words = " ".join(done.stdout.split())
    assert f"kernels none: {REASON}" in words
    assert f"now numba cannot be imported: {REASON}" in words
    assert "type pip install --upgrade --force-reinstall numba" in words


@pytest.mark.skipif(
    not hasattr(numba.config, "CACHE_LOCATOR_CLASSES"),
    reason="this numba takes any folder it finds",
)
def test_without_a_folder_to_write_the_kernels_are_compiled_for_this_run(tmp_path):
    # numba may only use the folder that it is given, and is given none
    environment = {"NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
    first, folder = run("-c", CODE, TMPDIR=str(tmp_path), **environment).stdout.splitlines()
    assert first.split()[:2] == ["dualgaf.imaging.kernel", "None"]
    assert Path(folder).parent == tmp_path
    assert list(tmp_path.iterdir()) == []  # it is removed at the end
