"""Which code has worked on a run: a digest of the package's source, kept in the run's folder.

A commit does not tell it: trees have changes that are not committed, and wheels have no git. So it
is the source itself that counts, as it lay there when this process first asked.
"""

from functools import cache
from pathlib import Path

import xxhash

import dualgaf
from dualgaf.system.whole_file import whole_file

STAMP = Path(".hydra/code.txt")
"""In a run's folder: a line for each code that has worked on it."""


@cache
def this_code() -> str:
    """The version of this package, and the digest of its source."""
    return f"dualgaf {dualgaf.__version__} {source_digest(Path(__file__).resolve().parents[1])}"


def source_digest(package: Path) -> str:
    """Digest of the names and the bytes of all Python files below a folder.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "a.py").write_text("x = 1")
        >>> before = source_digest(folder)
        >>> _ = (folder / "a.py").write_text("x = 2")
        >>> source_digest(folder) == before
        False
    """
    found = xxhash.xxh3_128()
    for path in sorted(package.rglob("*.py")):
        text = path.read_bytes()
        found.update(f"{path.relative_to(package).as_posix()} {len(text)} ".encode())
        found.update(text)
    return found.hexdigest()


def stamp(folder: Path, anew: bool) -> None:
    """Note that this code works on the run of a folder.

    Args:
        folder: of the run.
        anew: whether nothing of it is there that other code has made.
    """
    codes = [] if anew else codes_of(folder)
    if this_code() not in codes:
        with whole_file(folder / STAMP) as draft:
            draft.write_text("".join(f"{code}\n" for code in [*codes, this_code()]))


def codes_of(folder: Path) -> list[str]:
    """The code that has worked on the run of a folder; none where that is not known."""
    path = folder / STAMP
    return path.read_text().splitlines() if path.is_file() else []


def is_of_this_code(folder: Path) -> bool:
    """Whether no other code has worked on the run of a folder."""
    return codes_of(folder) == [this_code()]
