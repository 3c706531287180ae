"""The corpus of the coverage-guided fuzzer, and a short run; ``make fuzz`` runs it for long."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dualgaf
from dualgaf.errors import SourceError

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from targets import REPLAYED, TARGETS, only_own_errors  # noqa: E402

CORPUS = sorted((HERE / "corpus").glob("*/*"))
RUNS = {"csv": 400, "ts": 400, "store": 20_000}


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_the_corpus(path):
    only_own_errors(REPLAYED[path.parent.name], path.read_bytes())


def test_what_is_not_ours_comes_out():
    """The harness can fail."""

    def ours(data):
        raise SourceError("no table")

    def foreign(data):
        raise KeyError(data)

    only_own_errors(ours, b"x")
    with pytest.raises(KeyError):
        only_own_errors(foreign, b"x")


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed (it has wheels for Linux on x86_64 only)",
)
@pytest.mark.parametrize("target", TARGETS)
def test_a_short_run(target, tmp_path):
    package = Path(dualgaf.__file__).resolve().parents[1]
    new = tmp_path / "new"
    limits = ["-seed=1", f"-runs={RUNS[target]}", "-max_len=2000", "-rss_limit_mb=4096"]
    new.mkdir()
    done = subprocess.run(
        [sys.executable, HERE / "fuzz.py", target, *limits, new, HERE / "corpus" / target],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(package)},
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    found = re.search(r"#(\d+)\s+DONE\s+cov: (\d+)", done.stderr)
    assert int(found[1]) == RUNS[target]
    assert int(found[2]) > 20  # it sees branches
