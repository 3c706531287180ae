"""Is the newest change of the package told by a fragment? `make changes` asks.

The newest commit that changes `PACKAGE` is looked for; of a merge only what it brings counts.
`towncrier check` then asks for a fragment in that commit or after it: the commit before it is
compared with HEAD. That needs no remote, no tag and no other branch, so it works on main as well.
What is not committed is not looked at. A release, which makes a page of the fragments and removes
them, tells all that came before it.

Where there is nothing to compare with (no git, an unpacked archive, the first commit, a clone that
is cut off there), this is said and is no failure.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ("src", "conf")
"""What a user gets; the wheel is made of it."""


class NothingToCompareError(Exception):
    """There is no change to look at, or nothing before it; the text says why."""


def main() -> int:
    """Exit status: 1 where a fragment is missing, or has a name that towncrier does not know."""
    try:
        change = newest_change()
    except NothingToCompareError as reason:
        print(f"changes: nothing was compared: {reason}")
        return 0
    told = subprocess.run(
        [sys.executable, "-m", "towncrier", "check", "--compare-with", f"{change}^"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    line = git("log", "-1", "--format=%h %s", change)
    if told.returncode == 0:
        print(f"changes: {line}: it is told")
        return 0
    print(told.stdout + told.stderr)
    print(
        f"changes: {line}: it changes {' or '.join(PACKAGE)}, and no fragment comes with it or "
        "after it; allowed: changes/NNN.TYPE.md or changes/+NAME.TYPE.md, TYPE one of "
        f"{', '.join(fragment_types())}; type echo 'What is different.' > changes/+NAME.mended.md, "
        "then commit it; see changes/README.md"
    )
    return 1


def fragment_types() -> list[str]:
    """The types that pyproject.toml names, in the order of the page."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [each["directory"] for each in project["tool"]["towncrier"]["type"]]


def newest_change() -> str:
    """The newest commit that changes `PACKAGE`; it has one before it.

    Raises:
        NothingToCompareError: there is none, or it is the first that git knows here.
    """
    if Path(git("rev-parse", "--show-toplevel")).resolve() != ROOT:
        raise NothingToCompareError(f"{ROOT} is no checkout of its own")
    change = git("log", "-1", "--first-parent", "--format=%H", "--", *PACKAGE)
    if not change:
        raise NothingToCompareError(f"no commit here changes {' or '.join(PACKAGE)}")
    if not git("log", "-1", "--format=%P", change):
        raise NothingToCompareError(f"{change[:7]} is the oldest commit here")
    return change


def git(*arguments: str) -> str:
    """What git says of this checkout.

    Raises:
        NothingToCompareError: git is missing, or fails; the text has its words.
    """
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise NothingToCompareError(f"git cannot be started: {error}") from error
    if done.returncode != 0:
        raise NothingToCompareError(done.stderr.strip() or f"git ends with {done.returncode}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
