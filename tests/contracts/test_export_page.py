"""docs/export.md is made by `python -m benchmarks.export`: it has every part of the networks."""

import re
from pathlib import Path

import pytest

from dualgaf.models.extractors import EXTRACTORS
from dualgaf.models.net import CHOICES

pytest.importorskip("onnxruntime", reason='no onnxruntime: pip install "dualgaf[onnx]"')

from benchmarks.export.networks import PARTS, networks
from benchmarks.export.page import KEPT, MISSING

from dualgaf.inference.onnx_file import OPSETS, TOLERANCE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "export.md").read_text()
WANTED = {"extractor": list(EXTRACTORS), **{part: list(CHOICES[part]) for part in PARTS[1:]}}


def rows_of(title):
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    return lines[0], lines[2:]


def test_the_networks_have_every_part():
    made = list(networks())
    for part, names in WANTED.items():
        assert set(names) <= {options.get(part) for options in made}, part


def test_each_part_was_exported_and_is_within_the_tolerance():
    if MISSING in PAGE:
        pytest.skip(f"docs/export.md says {MISSING!r}: python -m benchmarks.export")
    head, rows = rows_of("What can be exported")
    rows = [row for row in rows if len(row) == len(head)]
    for part, names in WANTED.items():
        assert set(names) <= {row[head.index(part)] for row in rows}, part
    assert all(float(row[-1].strip()) <= TOLERANCE for row in rows)
    assert len({row[head.index("scaling, range")] for row in rows}) == 5


def test_what_it_says_to_type_is_that_of_the_code():
    assert f"`--opset` takes {OPSETS[0]} to {OPSETS[-1]}" in PAGE
    assert (ROOT / "docs" / "serve.py").exists()
    assert KEPT.relative_to(ROOT).parts[0] == "runs"  # not in git
    assert "python docs/serve.py model.onnx 8000" in PAGE
    assert not re.search(r"\{\w+\}", PAGE.replace('{"windows"', ""))
