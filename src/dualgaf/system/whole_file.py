"""`whole_file`: a file that is there whole, or is the one before.

It is written beside its place and renamed. Each process has a draft of its own, by host and process
id, so that several that write one file at the same time each put a whole one there. A program that
is killed half way leaves its draft; the next one on that host that writes the file removes it. A
full disk leaves not even that.
"""

import csv
import glob
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

DRAFT = ".draft"
"""Ending of a file that is being written."""
_numbers = itertools.count()


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write the file that is given; after the block it has the place of ``path``.

    Args:
        path: the file to make, or to replace. Its folder is made where it is not there.

    Raises:
        OSError: the draft could not be written; ``path`` is as it was, and no draft is left.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with whole_file(folder / "a.txt") as draft:
        ...     _ = draft.write_text("whole")
        >>> [(path.name, path.read_text()) for path in folder.iterdir()]
        [('a.txt', 'whole')]
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_drafts_of_the_dead(path)
    own = f"{_here()}{os.getpid()}-{next(_numbers)}{DRAFT}"
    draft = path.with_name(f"{path.name}.{own}")
    try:
        yield draft
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _here() -> str:
    return f"{os.uname().nodename}-"


def _remove_drafts_of_the_dead(path: Path) -> None:
    beginning = f"{path.name}.{_here()}"
    for draft in path.parent.glob(f"{glob.escape(beginning)}*{DRAFT}"):
        process = draft.name.removeprefix(beginning).partition("-")[0]
        if process.isdigit() and not Path("/proc", process).is_dir():
            draft.unlink(missing_ok=True)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table; it is there whole, or is the one before.

    Args:
        path: the file to make, or to replace.
        columns: names, the first line.
        rows: cells; None is an empty one.

    Raises:
        OSError: as `whole_file`.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "a.csv")
        >>> write_csv(path, ["class", "f1"], [["leak, slow", 0.5]])
        >>> path.read_text().splitlines()
        ['class,f1', '"leak, slow",0.5']
    """
    with whole_file(path) as draft, draft.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(rows)
