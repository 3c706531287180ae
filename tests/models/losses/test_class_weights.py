"""Weights of classes: by hand and by scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from dualgaf.errors import ConfigError, SeriesError
from dualgaf.models.losses.class_weights import (
    balanced_class_weights,
    checked_weights,
    weighted_mean,
)


def test_balanced_weights_by_hand() -> None:
    # six windows, three classes: 6 / (3 * 3), 6 / (3 * 2), 6 / (3 * 1)
    label = torch.tensor([0, 0, 0, 1, 1, 2])
    assert balanced_class_weights(label, 3) == pytest.approx([2 / 3, 1.0, 2.0])


def test_balanced_weights_agree_with_sklearn() -> None:
    label = np.random.default_rng(0).choice(4, 200, p=[0.1, 0.2, 0.3, 0.4])
    wanted = compute_class_weight("balanced", classes=np.arange(4), y=label)
    assert balanced_class_weights(torch.from_numpy(label), 4) == pytest.approx(list(wanted))


@pytest.mark.parametrize(("label", "num_classes"), [([0, 0, 2], 3), ([0, 1], 3), ([0, 1, 2], 2)])
def test_a_class_without_windows_is_refused(label: list[int], num_classes: int) -> None:
    with pytest.raises(SeriesError, match=rf"needed: at least one of each of {num_classes}"):
        balanced_class_weights(torch.tensor(label), num_classes)


def test_a_weighted_mean_is_that_of_numpy() -> None:
    loss, label, weights = torch.randn(9), torch.arange(9) % 3, torch.tensor([1.0, 3.0, 0.5])
    wanted = np.average(loss.numpy(), weights=weights[label].numpy())
    assert weighted_mean(loss, label, weights).item() == pytest.approx(float(wanted), abs=1e-6)
    assert weighted_mean(loss, label, None).item() == pytest.approx(loss.mean().item())


def test_weights_are_checked_as_they_are_typed() -> None:
    assert checked_weights(None) is None
    assert torch.equal(checked_weights([1, 2.5]), torch.tensor([1.0, 2.5]))  # type: ignore[arg-type]
    for wrong in ([1.0], [1.0, 0.0], [1.0, -2.0], [1.0, float("inf")]):
        with pytest.raises(
            ConfigError, match=r"class_weights=.* is not allowed; allowed: a number"
        ):
            checked_weights(wrong)
