"""What tests of SLURM and of two hosts share: what they need, and programs that are ended by id."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest

from preloaded import MODULE, TRAIN
from programs import SEARCH_PATH, finished

SCRIPTS = Path(__file__).parent / "cluster"
SMALL = (
    *("data=simulated", "data.n_windows=60", "data.window_size=24", "datamodule.image_size=12"),
    *("model.use_minirocket=false", "model.use_forest=false", "model.width=8"),
    *("trainer.max_epochs=1", "trainer.accelerator=cpu", "refit=false", "report=false"),
    *("logger=csv", "calibration.enabled=false"),
)
TELL = ("+callbacks.tell._target_=ranks_program.Tell", "+callbacks.tell.folder=${paths.run_dir}")
WITHIN_S = 240
"""Of a program that hangs."""


def needs(*programs: str) -> None:
    """Skip where it cannot be: these are programs of Debian's packages in .ci/apt.txt."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (.ci/apt.txt)")
    if os.geteuid():
        pytest.skip("nodes and hosts of one's own are made by root")


def needs_plugin(name: str, extra: str) -> None:
    """Skip where an optional package is absent."""
    if find_spec("hydra_plugins") is None or find_spec(f"hydra_plugins.{name}") is None:
        pytest.skip(f"not installed: dualgaf[{extra}]")


def script(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one of the scripts in this folder to its end."""
    command = ["bash", str(SCRIPTS / name), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@dataclass
class Place:
    """Where programs of a test run: their folder and environment."""

    folder: Path
    environment: dict[str, str]
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *words: str, cwd: Path, **more: str) -> subprocess.Popen[str]:
        """A program in a session of its own; `end` sees to it."""
        program = subprocess.Popen(
            words,
            cwd=cwd,
            env={**self.environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.running.append(program)
        return program

    def run(self, *words: str, cwd: Path, **more: str) -> tuple[str, int]:
        """Output and status of a program."""
        return finished(self.start(*words, cwd=cwd, **more), WITHIN_S)

    def train(
        self, *words: str, cwd: Path, before: tuple[str, ...] = (), module: bool = False
    ) -> tuple[str, int]:
        """The same of ``python train.py``, or ``-m dualgaf train``, maybe started by another."""
        program = (*MODULE, "train") if module else (TRAIN,)
        return self.run(*before, sys.executable, *program, *words, cwd=cwd)

    def end(self) -> None:
        """End what still runs, by its id."""
        for program in self.running:
            if program.poll() is None:
                program.kill()
            program.wait()
            program.stdout.close()


def environment_of(runtime: Path) -> dict[str, str]:
    """Of a program that finds no store of others."""
    path = os.pathsep.join([SEARCH_PATH, *filter(None, [os.environ.get("PYTHONPATH")])])
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SLURM")}
    return {**kept, "PYTHONPATH": path, "XDG_RUNTIME_DIR": str(runtime)}
