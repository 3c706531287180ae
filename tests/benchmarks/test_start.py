"""What benchmarks/start.py leaves behind where it is ended early: nothing."""

import os
import signal
import subprocess
import sys
import time

import pytest
from benchmarks.earlier_build import ROOT

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs git history")


def test_the_earlier_build_is_removed_where_it_is_terminated(tmp_path):
    program = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.start", "--commit", "HEAD"],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("*/earlier/src/dualgaf/__init__.py")):
        assert program.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    program.send_signal(signal.SIGTERM)
    assert program.wait(60) != 0
    assert not list(tmp_path.iterdir())
