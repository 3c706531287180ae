"""The loss of an epoch is that of all its windows at once, however they are cut into batches."""

import math
import warnings

import lightning as L
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dualgaf import DualGAFClassifier, DualGAFDataModule, DualGAFNet
from dualgaf.models.eval_mode import eval_mode
from dualgaf.models.losses.classification import CrossEntropyLoss
from dualgaf.models.losses.epoch_loss import EpochLoss, divisor
from dualgaf.models.losses.settings import LOSSES

N_CLASSES = 3
WEIGHTS = st.none() | st.lists(st.floats(0.1, 20.0), min_size=N_CLASSES, max_size=N_CLASSES)
CUTS = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def made(name, class_weights):
    if name == "of torch":
        return nn.CrossEntropyLoss(None if class_weights is None else torch.tensor(class_weights))
    if name == "smoothed":
        return CrossEntropyLoss(label_smoothing=0.3, class_weights=class_weights)
    return LOSSES[name](class_weights=class_weights)


@pytest.mark.parametrize("name", [*LOSSES, "smoothed", "of torch"])
@given(WEIGHTS, CUTS, st.integers(0, 1000))
def test_batches_add_up_to_the_loss_of_all_windows(name, class_weights, cuts, seed):
    loss, generator = made(name, class_weights), torch.Generator().manual_seed(seed)
    n = sum(cuts)
    logits = 3 * torch.randn(n, N_CLASSES, generator=generator)
    label = torch.randint(0, N_CLASSES, (n,), generator=generator)
    found = EpochLoss()
    for some, classes in zip(logits.split(cuts), label.split(cuts), strict=True):
        found.update(loss(some, classes), divisor(loss, classes))
    torch.testing.assert_close(found.compute(), loss(logits, label), rtol=1e-4, atol=1e-5)


def test_a_mean_of_means_would_be_another_number():
    # The control of the test above: two batches, the second of the rare class alone.
    loss = CrossEntropyLoss(class_weights=[1.0, 9.0])
    logits, label = torch.tensor([[2.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0, 1])
    common, rare = math.log1p(math.exp(-2)), math.log1p(math.exp(-1))
    found = EpochLoss()
    for rows in (slice(0, 2), slice(2, 3)):
        found.update(loss(logits[rows], label[rows]), divisor(loss, label[rows]))
    assert float(found.compute()) == pytest.approx((2 * common + 9 * rare) / 11)
    assert (2 * common + rare) / 3 != pytest.approx((2 * common + 9 * rare) / 11, abs=0.01)


def test_a_loss_that_is_no_number_is_seen():
    found = EpochLoss()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for value in (1.0, math.nan, 2.0):
            found.update(torch.tensor(value), torch.tensor(4.0))
    assert math.isnan(found.compute())


def test_a_loss_of_ones_own_is_taken_for_a_mean_over_windows():
    label = torch.tensor([0, 2, 2])
    assert divisor(nn.MSELoss(), label) == 3
    assert divisor(nn.CrossEntropyLoss(), label) == 3


@pytest.mark.parametrize("class_weights", [None, [1.0, 9.0]])
def test_val_and_test_losses_do_not_depend_on_the_batch_size(class_weights):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(23, 2, 12)), np.r_[[0] * 17, [1] * 6]
    net = DualGAFNet(2, 2, width=8, use_minirocket=False, use_forest=False)
    model = DualGAFClassifier(net, class_weights=class_weights)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = L.Trainer(accelerator="cpu", devices=1, enable_checkpointing=False, **quiet)
    losses = []
    for size in (1, 4, 23):
        dm = DualGAFDataModule.from_arrays((x, y), val=(x, y), overlap="allow", batch_size=size)
        (found,) = trainer.validate(model, datamodule=dm, verbose=False)
        losses.append(found["val/loss"])
    with eval_mode(model), torch.no_grad():
        logits = torch.cat([model(*batch[:3]) for batch in dm.val_dataloader()])
    by_hand = nn.functional.cross_entropy(
        logits, torch.as_tensor(y), None if class_weights is None else torch.tensor(class_weights)
    )
    assert losses == pytest.approx([by_hand.item()] * 3, abs=1e-5)
