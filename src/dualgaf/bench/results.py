"""A result: rows to print, ratios to guard, and the machine that they were measured on.

Seconds say little without the machine, so it is kept beside them; ratios of sides that ran in turn
in one process carry over to other machines of the kind, so they are what is guarded.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from dualgaf.bench.runner import BenchSize, Reading
from dualgaf.system.machine import Machine, format_bytes
from dualgaf.system.versions import installed_versions

Row = Mapping[str, Any]

CODE = ("src", "conf", "benchmarks", "pyproject.toml", ":(exclude)benchmarks/results")
"""Of a checkout, what a figure depends on: a page that was written since is no change."""
PACKAGES = ("dualgaf", "numpy", "numba", "polars", "torch", "pyts")


def machine() -> dict[str, Any]:
    """This machine, its settings, the commit and the versions that take part, as plain values."""
    versions = installed_versions(PACKAGES)
    return {**asdict(Machine.read()), "commit": commit(), "versions": versions}


def commit() -> str | None:
    """The commit of the checkout that this package lies in, and whether its code was changed since.

    None where it lies in none, as an installed wheel does: an environment inside somebody's own
    repository is no checkout of dualgaf.
    """
    package = Path(__file__).resolve().parents[1]
    checkout = package.parents[1]
    if not (checkout / ".git").exists() or package.parent.name != "src":
        return None
    try:
        head = _git(checkout, "rev-parse", "--short=7", "HEAD")
        changed = _git(checkout, "status", "--porcelain", "--", *CODE)
    except (OSError, subprocess.CalledProcessError):  # no git, or a folder of another user
        return None
    return f"{head} with changes" if changed else head


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@dataclass(frozen=True)
class Result:
    """What one suite measured."""

    suite: str
    """Name of the suite."""
    size: Mapping[str, Any]
    """The fields of `BenchSize`, or of a size that has more."""
    reading: Reading
    """Rows, ratios and notes."""
    seconds: Mapping[str, Sequence[float]]
    """All times by side; the first one of each is not counted."""
    machine: Mapping[str, Any] = field(default_factory=machine)
    """Machine, settings and versions."""
    date: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="minutes"))
    """When, in UTC."""

    def __str__(self) -> str:
        names = [field.name for field in fields(BenchSize)]
        size = BenchSize(**{name: self.size[name] for name in names if name in self.size})
        about = (machine_lines(self.machine), str(size))
        return "\n\n".join([*about, text_table(self.reading.rows), "\n".join(self.reading.notes)])

    def save(self, path: Path) -> None:
        """Write JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """The inverse of `save`."""
        saved = json.loads(path.read_text())
        return cls(**{**saved, "reading": Reading(**saved["reading"])})


def machine_lines(told: Mapping[str, Any]) -> str:
    """What `machine` told, for people.

    Example:
        >>> print(machine_lines(machine()).splitlines()[0].split()[0])
        CPUs
    """
    versions = ", ".join(f"{name} {number}" for name, number in told["versions"].items() if number)
    rows = {
        "CPUs": f"{told['cpus']} for this process, {told['cpus_present']} in the machine",
        "memory": f"{format_bytes(told['memory_total'])}, {format_bytes(told['headroom']['bytes'])}"
        f" may be taken ({told['headroom']['limited_by']})",
        "huge pages": f"private {told['thp']}, shared {told['shmem_thp']}",
        "versions": f"Linux {told['kernel']}, Python {told['python']}, {versions}",
    }
    if told.get("commit"):
        rows["commit"] = told["commit"]
    return "\n".join(f"{name:11} {value}" for name, value in rows.items())


def text_table(rows: Sequence[Row]) -> str:
    """The rows as aligned text.

    Example:
        >>> print(text_table([{"side": "a", "seconds": 1.5}, {"side": "bc", "seconds": None}]))
        side  seconds
        a         1.5
        bc          -
    """
    lines = [list(rows[0]), *([cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    first = [widths[0], *(-width for width in widths[1:])]
    return "\n".join(
        "  ".join(
            text.ljust(width) if width > 0 else text.rjust(-width)
            for text, width in zip(line, first, strict=True)
        ).rstrip()
        for line in lines
    )


def cell(value: Any) -> str:
    """A value as the tables show it: numbers with three or four digits, nothing as a dash.

    Example:
        >>> [cell(value) for value in (0.012345, 51234.5, 12, "auto", None)]
        ['0.01235', '51234', '12', 'auto', '-']
    """
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"
