"""A file that is there whole, or is the one before."""

import pytest

from dualgaf.system.whole_file import whole_file


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
