"""docs/memory.md: each row of its tables is what `plan` says."""

import re
from pathlib import Path

import pytest

from dualgaf.cli import main
from dualgaf.system.machine import disk_free, format_bytes, memory_headroom

PAGE = (Path(__file__).resolve().parents[2] / "docs/memory.md").read_text()
COMMON = "plan hardware=8gb data=simulated"
ROWS = re.findall(r"^\| `(data\.[^`]+)` \| (\w+) \| ([^|]+) \|$", PAGE, re.MULTILINE)


def planned(words, capsys):
    status = main(words.split())
    captured = capsys.readouterr()
    return status, captured.out + captured.err


def test_the_tables_have_rows():
    assert len(ROWS) == 7
    assert PAGE.count(f"`python -m dualgaf {COMMON}`") == 2


@pytest.mark.parametrize(
    ("typed", "layout", "place"),
    # 40000 windows are simulated before they are planned for
    [pytest.param(*row, marks=pytest.mark.slow if "40000" in row[0] else ()) for row in ROWS],
)
def test_the_images_are_where_the_page_says(typed, layout, place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for what, free, needed in (
        ("memory", memory_headroom().bytes, 9 << 30),
        ("disk", disk_free(tmp_path), 16 << 30),
    ):
        if free < needed:
            pytest.skip(f"{format_bytes(free)} of {what}; the page is of {format_bytes(needed)}")
    status, said = planned(f"{COMMON} {typed}", capsys)
    assert status == 0, said
    (images,) = re.findall(r"^  images .*$", said, re.MULTILINE)
    (store,) = re.findall(r"^  store .*$", said, re.MULTILINE)
    assert re.search(rf"\b{layout}\b", images), images
    assert place in store, store


def test_what_a_run_says_that_does_not_fit(capsys):
    typed, said = re.findall(r"^\$ python -m dualgaf (.*)\n(dualgaf: .*)$", PAGE, re.MULTILINE)[0]
    status, found = planned(typed, capsys)
    assert status == 2
    parts = [re.escape(part) for part in said.split("...")]
    assert re.search(".*".join(parts), found), found
