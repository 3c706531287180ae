"""With what a figure was made: the commit, the day, the processor and the versions, in each row.

    python -m benchmarks.made benchmarks/results/accuracy.json

gives rows and results that are older than this the commit with which they entered the tree, as git
has it.
"""

import argparse
import json
import platform
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.accuracy.results import RESULTS, write_rows
from benchmarks.mutants.trees import git
from dualgaf.bench.results import commit
from dualgaf.system.machine import Machine, format_bytes
from dualgaf.system.versions import installed_versions

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("dualgaf", "numpy", "torch", "lightning", "scikit-learn", "aeon")
OWN = ("commit", "entered", "date", "cpu", "cpus", "memory", "versions")
"""What `made` adds to a row; everything else is what was measured."""
History = list[tuple[str, str, dict[str, Any]]]


def made() -> dict[str, Any]:
    """What is beside the figures of a row, in plain values."""
    machine = Machine.read()
    versions = {"python": platform.python_version(), **installed_versions(PACKAGES)}
    return {
        "commit": commit(),
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
    """At which commit, on which machine: a sentence or two for a page.

    Example:
        >>> row = {"commit": "abc1234", "date": "2026-11-30", "cpus": 2, "cpu": "Some CPU"}
        >>> print(made_lines([row, row]))
        Measured at commit abc1234 (2026-11-30). Machine: 2 CPUs, Some CPU.
    """
    rows = list(rows)
    machines = dict.fromkeys(_machine(row) for row in rows if "cpus" in row)
    parts = [commit_lines(rows)]
    if machines:
        without = sum("cpus" not in row for row in rows)
        more = f" ({_rows(without)} of earlier commits: not kept)" if without else ""
        parts.append(f"Machine: {'; '.join(machines)}{more}.")
    elif rows:
        parts.append("The machine was not kept.")
    return " ".join(parts)


def commit_lines(rows: Sequence[Mapping[str, Any]]) -> str:
    """The first part of `made_lines`, for a page that tells of its machines by itself."""
    measured = Counter((row["commit"], row["date"]) for row in rows if row.get("commit"))
    entered = Counter((row["entered"], row["date"]) for row in rows if "entered" in row)
    parts = []
    if measured:
        parts.append(f"Measured at commit {_listed(measured)}.")
    if entered:
        parts.append(f"Rows whose commit was not kept came into the tree with {_listed(entered)}.")
    return " ".join(parts)


def entered_with(earlier: History, key: str, value: Any) -> tuple[str, str]:
    """The commit, and its day, with which a value first stood under a key of a file of JSON.

    Args:
        earlier: of the file, as `history` gives it.
        key: of the rows, as `rows_of` gives them.
        value: the row.
    """
    for known, day, rows in earlier:
        if key in rows and _figures(rows[key]) == _figures(value):
            return known, day
    raise LookupError(f"no commit has the row {key}")


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


def history(path: Path) -> History:
    """Commit, day and rows of a file, for each commit that has changed it, the earliest first."""
    found: History = []
    inside = path.resolve().relative_to(ROOT)
    log = git(ROOT, "log", "--reverse", "--format=%h %cs", "--", str(inside))
    for line in log.splitlines():
        known, day = line.split()
        try:
            text = git(ROOT, "show", f"{known}:{inside}")
        except subprocess.CalledProcessError:  # removed there
            continue
        found.append((known, day, dict(rows_of(json.loads(text)))))
    return found


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in OWN}


def _listed(counts: Mapping[tuple[str, str], int]) -> str:
    known = sorted(counts.items(), key=lambda each: (each[0][1], each[0][0]))
    if len(known) == 1:
        (commit_of_rows, day), _ = known[0]
        return f"{commit_of_rows} ({day})"
    return ", ".join(f"{name} ({day}, {_rows(n)})" for (name, day), n in known)


def _rows(n: int) -> str:
    return f"{n} row" if n == 1 else f"{n} rows"


def _machine(row: Mapping[str, Any]) -> str:
    memory = f", {row['memory']}" if "memory" in row else ""
    return f"{row['cpus']} CPU{'s' * (row['cpus'] != 1)}, {row['cpu']}{memory}"


def main(arguments: list[str] | None = None) -> None:
    """Add the commit to rows that have none."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="of a file of results")
    path = parser.parse_args(arguments).path.resolve()
    found = json.loads(path.read_text())
    is_suite = "machine" in found
    if is_suite and not found["machine"].get("commit"):
        known = git(ROOT, "log", "-1", "--format=%h", "--", str(path.relative_to(ROOT)))
        found["machine"]["commit"] = f"not kept; the result came into the tree with {known}"
    earlier = [] if is_suite else history(path)
    for key, row in [] if is_suite else rows_of(found):
        if not (row.get("commit") or "entered" in row):
            row["entered"], day = entered_with(earlier, key, row)
            row.setdefault("date", day)
    if path == RESULTS:
        write_rows(path, found["rows"])
    elif is_suite:
        path.write_text(json.dumps(found, indent=1) + "\n")
    else:
        path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
