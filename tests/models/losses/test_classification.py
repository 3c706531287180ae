"""Every loss by hand, by torch where it is the same, and at answers that are certain."""

import math
from collections.abc import Callable
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from dualgaf.errors import ConfigError
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.models.losses.classification import (
    AdaptiveSmoothingLoss,
    ConfidencePenaltyLoss,
    CrossEntropyLoss,
    FocalLoss,
    HybridFocalLoss,
)
from dualgaf.models.net import DualGAFNet

LOSSES: dict[str, Callable[..., nn.Module]] = {
    "entropy": CrossEntropyLoss,
    "focal": FocalLoss,
    "hybrid": HybridFocalLoss,
    "penalty": ConfidencePenaltyLoss,
    "adaptive": AdaptiveSmoothingLoss,
}

# Two windows of three classes: probabilities (1/2, 1/4, 1/4) and (1/8, 1/8, 3/4).
LOGITS = torch.tensor([[2.0, 1.0, 1.0], [1.0, 1.0, 6.0]]).log()
LABEL = torch.tensor([0, 1])
LN2, LN3 = math.log(2), math.log(3)


def test_cross_entropy_by_hand() -> None:
    torch.testing.assert_close(CrossEntropyLoss()(LOGITS, LABEL).item(), (LN2 + 3 * LN2) / 2)


def test_label_smoothing_by_hand() -> None:
    # sums of -log p over the classes: 5 log 2, and 3 + 3 + 2 times log 2 less log 3
    first = 0.7 * LN2 + 0.1 * 5 * LN2
    second = 0.7 * 3 * LN2 + 0.1 * (8 * LN2 - LN3)
    got = CrossEntropyLoss(label_smoothing=0.3)(LOGITS, LABEL).item()
    assert got == pytest.approx((first + second) / 2, rel=1e-6)


def test_class_weights_by_hand() -> None:
    got = CrossEntropyLoss(class_weights=[1.0, 3.0, 5.0])(LOGITS, LABEL).item()
    assert got == pytest.approx((1 * LN2 + 3 * 3 * LN2) / 4, rel=1e-6)


def test_focal_by_hand() -> None:
    first, second = (1 / 2) ** 3 * LN2, (7 / 8) ** 3 * 3 * LN2
    assert FocalLoss(gamma=3.0)(LOGITS, LABEL).item() == pytest.approx((first + second) / 2)
    weighted = FocalLoss(gamma=3.0, class_weights=[1.0, 3.0, 5.0])(LOGITS, LABEL).item()
    assert weighted == pytest.approx((first + 3 * second) / 4)


def test_hybrid_focal_by_hand() -> None:
    focal = ((1 / 2) ** 2 * LN2 + (7 / 8) ** 2 * 3 * LN2) / 2
    got = HybridFocalLoss(gamma=2.0, weight=0.25)(LOGITS, LABEL).item()
    assert got == pytest.approx(0.25 * focal + 0.75 * 2 * LN2)


def test_confidence_penalty_by_hand() -> None:
    # entropies: 1/2 log 2 + 2 (1/4) 2 log 2 = 3/2 log 2; 2 (1/8) 3 log 2 + 3/4 (2 log 2 - log 3)
    entropies = 1.5 * LN2 + 0.75 * LN2 + 0.75 * (2 * LN2 - LN3)
    got = ConfidencePenaltyLoss(beta=0.2)(LOGITS, LABEL).item()
    assert got == pytest.approx((4 * LN2 - 0.2 * entropies) / 2)


def test_confidence_is_penalised_not_rewarded() -> None:
    # right at both times; the more certain answer pays more beside cross-entropy
    label = torch.tensor([0])
    mild, certain = torch.tensor([[1.0, 0.0]]), torch.tensor([[9.0, 0.0]])

    def penalty(logits: torch.Tensor) -> float:
        both: torch.Tensor = ConfidencePenaltyLoss(beta=1.0)(logits, label)
        return float(both - F.cross_entropy(logits, label))

    assert penalty(certain) > penalty(mild)


def test_adaptive_smoothing_by_hand() -> None:
    # certainty (1/2 - 1/3) / (2/3) = 1/4 and (3/4 - 1/3) / (2/3) = 5/8; fractions 0.1 and 0.25
    first = 0.9 * LN2 + 0.1 * 5 * LN2 / 3
    second = 0.75 * 3 * LN2 + 0.25 * (8 * LN2 - LN3) / 3
    got = AdaptiveSmoothingLoss(most=0.4)(LOGITS, LABEL).item()
    assert got == pytest.approx((first + second) / 2)


def test_no_gradient_flows_through_the_certainty() -> None:
    logits = torch.tensor([[3.0, 0.0, 0.0]], requires_grad=True)
    AdaptiveSmoothingLoss(most=0.4)(logits, torch.tensor([0])).backward()
    fraction = 0.4 * (logits.softmax(1).max().item() - 1 / 3) * 1.5
    target = torch.tensor([[1 - fraction + fraction / 3, fraction / 3, fraction / 3]])
    torch.testing.assert_close(logits.grad, logits.detach().softmax(1) - target)


SAME: list[tuple[nn.Module, float]] = [
    (CrossEntropyLoss(class_weights=[1.0, 3.0, 5.0]), 0.0),
    (CrossEntropyLoss(class_weights=[1.0, 3.0, 5.0], label_smoothing=0.2), 0.2),
    (FocalLoss(gamma=0.0, class_weights=[1.0, 3.0, 5.0]), 0.0),
    (HybridFocalLoss(weight=0.0, class_weights=[1.0, 3.0, 5.0], label_smoothing=0.2), 0.2),
    (HybridFocalLoss(weight=1.0, gamma=0.0, class_weights=[1.0, 3.0, 5.0]), 0.0),
    (ConfidencePenaltyLoss(beta=0.0, class_weights=[1.0, 3.0, 5.0]), 0.0),
    (AdaptiveSmoothingLoss(most=0.0, class_weights=[1.0, 3.0, 5.0]), 0.0),
]


@pytest.mark.parametrize("case", range(len(SAME)))
def test_the_limits_are_the_cross_entropy_of_torch(case: int) -> None:
    loss, smoothing = SAME[case]
    logits, label = torch.randn(9, 3), torch.randint(0, 3, (9,))
    torch_loss = nn.CrossEntropyLoss(torch.tensor([1.0, 3.0, 5.0]), label_smoothing=smoothing)
    torch.testing.assert_close(loss(logits, label), torch_loss(logits, label))


@pytest.mark.parametrize("name", LOSSES)
def test_certain_answers_give_finite_losses_and_gradients(name: str) -> None:
    options = {"gamma": 0.5} if name in ("focal", "hybrid") else {}
    right, wrong = torch.tensor([0, 1, 2]), torch.tensor([1, 2, 0])
    for scale, label in product([0.0, 1.0, 1e3, 1e6], [right, wrong]):
        logits = (scale * torch.eye(3)).requires_grad_()
        loss = LOSSES[name](**options)(logits, label)
        assert torch.isfinite(loss)
        (slope,) = torch.autograd.grad(loss, logits)
        assert torch.isfinite(slope).all()


@given(seed=st.integers(0, 2**16), name=st.sampled_from(list(LOSSES)))
def test_a_step_down_the_gradient_lowers_the_loss(seed: int, name: str) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(4, 3, generator=generator).requires_grad_()
    label = torch.randint(0, 3, (4,), generator=generator)
    before = LOSSES[name]()(logits, label)
    before.backward()
    with torch.no_grad():
        assert LOSSES[name]()(logits - 1e-2 * logits.grad, label) <= before + 1e-6


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_keeps_nothing_in_a_checkpoint(name: str) -> None:
    assert LOSSES[name](class_weights=[1.0, 2.0]).state_dict() == {}


def test_a_classifier_trains_with_the_loss_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = FocalLoss(gamma=3.0, class_weights=[1.0, 3.0, 5.0])
    plain = {"mixup": 0.0, "time_warp": 0.0, "crop": 0.0}
    model = DualGAFClassifier(DualGAFNet(2, 3, width=8), loss=loss, **plain).eval()
    monkeypatch.setattr(model, "log", lambda *_, **__: None)
    image, series, label = torch.rand(4, 2, 9, 9), torch.randn(4, 2, 12), torch.tensor([0, 1, 2, 0])
    got = model.training_step((image, image, series, label), 0)
    torch.testing.assert_close(got, loss(model(image, image, series), label))
    # it is among the settings of a checkpoint, not among its weights
    assert not [name for name in model.state_dict() if name.startswith("loss")]


WRONG = [
    ({"label_smoothing": 1.0}, ["entropy", "hybrid"]),
    ({"label_smoothing": -0.1}, ["entropy", "hybrid"]),
    ({"gamma": -1.0}, ["focal", "hybrid"]),
    ({"weight": 1.5}, ["hybrid"]),
    ({"beta": -0.1}, ["penalty"]),
    ({"most": 1.0}, ["adaptive"]),
    ({"gamma": None}, ["focal"]),
    ({"most": "much"}, ["adaptive"]),
    ({"class_weights": [1.0]}, list(LOSSES)),
    ({"class_weights": [1.0, 0.0]}, list(LOSSES)),
    ({"class_weights": [1.0, math.nan]}, list(LOSSES)),
]


@pytest.mark.parametrize(
    ("name", "wrong"), [(name, wrong) for wrong, names in WRONG for name in names]
)
def test_a_number_out_of_range_is_refused(name: str, wrong: dict[str, float]) -> None:
    (option,) = wrong
    with pytest.raises(
        ConfigError,
        match=f"{option}=.* is not allowed; allowed: .*type (loss.|classifier.)?{option}=",
    ):
        LOSSES[name](**wrong)


@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_gives_the_loss_of_its_logits(name: str) -> None:
    torch.manual_seed(0)
    logits, label = (4 * torch.randn(9, 3)).bfloat16(), torch.arange(9) % 3
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = LOSSES[name]()(logits, label)
    torch.testing.assert_close(got, LOSSES[name]()(logits.float(), label))
