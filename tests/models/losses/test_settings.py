import json

import pytest
import torch
from torch import nn

from dualgaf.errors import ConfigError
from dualgaf.models.losses.classification import CrossEntropyLoss, FocalLoss
from dualgaf.models.losses.settings import LOSSES, build_loss, loss_settings, weighted_loss

OTHER = {
    "CrossEntropyLoss": {"label_smoothing": 0.3},
    "FocalLoss": {"gamma": 0.5},
    "HybridFocalLoss": {"gamma": 0.5, "weight": 0.2, "label_smoothing": 0.1},
    "ConfidencePenaltyLoss": {"beta": 0.7},
    "AdaptiveSmoothingLoss": {"most": 0.6},
}
"""Arguments other than the defaults."""


@pytest.mark.parametrize("weights", [None, [0.1, 2.0, 0.7]])
@pytest.mark.parametrize("name", LOSSES)
def test_what_is_told_builds_the_same_loss(name, weights):
    loss = LOSSES[name](**OTHER[name], class_weights=weights)
    told = json.loads(json.dumps(loss_settings(loss)))  # plain values
    logits, label = torch.randn(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    assert torch.equal(build_loss(told)(logits, label), loss(logits, label))
    assert not torch.equal(loss(logits, label), LOSSES[name]()(logits, label))


@pytest.mark.parametrize("name", LOSSES)
def test_weights_given_beside_a_loss_are_those_given_to_it(name):
    weighted = weighted_loss(LOSSES[name](**OTHER[name]), [1.0, 3.0], 2)
    twin = LOSSES[name](**OTHER[name], class_weights=[1.0, 3.0])
    logits, label = torch.randn(4, 2), torch.tensor([0, 1, 1, 0])
    assert torch.equal(weighted(logits, label), twin(logits, label))


def test_a_loss_of_ones_own_is_not_told_even_where_it_has_the_name_of_one():
    class FocalLoss(nn.Module):
        pass

    assert loss_settings(FocalLoss()) is None
    assert loss_settings(nn.CrossEntropyLoss()) is None


@pytest.mark.parametrize(
    ("loss", "weights", "text"),
    [
        (nn.CrossEntropyLoss(), [1.0, 1.0], "the loss is CrossEntropyLoss.*allowed: CrossEntropy"),
        (
            FocalLoss(class_weights=[1.0, 2.0]),
            [1.0, 1.0],
            "given twice.*type classifier.class_w",
        ),
        (CrossEntropyLoss(), [1.0, 1.0, 1.0], "a number for each of 2 classes; type classifier"),
        (CrossEntropyLoss(), [1.0, 0.0], "a number above 0"),
    ],
)
def test_weights_that_do_not_fit_are_refused(loss, weights, text):
    with pytest.raises(ConfigError, match=text):
        weighted_loss(loss, weights, 2)


def test_a_loss_that_is_not_known_is_refused():
    with pytest.raises(ConfigError, match="loss='Hinge' is not known; allowed: CrossEntropyLoss"):
        build_loss({"loss": "Hinge"})
