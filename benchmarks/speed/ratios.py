"""The guard: a small table of ratios that is kept, and what of it was lost.

Ratios, not seconds: both sides of a ratio ran in turn in one process, so it holds on other machines
of the kind. The table says which job it was measured on; a check of another job is refused.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.speed.size import SpeedSize
from dualgaf.bench.results import Result
from dualgaf.errors import ConfigError

LOST_SHARE = 1 / 3
"""A ratio that fell by this share or more is reported."""
JOB = ("n_windows", "n_channels", "window_size", "memory")
"""What the ratios depend on; repeats are free."""


def update_ratios(path: Path, result: Result) -> None:
    """Write the ratios of this suite into the table at ``path``; other suites stay."""
    table = json.loads(path.read_text()) if path.exists() else {}
    rounded = {name: float(f"{value:.3g}") for name, value in result.reading.ratios.items()}
    table[result.suite] = {"size": {name: result.size[name] for name in JOB}, "ratios": rounded}
    path.write_text(json.dumps(table, indent=1) + "\n")


def kept_ratios(path: Path, suite: str, size: SpeedSize) -> dict[str, float]:
    """The ratios of a suite in the table at ``path``.

    Raises:
        ConfigError: there are none, or they were measured on another job.
    """
    table: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if suite not in table:
        raise ConfigError(f"{path} has no ratios of {suite}; type --update {path} to write them")
    kept = table[suite]
    if any(asdict(size)[name] != value for name, value in kept["size"].items()):
        typed = " ".join(f"--{name.replace('_', '-')} {n}" for name, n in kept["size"].items())
        raise ConfigError(f"{path} was measured on another job; type {typed}")
    return dict(kept["ratios"])


def dropped_ratios(kept: Mapping[str, float], result: Result) -> list[str]:
    """A sentence for each ratio that fell by a third or more, or was not measured.

    Example:
        >>> from dualgaf.bench.runner import Reading
        >>> result = Result("build", {}, Reading([], {"a": 2.1, "b": 2.0}, []), {})
        >>> dropped_ratios({"a": 3.0, "b": 3.0, "c": 1.5}, result)
        ['b: 3 before, 2 now', 'c: 1.5 before, not measured now']
    """
    dropped = []
    for name, before in kept.items():
        now = result.reading.ratios.get(name)
        if now is None:
            dropped.append(f"{name}: {before:g} before, not measured now")
        elif now <= before * (1 - LOST_SHARE) * (1 + 1e-9):
            dropped.append(f"{name}: {before:g} before, {now:.3g} now")
    return dropped
