"""Whether an sdist has every file that git knows: `python .ci/check_sdist.py dist/NAME.tar.gz`."""

import subprocess
import sys
import tarfile
from pathlib import Path

NOT_SHIPPED = (".ci/", ".gitignore")


def missing(sdist: Path, tracked: list[str]) -> list[str]:
    """Tracked files that are not in the sdist, but for those that are not shipped."""
    with tarfile.open(sdist) as archive:
        there = {name.partition("/")[2] for name in archive.getnames()}
    return sorted(
        name for name in tracked if name not in there and not name.startswith(NOT_SHIPPED)
    )


def main() -> int:
    """Exit status 1 where one is missing."""
    root = Path(__file__).resolve().parents[1]
    listed = subprocess.run(
        ["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True
    )
    lost = missing(Path(sys.argv[1]), listed.stdout.splitlines())
    for name in lost:
        print(f"not in the sdist: {name}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
