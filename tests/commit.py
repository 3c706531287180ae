"""What a commit tries of many alike cases, and what waits for `make slow`."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def first(cases: Sequence[Any], n: int) -> Iterable[Any]:
    """All cases for ``parametrize``; those after the first ``n`` are marked slow."""
    return [*cases[:n], *(pytest.param(case, marks=pytest.mark.slow) for case in cases[n:])]
