"""Every test here must leave no process, no name and no open file."""

from collections.abc import Iterator

import pytest

import leaks


@pytest.fixture(autouse=True)
def _leaves_nothing() -> Iterator[None]:
    yield from leaks.leaves_nothing()
