"""Names that are looked up when they are first used."""

import pytest

import dualgaf
import dualgaf.plan


@pytest.mark.parametrize("module", [dualgaf, dualgaf.plan], ids=lambda module: module.__name__)
def test_a_name_that_is_not_there_is_the_error_of_any_module(module):
    assert not hasattr(module, "no_such_name")
    with pytest.raises(AttributeError, match=f"'{module.__name__}' has no attribute 'no_such'"):
        module.no_such  # noqa: B018
    assert all(getattr(module, name) is not None for name in module.__all__)
