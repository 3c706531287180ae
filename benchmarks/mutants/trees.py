"""Copies of the two builds in the work folder; the project itself is only read."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tree:
    """A build, as a clone that shares the project's objects.

    Attributes:
        name: ``old`` or ``new``.
        commit: which.
        src: names the contents of its ``src``.
        folder: the first copy.
    """

    name: str
    commit: str
    src: str
    folder: Path

    @property
    def told(self) -> dict[str, str]:
        """What a result says of its tree."""
        return {"commit": self.commit, "src": self.src}

    def copies(self, number: int) -> list[Path]:
        """This many copies, made where they are missing; each is as it was committed.

        They have the times of the first one, so that kernels which were compiled for it count.
        """
        found = [self.folder]
        for index in range(1, number):
            copy = self.folder.with_name(f"{self.folder.name}-{index}")
            if not copy.is_dir():
                part = copy.with_name(f"{copy.name}.part")
                shutil.rmtree(part, ignore_errors=True)
                shutil.copytree(self.folder, part, symlinks=True)
                part.rename(copy)
            found.append(copy)
        for copy in found:
            _mend(copy, self.commit)
        return found

    def test_files(self) -> dict[str, str]:
        """Files of tests, and a name of the contents of each."""
        lines = git(self.folder, "ls-tree", "-r", self.commit, "tests").splitlines()
        files = {line.partition("\t")[2]: line.split()[2] for line in lines}
        return {
            file: blob
            for file, blob in files.items()
            if Path(file).name.startswith("test_") and file.endswith(".py")
        }


def make_tree(project: Path, work: Path, name: str, commit: str) -> Tree:
    """The copy of a commit; those of other commits under this name are removed.

    Args:
        project: a git checkout.
        work: a folder of this program.
        name: ``old`` or ``new``.
        commit: anything that git takes for one.
    """
    commit = git(project, "rev-parse", "--verify", f"{commit}^{{commit}}")
    trees = work / "trees"
    folder = trees / f"{name}-{commit[:10]}"
    trees.mkdir(parents=True, exist_ok=True)
    for other in trees.glob(f"{name}-*"):
        if not other.name.startswith(folder.name):
            shutil.rmtree(other)
    if not folder.is_dir():
        part = trees / f"{folder.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        git(project, "clone", "-q", "--shared", "--no-checkout", str(project), str(part))
        _mend(part, commit)
        part.rename(folder)
    _mend(folder, commit)
    _link_data(project, trees)
    return Tree(name, commit, git(folder, "rev-parse", f"{commit}:src"), folder)


def _mend(folder: Path, commit: str) -> None:
    """Undo what a trial that was killed may have left."""
    git(folder, "checkout", "-q", "--force", "--detach", commit)


def _link_data(project: Path, trees: Path) -> None:
    """Tests look for real data sets beside the project."""
    there, here = project.parent / "shared", trees / "shared"
    if there.is_dir() and not here.is_symlink():
        here.symlink_to(there, target_is_directory=True)


def git(folder: Path, *arguments: str) -> str:
    """What a command of git prints."""
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
