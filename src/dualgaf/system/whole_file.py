"""`whole_file`: a file that is there whole, or is the one before.

It is written beside its place and renamed. A program that is killed half way leaves a draft, and a
full disk not even that.
"""

from collections.abc import Iterator
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
