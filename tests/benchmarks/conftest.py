import pytest

import oracles


@pytest.fixture(scope="session")
def plain_pyts() -> None:
    """pyts without the minute in which it compiles itself, for tests that draw with it."""
    oracles.load_pyts()
