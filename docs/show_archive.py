"""Follows docs/archive.md, and puts what it says into the page.

    python docs/show_archive.py

Takes about five minutes. The last section is of `python -m benchmarks.accuracy --page`.
"""

import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent))

from follow import copied, environment_of, follow, written

PAGE = Path(__file__).with_name("archive.md")


def main() -> None:
    """Type what the page types."""
    with tempfile.TemporaryDirectory() as parent:
        clone = Path(parent, "dualgaf")
        copied(clone)
        active = environment_of(Path(sys.executable).parent, PYTHONPATH=str(clone / "src"))
        text = PAGE.read_text()
        PAGE.write_text(written(text, follow(text, clone, active)))


if __name__ == "__main__":
    main()
