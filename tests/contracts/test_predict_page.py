"""docs/predict.md is made by `python -m benchmarks.predict`; its rule is that of the code."""

import re
from pathlib import Path

import pytest

from dualgaf.data.training_limits import FLAT, MARGIN, MOST_FLAGGED, OUTSIDE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "predict.md").read_text()


def test_the_rule_of_the_page_has_the_numbers_of_the_code():
    (told,) = re.findall(r"^A value of a channel may leave .*$", PAGE, re.MULTILINE)
    for number in (f"by {MARGIN:.0%} of it", f"{OUTSIDE:g} times the most", f"{FLAT:.0%} of the l"):
        assert number in told
    assert f"at most {MOST_FLAGGED:.0%} of the windows" in told


@pytest.mark.parametrize("name", ["MZVAV-2-1", "MZVAV-2-2", "SZCAV"])
def test_good_days_of_the_page_are_seldom_flagged_and_celsius_nearly_always(name):
    (row,) = re.findall(rf"^\| {name} \| (.*) \|$", PAGE, re.MULTILINE)
    _, told, good, _, celsius, *_ = (cell.strip(" %") for cell in row.split("|"))
    assert float(good) <= 3
    assert float(told) <= 2
    assert float(celsius) >= 95
