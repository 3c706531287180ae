"""In which order windows come: by seed and epoch alone, and to each rank its share."""

import warnings
from collections import Counter
from types import SimpleNamespace

import lightning as L
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics import MeanMetric

from dualgaf import DualGAFDataModule
from dualgaf.data.augmentation import SeriesAugmentation, Turn
from dualgaf.data.order import (
    EpochOrder,
    Passes,
    RankOrder,
    batch_size_for_ranks,
    order_for,
)
from dualgaf.errors import FallbackWarning
from semaphores import needs_semaphores

WINDOWS = st.integers(1, 200)
RANKS = st.integers(1, 9)


def data(n=23, batch_size=4, seed=3, **settings):
    """Windows that begin with their own number."""
    x = np.random.default_rng(0).normal(size=(n, 2, 8))
    x[:, 0, 0] = np.arange(n)
    dm = DualGAFDataModule.from_arrays(
        (x, np.arange(n) % 2),
        val=(x + 0.5, np.arange(n) % 2),
        batch_size=batch_size,
        seed=seed,
        **settings,
    )
    dm.setup("fit")
    return dm


def numbers(dm, batch):
    return dm.series_scaler.inverse_transform(batch.series.numpy())[:, 0, 0].round().astype(int)


def passes(dm, loader, count=3):
    return [[int(n) for batch in loader for n in numbers(dm, batch)] for _ in range(count)]


class Seeing(L.LightningModule):
    """Keeps which windows each epoch has, by Lightning's own number of the epoch."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.seen = {}

    def training_step(self, batch, batch_idx):
        found = self.seen.setdefault(self.current_epoch, [])
        found += numbers(self.trainer.datamodule, batch).tolist()
        return self.weight * batch.series.mean()

    def validation_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        # As a schedule does: it makes the loaders before a checkpoint's epoch is known.
        assert self.trainer.estimated_stepping_batches > 0
        return torch.optim.SGD(self.parameters(), lr=0.01)


def fit(folder, epochs=4, checkpoint=None, workers=0, **options):
    module = Seeing()
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        enable_checkpointing=False,
        **options,
    )
    dm = data(num_workers=workers)
    trainer.fit(module, datamodule=dm, ckpt_path=checkpoint, weights_only=True)
    return module.seen, trainer


@given(WINDOWS, st.integers(0, 2**40), st.integers(0, 1000))
def test_an_epoch_has_every_window_once_and_follows_from_seed_and_epoch(n, seed, epoch):
    one, other = (EpochOrder(n, seed, Passes()) for _ in range(2))
    one.set_epoch(epoch)
    for _ in range(3):
        other.set_epoch(epoch)
        order = list(other)
    assert list(one) == order
    assert sorted(order) == list(range(n))
    one.set_epoch(epoch + 1)
    if n > 20:
        assert list(one) != order


def test_seeds_do_not_share_their_orders():
    # Seed and epoch are not added up: epoch 1 of seed 0 would be epoch 0 of seed 1.
    orders = set()
    for seed in range(5):
        order = EpochOrder(20, seed, Passes())
        orders |= {tuple(order) for _ in range(5)}
    assert len(orders) == 25


@needs_semaphores
@pytest.mark.parametrize("workers", [1, 2])
def test_loader_workers_change_no_order(workers):
    alone = data()
    wanted = passes(alone, alone.train_dataloader())
    assert len({tuple(order) for order in wanted}) == 3
    dm = data(num_workers=workers)
    assert passes(dm, dm.train_dataloader()) == wanted


def test_outside_of_a_trainer_a_new_loader_goes_on_with_the_epochs():
    dm = data()
    wanted = passes(dm, dm.train_dataloader())
    dm = data()
    assert [passes(dm, dm.train_dataloader(), 1)[0] for _ in range(3)] == wanted
    loader = dm.train_dataloader()
    loader.sampler.set_epoch(1)
    assert passes(dm, loader, 2) == wanted[1:]


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=needs_semaphores)])
def test_under_a_trainer_the_epoch_alone_counts(workers, tmp_path):
    whole, _ = fit(tmp_path)
    assert len({tuple(order) for order in whole.values()}) == 4
    assert fit(tmp_path, workers=workers, reload_dataloaders_every_n_epochs=1)[0] == whole
    _, trainer = fit(tmp_path, epochs=2, workers=workers)
    trainer.save_checkpoint(tmp_path / "two.ckpt")
    resumed, _ = fit(tmp_path, checkpoint=tmp_path / "two.ckpt", workers=workers)
    assert resumed == {epoch: whole[epoch] for epoch in (2, 3)}


def test_loaders_take_nothing_from_the_generator_of_the_process():
    dm = data()
    before = torch.get_rng_state()
    for loader in (dm.train_dataloader(), dm.val_dataloader()):
        assert len(list(loader)) == 6
    assert torch.equal(torch.get_rng_state(), before)


def changed(workers, count=2, **settings):
    dm = data(images="on_device", augmentation={"jitter": 0.2}, num_workers=workers, **settings)
    loader = dm.train_dataloader()
    found = []
    for _ in range(count):
        batches = list(loader)
        series, gasf = (torch.cat([batch[k] for batch in batches]) for k in (2, 0))
        found.append((series, gasf))
    return found


@needs_semaphores
def test_changes_of_windows_follow_from_seed_epoch_and_window():
    one = changed(0)
    for other in (changed(2), changed(0)):
        for (series, gasf), (same, drawn) in zip(one, other, strict=True):
            assert torch.equal(series, same)
            assert torch.equal(gasf, drawn)
    assert not torch.equal(one[0][0].sort(dim=0).values, one[1][0].sort(dim=0).values)
    # The same window, whatever batch it is in.
    larger = changed(0, batch_size=9)
    assert torch.equal(one[1][0], larger[1][0])


def test_keys_draw_as_much_noise_as_told():
    series = torch.full((400, 3, 50), 2.0, dtype=torch.float64)
    keys = [(*Turn.of(0, 1, 2).key, row) for row in range(400)]
    how = SeriesAugmentation(jitter=0.3)
    noise = how(series, keys) - series
    assert float(noise.std()) == pytest.approx(0.3, rel=0.02)
    assert torch.equal(how(series[5:6], keys[5:6])[0], how(series, keys)[5])
    assert len(noise.flatten().unique()) == noise.numel()


@given(WINDOWS, RANKS)
def test_ranks_deal_each_window_once_or_as_many_to_each(n, ranks):
    order = EpochOrder(n, 0, Passes())
    for repeats in (False, True):
        shares = []
        for rank in range(ranks):
            order.set_epoch(5)  # as every rank has it
            share = RankOrder(order, ranks, rank, repeats=repeats)
            shares.append(list(share))
            assert len(share) == len(shares[-1])
        counted = Counter(index for share in shares for index in share)
        assert set(counted) == set(range(n))
        if repeats:
            assert {len(share) for share in shares} == {-(-n // ranks)}
        else:
            assert set(counted.values()) == {1}


@given(WINDOWS, RANKS, st.integers(1, 64))
def test_ranks_that_evaluate_have_as_many_batches(n, ranks, batch_size):
    if n < ranks:
        return
    size = batch_size_for_ranks(n, ranks, batch_size)
    counts = {-(-len(range(rank, n, ranks)) // size) for rank in range(ranks)}
    assert len(counts) == 1
    if n % ranks == 0:
        assert size == batch_size
    elif size > batch_size:  # no smaller one does it
        fewest = n // ranks
        assert all(-(-fewest // s) != -(-(fewest + 1) // s) for s in range(1, batch_size + 1))


def trainer_of_ranks(module, ranks=2, rank=1, **connector):
    return SimpleNamespace(
        distributed_sampler_kwargs={"num_replicas": ranks, "rank": rank},
        lightning_module=module,
        _accelerator_connector=SimpleNamespace(**connector),
    )


def test_a_mean_that_lightning_would_round_is_said():
    order = EpochOrder(11, 0, Passes())
    bare, measured = Seeing(), Seeing()
    measured.mean = MeanMetric()
    with pytest.warns(FallbackWarning, match=r"log metrics of torchmetrics, or .* type Trainer"):
        dealt, size = order_for("evaluate", order, 5, trainer_of_ranks(bare), "val")
    assert (list(dealt), size) == ([1, 3, 5, 7, 9], 4)
    even = EpochOrder(12, 0, Passes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        order_for("evaluate", order, 5, trainer_of_ranks(measured), "val")
        order_for("evaluate", even, 5, trainer_of_ranks(bare), "val")
        order_for("train", order, 5, trainer_of_ranks(bare), "train")
        assert order_for("predict", order, 5, trainer_of_ranks(bare), "test") == (None, 5)
        for alone in (None, trainer_of_ranks(bare, use_distributed_sampler=False)):
            assert order_for("evaluate", order, 5, alone, "val") == (None, 5)
            assert order_for("train", order, 5, alone, "train") == (order, 5)


def test_fewer_windows_than_ranks_are_counted_twice_and_it_is_said():
    order = EpochOrder(2, 0, Passes())
    with pytest.warns(FallbackWarning, match=r"val split has 2 windows.*ranks \(3\).*twice"):
        dealt, _ = order_for("evaluate", order, 4, trainer_of_ranks(Seeing(), 3, 2), "val")
    assert list(dealt) == [0]
