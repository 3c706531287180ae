"""A change of the package comes with a fragment, and the fragments become the page in full."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHECK = Path("changes") / "check.py"
FRAGMENT = "changes/+pump.mended.md"
MERGE = ("merge", "--quiet", "--no-ff", "-m", "side")

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture(autouse=True)
def _git_of_its_own(monkeypatch):
    """Neither a hook that runs these tests nor the settings of this user count."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "tests")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "tests@localhost")


@pytest.fixture
def project(tmp_path):
    """A repository with two commits: the configuration and the check, and a change told with it."""
    folder = tmp_path / "project"
    (folder / "changes").mkdir(parents=True)
    for name in ("pyproject.toml", "CHANGELOG.md", CHECK):
        shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "README.md")
    commit(folder, "src/pump.py", "changes/+pump.added.md")
    return folder


def git(folder, *arguments):
    subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=True)


def commit(folder, *files):
    """A commit that changes these files."""
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{path.read_text() if path.exists() else ''}The pump runs.\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", " ".join(files))


def check(folder):
    """Exit status of `make changes`, and what it prints."""
    done = subprocess.run(
        [sys.executable, folder / CHECK], capture_output=True, text=True, check=False
    )
    assert not done.stderr
    return done.returncode, done.stdout


@needs_git
def test_a_change_without_a_fragment_fails_until_there_is_one(project):
    assert check(project)[0] == 0
    commit(project, "src/pump.py")
    commit(project, "tests/test_pump.py")
    status, told = check(project)
    assert status == 1
    assert "src/pump.py: it changes src or conf, and no fragment comes with it" in told
    assert "TYPE one of numbers, names, removed, added, mended, inside; type echo" in told
    commit(project, FRAGMENT)
    assert check(project) == (0, told_of(project, "src/pump.py"))


def told_of(folder, subject):
    arguments = ["git", "log", "-1", "--format=%h", f"--grep=^{subject}$"]
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=True)
    return f"changes: {done.stdout.strip()} {subject}: it is told\n"


@needs_git
def test_a_branch_is_one_change_once_it_is_merged(project):
    git(project, "checkout", "--quiet", "-b", "side")
    commit(project, FRAGMENT)
    commit(project, "conf/pump.yaml")
    assert check(project)[0] == 1
    git(project, "checkout", "--quiet", "main")
    commit(project, "docs/pump.md")
    git(project, *MERGE, "side")
    assert check(project)[0] == 0


@needs_git
def test_a_release_tells_what_came_before_it(project):
    release = [sys.executable, "-m", "towncrier", "build", "--yes", "--version", "1"]
    subprocess.run(release, cwd=project, capture_output=True, check=True)
    assert "- The pump runs." in (project / "CHANGELOG.md").read_text()
    commit(project, "src/version.py")
    assert check(project)[0] == 0
    commit(project, "src/pump.py")
    assert check(project)[0] == 1


@needs_git
def test_a_name_that_towncrier_does_not_know_fails(project):
    commit(project, "src/pump.py", "changes/+pump.fixed.md")
    status, told = check(project)
    assert status == 1
    assert "+pump.fixed.md" in told


@needs_git
def test_where_there_is_nothing_to_compare_with_it_says_so(project, tmp_path):
    git(tmp_path, "clone", "--quiet", "--depth=1", project.as_uri(), "shallow")
    status, told = check(tmp_path / "shallow")
    assert (status, told.split(": ")[1]) == (0, "nothing was compared")
    assert told.endswith(" is the oldest commit here\n")
    shutil.rmtree(project / ".git")
    status, told = check(project)
    assert (status, told.split(": ")[1]) == (0, "nothing was compared")


def test_the_page_has_every_fragment_in_full():
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    page = " ".join(done.stdout.split())
    for path in (ROOT / "changes").glob("*.*.md"):
        assert " ".join(path.read_text().split()) in page, path.name
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert changelog.startswith("# Changelog\n")
    assert changelog.count("<!-- towncrier release notes start -->\n") == 1


def test_every_type_is_explained():
    types = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
    told = re.findall(
        r"^\| `(\w+)` \| ([^|]+) \|", (ROOT / "changes" / "README.md").read_text(), re.MULTILINE
    )
    assert told == [(each["directory"], each["name"]) for each in types]
