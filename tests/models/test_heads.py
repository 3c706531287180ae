"""Heads: shape, dropout, unknown names."""

import pytest
import torch

from dualgaf.errors import ConfigError
from dualgaf.models.heads import MLPHead, build_head


def test_the_head_gives_one_logit_a_class() -> None:
    head = MLPHead(48, 5, hidden=16, dropout=0.0)
    assert head(torch.randn(1, 48)).shape == (1, 5)


def test_dropout_acts_in_training_only() -> None:
    head, features = MLPHead(48, 5, hidden=16, dropout=0.5), torch.randn(4, 48)
    assert not torch.equal(head(features), head(features))
    head.eval()
    assert torch.equal(head(features), head(features))


def test_an_unknown_name_lists_the_allowed_ones() -> None:
    with pytest.raises(ConfigError) as error:
        build_head("mpl", 8, 2, hidden=4, dropout=0.0)
    # The name may carry the group it is typed under on the command line, model.extractor=...
    assert str(error.value).replace("model.", "") == (
        "head='mpl' is not known; allowed: mlp; type head=mlp"
    )
