"""With what a figure was made: the commit, the day, the processor and the versions, in each row.

    python -m benchmarks.made benchmarks/results/accuracy.json

gives rows that are older than this the commit with which they entered the file, as git has it.
"""

import argparse
import json
import platform
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dualgaf.system.machine import Machine, format_bytes

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("dualgaf", "numpy", "torch", "lightning", "scikit-learn", "aeon")
OWN = ("commit", "entered", "date", "cpu", "cpus", "memory", "versions")
"""What `made` adds to a row; everything else is what was measured."""


def made(folder: Path = ROOT) -> dict[str, Any]:
    """What is beside the figures of a row, in plain values.

    Args:
        folder: of the checkout that has measured.
    """
    machine = Machine.read()
    versions = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    return {
        "commit": _git(folder, "describe", "--always", "--dirty= and changes", "--exclude=*"),
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": processor(),
        "cpus": machine.cpus,
        "memory": format_bytes(machine.memory_total),
        "versions": versions,
    }


def processor() -> str:
    """The name that the kernel gives the processor; the architecture where it gives none."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
    return model or platform.machine()


def made_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """On which machine, at which commit: a sentence or two for a page.

    Example:
        >>> row = {"commit": "abc1234", "date": "2026-11-30", "cpus": 2, "cpu": "Some CPU"}
        >>> print(made_lines([row, row]))
        Measured at commit abc1234 (2026-11-30, 2 rows). Machine: 2 CPUs, Some CPU.
    """
    rows = list(rows)
    measured = Counter((row["commit"], row["date"]) for row in rows if "commit" in row)
    entered = Counter((row["entered"], row["date"]) for row in rows if "entered" in row)
    machines = dict.fromkeys(_machine(row) for row in rows if "cpus" in row)
    parts = []
    if measured:
        parts.append(f"Measured at commit {_listed(measured)}.")
    if entered:
        parts.append(f"Rows that say no commit entered the file with {_listed(entered)}.")
    if machines:
        without = sum("cpus" not in row for row in rows)
        more = f" ({without} rows of earlier commits do not say)" if without else ""
        parts.append(f"Machine: {'; '.join(machines)}{more}.")
    return " ".join(parts)


def entered_with(path: Path, key: str, value: Any) -> tuple[str, str]:
    """The commit, and its day, with which a value first stood under a key of a file of JSON.

    Args:
        path: of the file, in a checkout.
        key: of the rows, as `rows_of` gives them.
        value: the row.
    """
    for commit, day, rows in _history(path):
        if key in rows and _figures(rows[key]) == _figures(value):
            return commit, day
    raise LookupError(f"{path.name}: no commit has the row {key}")


def rows_of(found: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of a file of results, however deep they lie: each is a dict with a plain value.

    Example:
        >>> [key for key, _ in rows_of({"rows": [{"set": "a", "seed": 1, "acc": 0.5}]})]
        ['/rows/a seed 1']
    """
    if isinstance(found, list):
        for number, row in enumerate(found):
            told = [row.get("set", number), row.get("method"), *row.get("overrides", [])]
            told += [f"seed {row['seed']}"] if "seed" in row else []
            yield from rows_of(row, f"{name}/{' '.join(str(each) for each in told if each)}")
    elif any(not isinstance(value, dict | list) for value in found.values()):
        yield name, found
    else:
        for key, value in found.items():
            yield from rows_of(value, f"{name}/{key}")


def _history(path: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Rows of the file at each commit that has changed it, the earliest first."""
    inside = path.resolve().relative_to(ROOT)
    log = _git(ROOT, "log", "--reverse", "--format=%h %cs", "--", str(inside))
    for line in log.splitlines():
        commit, day = line.split()
        try:
            text = _git(ROOT, "show", f"{commit}:{inside}")
        except subprocess.CalledProcessError:  # removed there
            continue
        yield commit, day, dict(rows_of(json.loads(text)))


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in OWN}


def _listed(counts: Mapping[tuple[str, str], int]) -> str:
    told = [
        f"{commit} ({day}, {n} row{'s' if n > 1 else ''})"
        for (commit, day), n in sorted(counts.items(), key=lambda each: (each[0][1], each[0][0]))
    ]
    return ", ".join(told)


def _machine(row: Mapping[str, Any]) -> str:
    memory = f", {row['memory']}" if "memory" in row else ""
    return f"{row['cpus']} CPUs, {row['cpu']}{memory}"


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main(arguments: list[str] | None = None) -> None:
    """Add the commit to rows that have none."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="of a file of results")
    path = parser.parse_args(arguments).path
    text = path.read_text()
    found = json.loads(text)
    for key, row in rows_of(found):
        if not {"commit", "entered"} & set(row):
            row["entered"], day = entered_with(path, key, row)
            row.setdefault("date", day)
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
