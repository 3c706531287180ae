import logging
import warnings

import pytest

from dualgaf.quiet import quiet

logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")


def test_advertisements_are_left_out_and_nothing_else(caplog, monkeypatch):
    monkeypatch.setattr(logger, "propagate", True)
    with caplog.at_level(logging.INFO, logger.name):
        with quiet():
            logger.info("\N{ELECTRIC LIGHT BULB} Tip: buy something")
            logger.info("build plan")
        logger.info("\N{ELECTRIC LIGHT BULB} Tip: outside the block")
    assert caplog.messages == ["build plan", "\N{ELECTRIC LIGHT BULB} Tip: outside the block"]


def test_other_warnings_still_come():
    with quiet(), pytest.warns(UserWarning, match="something real"):
        warnings.warn("something real", UserWarning, stacklevel=1)
