"""Programs that tests start: where they import from, how they end, what they take."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import dualgaf
from leaks import mapped
from preloaded import Program

ROOT = Path(__file__).resolve().parents[1]
SEARCH_PATH = os.pathsep.join(
    [str(Path(dualgaf.__file__).resolve().parents[1]), str(ROOT / "tests")]
)
"""PYTHONPATH with which a program finds the package and what these tests share."""


def finished(process: subprocess.Popen[str] | Program, within_s: float) -> tuple[str, int]:
    """Output and status; its whole group is ended where it does not end by itself."""
    try:
        output, _ = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        raise AssertionError(f"it did not end:\n{output}") from None
    return output, process.returncode


def told(folder: Path, stage: str) -> list[Any]:
    """What each rank of `ranks_program` has written, in the order of the ranks."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob(f"{stage}.*.json"))]


def shared_bytes(pid: int) -> int:
    """What a process maps of stores, each page divided by those who map it (PSS)."""
    return mapped(pid, "dualgaf-store")["Pss"]


def kills(group: Path) -> int:
    """Processes of a memory cgroup that the kernel has ended for want of memory."""
    paths = [group / name for name in ("memory.events", "memory.oom_control")]
    (text,) = [path.read_text() for path in paths if path.exists()]
    return int(re.search(r"^oom_kill (\d+)", text, re.MULTILINE)[1])
