"""`whole_file`: a file that is there whole, or is the one before.

It is written beside its place and renamed. A program that is killed half way leaves a draft, and a
full disk not even that.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

DRAFT = ".draft"
"""Ending of a file that is being written."""


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
    draft = path.with_name(path.name + DRAFT)
    try:
        yield draft
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


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
