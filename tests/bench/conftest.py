"""What tests that fork, or that write into shared memory, may not leave behind."""

from collections.abc import Iterator

import pytest

import leaks


@pytest.fixture
def leaves_nothing() -> Iterator[None]:
    """No process, no name and no open file is left."""
    yield from leaks.leaves_nothing()
