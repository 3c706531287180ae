"""The pool inside programs as people write them; those that get signals are in test_signals."""

import subprocess
import sys

import numpy as np
import pytest

from dualgaf.imaging.recipe import ImagingRecipe
from fills import images_of, windows_of
from programs import SEARCH_PATH

SUM = images_of(windows_of(60), ImagingRecipe(8)).sum(dtype=np.int64)
FILL = """
import sys
import numpy as np
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.pool import fill as filling
from fills import job_of, windows_of

def run(progress=None, **settings):
    job = job_of(windows_of(60), ImagingRecipe(8), "process", workers=2, **settings)
    with job.writer:
        report = filling.fill(job, progress)
        store = job.writer.seal()
    return report, store.array

"""


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", SEARCH_PATH)
    monkeypatch.delenv("DUALGAF_FAULT", raising=False)
    return monkeypatch


def run_stdin(text):
    """Feed a program to `python -`, which has no file that a child could import again."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-"],
        input=text,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.fault(29)
@pytest.mark.usefixtures("environment")
def test_a_script_on_stdin_without_a_main_guard():
    out = run_stdin(FILL + "report, array = run()\nprint(report.backend, int(array.sum()))\n")
    assert out.split() == ["process", str(SUM)]


@pytest.mark.fault(29)
@pytest.mark.usefixtures("environment")
def test_a_daemonic_process_which_multiprocessing_allows_no_children():
    program = """
import multiprocessing
def main():
    print(run()[0].backend, multiprocessing.current_process().daemon, flush=True)
process = multiprocessing.get_context("fork").Process(target=main, daemon=True)
process.start()
process.join()
sys.exit(process.exitcode)
"""
    assert run_stdin(FILL + program).split() == ["process", "True"]


@pytest.mark.fault(29)
@pytest.mark.usefixtures("environment")
def test_a_script_without_a_main_guard(tmp_path):
    """Its workers would run it again if they imported it: each run would print a line."""
    script = tmp_path / "script.py"
    script.write_text(FILL + "report, array = run()\nprint(report.backend, int(array.sum()))\n")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.split() == ["process", str(SUM)]


NOTEBOOK = """
import sys
import nbclient
import nbformat

cells = [nbformat.v4.new_code_cell(text) for text in sys.argv[1:]]
notebook = nbformat.v4.new_notebook(cells=cells)
client = nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3")
(output,) = client.execute(cwd=".").cells[-1].outputs
print(output.data["text/plain"])
"""


@pytest.mark.fault(29)
def test_a_notebook(tmp_path, environment):
    environment.setenv("IPYTHONDIR", str(tmp_path))
    cells = [FILL, "report, array = run()", "report.backend, int(array.sum())"]
    # nbclient leaves an event loop open, so it gets a process of its own
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, *cells],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout == f"('process', {SUM})\n"
