"""Each page of measured figures says with which command, at which commit and on which machine."""

import json
import re
import subprocess

import pytest
from benchmarks.made import ROOT, entered_with, history, made, made_lines, main, rows_of

from benchmarks import made as module
from dualgaf.bench import results

MEASURED = ("performance", "accuracy", "reliability", "trust", "predict", "export", "search")


@pytest.mark.parametrize("name", MEASURED)
def test_a_page_says_where_it_was_measured(name):
    text = (ROOT / "docs" / f"{name}.md").read_text()
    assert re.search(r"`(python|make|pytest) ?-?m? ?[\w./]+", text[:400]), "no command at the top"
    commit = r"(Measured at commit|^commit +|came into the tree with) ?[0-9a-f]{7}"
    assert re.search(commit, text, re.MULTILINE)
    assert re.search(r"\bCPUs?\b|machine was not kept", text)


def test_pages_that_no_program_measures_anew_say_it_too():
    sources, tables = ((ROOT / "docs" / f"{name}.md").read_text() for name in ("sources", "tables"))
    assert re.search(r"`python -m benchmarks.sources`", sources)
    assert re.search(r"At [0-9a-f]{7}, two cores", sources)
    assert "Made by `python docs/write_tables.py`; a test compares this page" in tables[:200]


@pytest.mark.parametrize("name", ["accuracy", "trust", "search"])
def test_each_row_of_a_file_has_its_commit(name):
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    for key, row in rows_of(json.loads(path.read_text())):
        assert row.get("commit") or row.get("entered"), f"python -m benchmarks.made {path}: {key}"


def test_what_is_beside_a_row_is_of_this_checkout():
    found = made()
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout: no commit")
    head = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True)
    if head.returncode:
        pytest.skip(f"git: {head.stderr.strip()}")
    assert head.stdout.startswith(found["commit"].partition(" ")[0])
    assert found["cpus"] >= 1
    assert found["versions"]["torch"].startswith("2.")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with a package at ``src/dualgaf``, and what git has to be told."""

    def git(*words):
        command = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    package = tmp_path / "src/dualgaf/bench/results.py"
    package.parent.mkdir(parents=True)
    package.touch()
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    monkeypatch.setattr(results, "__file__", str(package))
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path, git


def test_a_changed_checkout_says_so_and_an_installed_package_has_no_commit(checkout, monkeypatch):
    folder, git = checkout
    head = git("rev-parse", "HEAD")[:7]
    (folder / "page.md").write_text("A page that was written since.")
    assert results.commit() == head
    (folder / "src/dualgaf/bench/results.py").write_text("1\n")
    assert results.commit() == f"{head} with changes"
    installed = folder / ".venv/lib/python3.11/site-packages/dualgaf/bench/results.py"
    monkeypatch.setattr(results, "__file__", str(installed))
    assert results.commit() is None


def test_the_commit_of_an_older_row_is_the_one_it_came_with(checkout):
    folder, git = checkout
    path, commits = folder / "rows.json", []
    for accuracy in (0.5, 0.75):
        rows = [{"set": "a", "seed": 0, "acc": 1.0}, {"set": "b", "seed": 0, "acc": accuracy}]
        path.write_text(json.dumps({"rows": rows}))
        git("add", ".")
        git("commit", "-qm", "rows")
        commits.append(git("rev-parse", "--short", "HEAD"))
    assert entered_with(history(path), "/rows/a seed 0", rows[0])[0] == commits[0]
    assert entered_with(history(path), "/rows/b seed 0", rows[1])[0] == commits[1]
    with pytest.raises(LookupError, match="no commit has the row"):
        entered_with(history(path), "/rows/b seed 0", {"set": "b", "seed": 0, "acc": 0.1})
    main([str(path)])
    found = json.loads(path.read_text())["rows"]
    assert [row["entered"] for row in found] == commits
    assert [row["acc"] for row in found] == [1.0, 0.75]
    assert made_lines(found).startswith("Rows whose commit was not kept came into the tree with")


def test_rows_of_several_machines_and_commits_are_all_told():
    rows = [
        {"commit": "aaaaaaa", "date": "2026-01-01", "cpus": 2, "cpu": "A", "memory": "24 GiB"},
        {"commit": "bbbbbbb", "date": "2026-01-02", "cpus": 1, "cpu": "B"},
        {"commit": "bbbbbbb", "date": "2026-01-02"},
    ]
    assert made_lines(rows) == (
        "Measured at commit aaaaaaa (2026-01-01, 1 row), bbbbbbb (2026-01-02, 2 rows). "
        "Machine: 2 CPUs, A, 24 GiB; 1 CPU, B (1 row of earlier commits: not kept)."
    )
    assert made_lines([]) == ""
