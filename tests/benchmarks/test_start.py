"""What benchmarks/start.py compares; where it is ended early it leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time

import pytest
from benchmarks.earlier_build import ROOT

from benchmarks import start
from dualgaf.bench import Result


def test_builds_take_turns_and_the_first_turn_is_not_counted(monkeypatch, tmp_path, capsys):
    turns = []

    def measured(folder, options):
        turns.append(folder.name)
        return {"help": (1.0 if folder == ROOT else 6.0) * len(turns)}

    monkeypatch.setattr(start, "earlier_build", lambda folder, commit: folder)
    monkeypatch.setattr(start, "measured", measured)
    output = tmp_path / "start.json"
    start.main(["--repeats", "3", "--output", str(output), "seed=1"])
    assert turns == ["earlier", ROOT.name] * 4
    found = Result.load(output)
    assert found.seconds == {"help, 837ca8d": [18.0, 30.0, 42.0], "help, now": [4.0, 6.0, 8.0]}
    assert found.reading.ratios == {"help": 5.0}
    assert found.size["typed"] == ["--repeats", "3", "seed=1"]
    assert capsys.readouterr().out.splitlines()[-1].split() == ["help", "30", "6", "5"]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs git history")
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
