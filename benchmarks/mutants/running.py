"""pytest in a session of its own, ended in time with all that it started."""

import contextlib
import json
import os
import queue
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

TEST_LIMIT_S = 60
"""A test that takes longer fails."""
PRELOADED = (
    "torch", "torchmetrics", "lightning.pytorch.callbacks", "hydra.compose", "hypothesis", "pytest",
    "pyts.image",
)  # fmt: skip
"""Imported once for all sessions: they take longer than most tests do, pyts nearly a minute."""
NO_REWRITE = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
"""pytest would rewrite hydra and hypothesis, which are plugins of it, too."""
PLUGIN = "mutants_recorder"
NOT_NEEDED = ("cacheprovider", "nbmake", "xdist", "xdist.looponfail", "pytest_cov", "hydra_pytest")
"""Plugins of pytest that take time to load."""
LEFT_OUT = ("PYTEST_", "COVERAGE_", "COV_CORE_", "NUMBA_CACHE_DIR", "PYTHONPATH", "MUTANTS")
"""Variables with these beginnings are not for the tests."""
_MARK = "MUTANTS_RUN"


class StoppedError(Exception):
    """The user wants to end."""


@dataclass(frozen=True)
class Ended:
    """One session of pytest.

    Attributes:
        status: of the process; None where it was killed because time was over.
        seconds: it took.
        log: what the recorder wrote.
        tail: the end of its output.
    """

    status: int | None
    seconds: float
    log: list[dict[str, Any]]
    tail: str

    @property
    def failed(self) -> list[str]:
        """Tests that failed, and files that could not be imported."""
        failed = (str(line["test"]) for line in self.log if line.get("outcome") == "failed")
        return list(dict.fromkeys(failed))

    @property
    def culprit(self) -> str | None:
        """The first that failed, else the test at which the process ended."""
        return next(iter([*self.failed, *(str(line["test"]) for line in self.log[-1:])]), None)


class Runner:
    """Runs tests of any tree. A context; leaving it ends the processes that it keeps.

    Args:
        work: folder for the plugin and the home folder of the tests.
        sessions: how many there may be side by side.
        preloaded: modules that are imported once.
    """

    def __init__(self, work: Path, sessions: int, preloaded: Sequence[str] = PRELOADED) -> None:
        self.work = work
        self.stop = threading.Event()
        """Set where the user wants to end."""
        for folder in (work / "plugin", work / "home"):
            folder.mkdir(parents=True, exist_ok=True)
        recorder = Path(__file__).with_name("recorder.py")
        shutil.copy(recorder, work / "plugin" / f"{PLUGIN}.py")
        self._nurseries: queue.Queue[_Nursery] = queue.Queue()
        self._all = [_Nursery(self._environment(), preloaded) for _ in range(sessions)]
        for nursery in self._all:
            self._nurseries.put(nursery)

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *error: object) -> None:
        for nursery in self._all:
            nursery.close()

    def run(
        self,
        tree: Path,
        files: Iterable[str],
        limit_s: float,
        *,
        wanted: Sequence[str] | None = None,
        coverage: Path | None = None,
        fresh_kernels: bool = False,
        options: Sequence[str] = (),
    ) -> Ended:
        """Run tests of one copy of a tree.

        Args:
            tree: the copy.
            files: of tests.
            limit_s: after which all is killed.
            wanted: names of the tests, in order; those that are not found are left out.
            coverage: where the touched lines go.
            fresh_kernels: keep compiled kernels apart from others, and only during this run.
            options: of pytest.

        Raises:
            StoppedError: the user wants to end.
        """
        arguments = ["-q", f"--timeout={TEST_LIMIT_S}", *NO_REWRITE, "-p", PLUGIN]
        arguments += [word for name in NOT_NEEDED for word in ("-p", f"no:{name}")]
        with (
            tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True) as name,
            self._nursery() as nursery,
        ):
            output = Path(name, "output")
            told = {"log": f"{name}/log"}
            if wanted is not None:
                told["wanted"] = f"{name}/wanted"
                Path(told["wanted"]).write_text(json.dumps(wanted))
            if coverage is not None:
                told["coverage"] = str(coverage)
            environment = {
                **self._environment(),
                "PYTHONPATH": os.pathsep.join([str(self.work / "plugin"), str(tree / "src")]),
                "TMPDIR": name,
                "MUTANTS": json.dumps(told),
                _MARK: uuid.uuid4().hex,
            }
            if fresh_kernels:
                environment["NUMBA_CACHE_DIR"] = f"{name}/kernels"
            order = {
                "tree": str(tree),
                "environment": environment,
                "arguments": [*arguments, *options, *files],
                "output": str(output),
            }
            status, seconds = nursery.run(order, limit_s, self.stop)
            return Ended(status, seconds, _lines(Path(told["log"])), _tail(output))

    def _environment(self) -> dict[str, str]:
        kept = {key: text for key, text in os.environ.items() if not key.startswith(LEFT_OUT)}
        # OMP: as tests/conftest.py has it before torch is loaded
        more = {"PYTHONDONTWRITEBYTECODE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        # the hash seed: some names of tests depend on the order of a set
        return {**kept, **more, "PYTHONHASHSEED": "0", "HOME": str(self.work / "home")}

    @contextmanager
    def _nursery(self) -> Iterator["_Nursery"]:
        nursery = self._nurseries.get()
        try:
            yield nursery
        finally:
            self._nurseries.put(nursery)


class _Nursery:
    """A process of `nursery`, started when it is first needed."""

    def __init__(self, environment: dict[str, str], modules: Sequence[str]) -> None:
        self._environment, self._modules = environment, modules
        self._process: subprocess.Popen[str] | None = None

    def run(
        self, order: dict[str, Any], limit_s: float, stop: threading.Event
    ) -> tuple[int | None, float]:
        """Status, None where it was killed at the limit, and seconds."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        pid = _answer(process)
        started, ended = time.monotonic(), False
        try:
            while not ended and time.monotonic() < started + limit_s:
                if stop.is_set():
                    raise StoppedError
                ended = bool(select.select([process.stdout], [], [], 0.1)[0])
        finally:
            _end_all(pid, order["environment"][_MARK])
            # A process that was just being started may have been overlooked.
            while not select.select([process.stdout], [], [], 0.1)[0]:
                _end_all(pid, order["environment"][_MARK])
            status = _answer(process)
        return status if ended else None, round(time.monotonic() - started, 1)

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("nursery.py")), *self._modules],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the main program
        )

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()


def _answer(nursery: subprocess.Popen[str]) -> int:
    assert nursery.stdout is not None
    line = nursery.stdout.readline()
    if not line:
        raise RuntimeError(f"the process that forks sessions has ended: {nursery.wait()}")
    return int(line)


def _end_all(session: int, mark: str) -> None:
    """Kill what is left of a session, and what left it and has its mark."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            own = session in (process.pid, os.getsid(process.pid))
            if own or process.environ().get(_MARK) == mark:
                os.kill(process.pid, signal.SIGKILL)


def _lines(log: Path) -> list[dict[str, Any]]:
    found = []
    for line in log.read_text().splitlines() if log.is_file() else []:
        with contextlib.suppress(json.JSONDecodeError):  # cut off when it was killed
            found.append(json.loads(line))
    return found


def _tail(output: Path) -> str:
    text = output.read_text(errors="replace") if output.is_file() else ""
    return "\n".join(text.splitlines()[-30:])
