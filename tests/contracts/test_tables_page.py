"""docs/tables.md is what its program makes, and an independent reader counts the same."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def writer():
    before = list(sys.path)
    spec = importlib.util.spec_from_file_location("writer", ROOT / "docs" / "write_tables.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["writer"] = module
    spec.loader.exec_module(module)
    sys.path[:] = before
    yield module
    del sys.modules["writer"]


def test_the_page_is_what_its_program_makes(writer):
    assert writer.PAGE.read_text(encoding="utf-8") == writer.page(), (
        "run: python docs/write_tables.py"
    )


def test_rows_and_windows_are_those_that_the_csv_module_counts(writer):
    rows = [line.split(" | ") for line in writer.PAGE.read_text().splitlines() if "](#" in line]
    rows = [row for row in rows if len(row) == 6]
    assert len(rows) == len(writer.DIALECTS)
    for name, _, read, counted, windows, theirs in rows:
        assert int(read) == int(counted) > 0, name
        assert int(windows) == int(theirs.removesuffix(" |")) > 0, name


def test_every_link_of_the_table_goes_to_its_dialect(writer):
    text = writer.PAGE.read_text()
    titles = {writer._anchor(line[3:]) for line in text.splitlines() if line.startswith("## ")}
    assert set(re.findall(r"\]\(#(\S+)\)", text)) == titles
    assert len(titles) == len(writer.DIALECTS)


def test_a_window_that_is_read_otherwise_is_noticed(writer, monkeypatch):
    real = writer.tables.windows
    monkeypatch.setattr(writer.tables, "windows", lambda *given: real(*given)[1:])
    with pytest.raises(AssertionError, match=r"windows are .*, counted"):
        writer.tell(writer.DIALECTS[0])
