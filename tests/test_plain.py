import json
from enum import Enum, IntEnum
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from dualgaf.plain import plain, plain_settings


class Kind(Enum):
    FAST = "fast"


class Size(IntEnum):
    LARGE = 3


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (np.float64(0.2), 0.2),
        (np.float32(0.5), 0.5),
        (np.longdouble(0.25), 0.25),
        (np.int64(2), 2),
        (np.bool_(True), True),
        (np.str_("run"), "run"),
        (Fraction(1, 4), 0.25),
        (Kind.FAST, "fast"),
        (Size.LARGE, 3),
        (np.array([1.0, 9.0]), [1.0, 9.0]),
        (np.array(0.1), 0.1),
        (np.array(["run", "walk"]), ["run", "walk"]),
        (torch.tensor([1, 2]), [1, 2]),
        (torch.tensor(0.5, requires_grad=True), 0.5),
        (pd.Series([1.5, 2.0]), [1.5, 2.0]),
        (pd.Index(["a", "b"]), ["a", "b"]),
        (pl.Series([1, 2]), [1, 2]),
        ([np.str_("a"), np.str_("b")], ["a", "b"]),
        ((np.float64(0.0), np.int8(1)), (0.0, 1)),
        (
            {np.str_("air"): {"channels": np.array([0, 2]), "extractor": None}},
            {"air": {"channels": [0, 2], "extractor": None}},
        ),
        (None, None),
        (True, True),
        ("auto", "auto"),
        (3, 3),
    ],
    ids=repr,
)
def test_a_setting_is_kept_as_what_python_has_for_it(given, wanted):
    found = plain(given)
    assert found == wanted
    assert type(found) is type(wanted)
    assert json.loads(json.dumps(found)) == (list(wanted) if type(wanted) is tuple else wanted)


def test_what_is_no_setting_stays_as_it_is():
    for value in (torch.nn.Linear(1, 1), print, Kind):
        assert plain(value) is value


def test_a_constructor_sees_plain_arguments_and_shows_its_own_signature():
    @plain_settings
    def made(n, *, names=()):
        """It says what it does."""
        return type(n), names

    assert made(np.int64(3), names=np.array(["a"])) == (int, ["a"])
    assert made.__doc__ == "It says what it does."
    import inspect

    assert inspect.getfullargspec(made).varkw is None  # what Lightning asks
