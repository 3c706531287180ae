"""The build that this one is compared with, taken from git."""

import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

EARLIER = "837ca8d"
ROOT = Path(__file__).resolve().parents[1]


def earlier_build(folder: Path, *parts: str, commit: str = EARLIER) -> Path:
    """Write files of an earlier build, as they are in git.

    Args:
        folder: where to; made if it is not there.
        parts: files and folders of the project, such as ``src``; none = all.
        commit: of the build.

    Returns:
        The folder.
    """
    command = ["git", "-C", str(ROOT), "archive", commit, *parts]
    made = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=BytesIO(made)) as files:
        files.extractall(folder, filter="data")
    return folder


def earlier_environment(folder: Path) -> Path:
    """`EARLIER` in an environment of its own, with the versions that it was tested with.

    Args:
        folder: of the build and of ``.venv`` in it. One that is complete is used again.

    Returns:
        The Python of the environment.
    """
    python, done = folder / ".venv/bin/python", folder / ".venv/done"
    if not done.exists():
        earlier_build(folder)
        subprocess.run([sys.executable, "-m", "venv", folder / ".venv"], check=True)
        install = [python, "-m", "pip", "install", "-q", "-e", ".[datasets]"]
        subprocess.run([*install, "-c", "constraints.txt"], check=True, cwd=folder)
        done.touch()
    return python
