"""A file that is there whole, or is the one before."""

import multiprocessing
import os
import subprocess
import sys

import pytest

from dualgaf.system.whole_file import DRAFT, whole_file


def test_the_file_before_stays_where_the_new_one_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")

    def fail():
        with whole_file(path) as draft:
            draft.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.txt", "before")]


def test_nothing_is_at_its_place_before_the_end(tmp_path):
    path = tmp_path / "folder" / "a.txt"
    with whole_file(path) as draft:
        draft.write_text("half")
        assert not path.exists()
    assert path.read_text() == "half"
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


def test_what_wrote_no_draft_is_an_error_and_not_an_empty_file(tmp_path):
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "a.txt"):
        pass
    assert not list(tmp_path.iterdir())


def _write(path, text, repeats):
    for _ in range(repeats):
        with whole_file(path) as draft:
            draft.write_text(text)


def test_processes_that_write_one_file_at_once_each_leave_a_whole_one(tmp_path):
    path, texts = tmp_path / "a.txt", ["x" * 40_000, "y" * 40_000]
    forked = multiprocessing.get_context("fork")
    writers = [forked.Process(target=_write, args=(path, text, 200)) for text in texts]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen |= {path.read_text()} if path.exists() else set()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert seen <= {*texts}
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_draft_of_a_process_that_was_killed_is_removed_by_the_next_one(tmp_path):
    path = tmp_path / "a[1].txt"  # no pattern
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = os.uname().nodename
    left = tmp_path / f"{path.name}.{host}-{dead.pid}-0{DRAFT}"
    others = [
        tmp_path / f"{path.name}.{host}-{os.getppid()}-0{DRAFT}",  # at work
        tmp_path / f"{path.name}.elsewhere-{dead.pid}-0{DRAFT}",  # who knows
        tmp_path / f"b.txt.{host}-{dead.pid}-0{DRAFT}",
    ]
    for draft in (left, *others):
        draft.touch()
    _write(path, "whole", 1)
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])
