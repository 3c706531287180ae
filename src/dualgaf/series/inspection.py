"""What a source has understood of its files, and what must be decided before they can be used."""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from dualgaf.errors import DualGAFError

log = logging.getLogger(__name__)

Refuse = Callable[[DualGAFError], None]
"""What is done with an error after which reading could go on: `refuse_at_once` raises it."""

_ADVICE = re.compile(r"\btype ((?:[^;'\"]|'[^']*'|\"[^\"]*\")+)")


def refuse_at_once(error: DualGAFError) -> None:
    """Raise it."""
    raise error


@dataclass(frozen=True)
class FileFacts:
    """One file of a folder."""

    name: str
    """Its name in the folder."""
    rows: int
    """Data rows."""
    start: str | None
    """Time of the first row: ISO, or a number; None without a clock."""
    end: str | None
    """Time of the last row."""
    step_seconds: float | None
    """Median step of time, in seconds, or in units of a numeric clock."""


@dataclass(frozen=True)
class TableFacts:
    r"""What was understood of a folder of tables; made by ``TableSource.load``.

    Example:
        >>> from dualgaf import TableSource
        >>> import pathlib, tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> text = "step,flow,fault\n1,0.5,a\n2,0.6,a\n3,0.7,b\n"
        >>> _ = pathlib.Path(folder.name, "pump.csv").write_text(text)
        >>> facts = TableSource(folder.name).load().facts
        >>> facts.rows, facts.channels, facts.classes
        (3, ('flow',), {'a': 2, 'b': 1})
        >>> folder.cleanup()
    """

    name: str
    """Of the folder."""
    files: tuple[FileFacts, ...]
    """In order of their names."""
    time_column: str | None
    """None = rows are evenly spaced and in order."""
    dated: bool
    """Whether times are dates."""
    label_column: str | None
    """None = the class is from elsewhere, see ``labels_from``."""
    labels_from: str
    """Words for where classes are from: a column, names of files, a fault log."""
    plant_column: str | None
    """None = plants are not told apart."""
    scale_by: str
    """``plant``: channels are standardised for each plant by itself; else ``all``."""
    group_columns: tuple[str, ...]
    """What tells groups apart within a file; () = the calendar day, where times are dates."""
    channels: tuple[str, ...]
    """C names."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Unit of a channel, where a file tells."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Columns that are no channels, and why."""
    classes: Mapping[str, int] = field(default_factory=dict)
    """Rows of each class."""
    plants: Mapping[str, int] = field(default_factory=dict)
    """Rows of each plant."""
    lost: Mapping[str, int] = field(default_factory=dict)
    """Windows that there would be if no row were missing, by what they are lost to."""
    notes: tuple[str, ...] = ()
    """What was found alone, a sentence each."""
    kind: str = "files"
    """What the tables are: ``files``, ``runs``, ``frames``, ``queries``."""

    @property
    def rows(self) -> int:
        """Data rows of all files."""
        return sum(file.rows for file in self.files)

    @property
    def start(self) -> str | None:
        """The earliest time; None where times are no dates."""
        return min((file.start for file in self._timed), default=None)

    @property
    def end(self) -> str | None:
        """The latest time; None where times are no dates."""
        return max((file.end or "" for file in self._timed), default=None)

    @property
    def step_seconds(self) -> float | None:
        """Median step of the files; None where times are no dates."""
        steps = sorted(file.step_seconds for file in self._timed if file.step_seconds is not None)
        return steps[len(steps) // 2] if steps else None

    @property
    def _timed(self) -> list[Any]:
        return [file for file in self.files if self.dated and file.start is not None]

    def as_json(self) -> dict[str, Any]:
        """For a file of JSON; `from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """What `as_json` has given."""
        known = {f.name: stored[f.name] for f in fields(cls) if f.name in stored}
        lists = ("group_columns", "channels", "notes")
        return cls(**known | {name: tuple(known[name]) for name in lists}
                   | {"files": tuple(FileFacts(**file) for file in known["files"])})  # fmt: skip


def duration_text(seconds: float) -> str:
    """A length of time in the unit that fits it, as options are typed.

    Example:
        >>> duration_text(300), duration_text(90)
        ('5min', '90s')
    """
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{name}"
    return f"{seconds:g}s"


def tell_notes(facts: TableFacts) -> None:
    """Say in the log what was found alone."""
    for note in facts.notes:
        log.warning("%s: %s", facts.name, note)


@dataclass(frozen=True)
class Problem:
    """Something that must be decided, or mended, before a table can be used."""

    what: str
    """The whole message."""
    where: str
    """The files that it names; empty where it names none."""
    type_this: str
    """The options that decide it; empty where none does."""

    @classmethod
    def of(cls, error: DualGAFError, files: tuple[str, ...] = ()) -> Self:
        """From an error and the names of the files.

        Example:
            >>> text = "a.csv, column 'x': '1,2' may be two; type data.decimal=comma"
            >>> Problem.of(DualGAFError(text), ("a.csv",)).type_this
            'data.decimal=comma'
        """
        what = " ".join(str(error).split())
        named = [file for file in files if re.search(rf"(?<![\w/]){re.escape(file)}", what)]
        return cls(what, ", ".join(named), "; ".join(m.strip(" ,") for m in _ADVICE.findall(what)))
