import gc
from types import SimpleNamespace

import lightning as L
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, DistributedSampler, SequentialSampler

from dualgaf import DualGAFDataModule
from dualgaf.data import loader as loading
from dualgaf.data.batch import Batch, PolarBatch, StoredBatch
from dualgaf.data.loader import ImageLoader
from dualgaf.errors import FallbackWarning
from semaphores import needs_semaphores

BOTH = pytest.mark.parametrize("images", ["precompute", "on_device"])


def data(images, n=22, batch_size=4, **settings):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(n, 3, 16)), np.arange(n) % 2
    dm = DualGAFDataModule.from_arrays(
        (x, y), test=(x, y), overlap="allow", batch_size=batch_size, images=images, **settings
    )
    dm.setup("fit")
    dm.setup("test")
    return dm


def addresses(batch):
    return {batch.gasf.data_ptr(), batch.gadf.data_ptr()}


def trainer(**options):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    short = {
        "max_epochs": 2,
        "limit_val_batches": 0,
        "num_sanity_val_steps": 0,
        "enable_checkpointing": False,
    }
    return L.Trainer(**{"accelerator": "cpu", **quiet, **short, **options})


class Watching(L.LightningModule):
    """Notes where the images of each batch lie."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.addresses, self.series = [], []

    def training_step(self, batch, batch_idx):
        self.addresses.append(addresses(batch))
        self.series.append(batch.series.clone())
        return (batch.gasf * self.weight + batch.gadf).square().mean()

    def validation_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


@BOTH
def test_batches_that_are_kept_never_change(images):
    dm = data(images)
    kept, copies = [], []
    for _ in range(2):
        for batch in dm.train_dataloader():
            kept.append(batch)
            copies.append([tensor.clone() for tensor in batch])
    assert len(kept) == 12
    for batch, copy in zip(kept, copies, strict=True):
        for tensor, before in zip(batch, copy, strict=True):
            assert torch.equal(tensor, before)
    assert len(set.union(*map(addresses, kept))) == 24


@BOTH
def test_memory_is_used_again_when_batches_are_gone_also_by_the_shorter_last_one(images):
    dm = data(images)
    seen = []
    for _ in range(4):
        for batch in dm.train_dataloader():
            assert batch.gasf.is_contiguous()
            assert batch.gadf.is_contiguous()
            seen.append(addresses(batch))
        assert len(batch.label) == 2
        del batch
    # the batch that the loop still holds, and the one that is being made
    assert len(set.union(*seen)) == 4
    assert not set.intersection(*seen)
    assert len(dm._buffers._free) == 4
    dm.close()
    assert len(dm._buffers._free) == 0


@BOTH
def test_a_fit_goes_round_the_same_memory_and_an_exception_gives_it_back(images):
    dm, module = data(images), Watching()
    trainer(max_epochs=4).fit(module, datamodule=dm)
    assert len(module.addresses) == 24
    assert len(set.union(*module.addresses)) <= 8
    assert isinstance(next(iter(dm.train_dataloader())), Batch)  # before any hook

    def broken(batch, batch_idx):
        raise RuntimeError("on purpose")

    module.training_step = broken
    with pytest.raises(RuntimeError, match="on purpose"):
        trainer().fit(module, datamodule=dm)
    gc.collect()
    assert len(dm._buffers._free) == 0
    assert dm.stores == []


@pytest.mark.parametrize(
    ("images", "kind"), [("precompute", StoredBatch), ("on_device", PolarBatch)]
)
def test_an_accelerator_gets_the_smallest_thing_and_makes_the_images_itself(images, kind):
    dm = data(images)
    dm.trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("meta")))
    loader = dm.train_dataloader()
    assert type(loader) is DataLoader
    for batch in loader:
        assert isinstance(batch, kind)
        there = kind(batch[0].to("meta"), *batch[1:])
        assert dm.on_after_batch_transfer(there, 0).gasf.device.type == "meta"


@pytest.mark.parametrize(
    ("device", "pinned"), [("cuda", True), ("meta", False), ("cpu", False), (None, False)]
)
def test_only_what_goes_to_cuda_is_pinned(device, pinned):
    dm = data("on_device")
    if device is not None:
        dm.trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device(device)))
    assert dm.test_dataloader().pin_memory is pinned


@BOTH
@pytest.mark.parametrize("under_trainer", [False, True])
@needs_semaphores
def test_loader_workers_ship_what_images_are_made_of(images, under_trainer):
    dm, module = data(images, num_workers=1), Watching()
    alone = list(data(images).train_dataloader())
    if under_trainer:
        trainer(max_epochs=1).fit(module, datamodule=dm)
        assert torch.equal(torch.cat(module.series), torch.cat([batch.series for batch in alone]))
    for batch, same in zip(dm.train_dataloader(), alone, strict=True):
        assert batch.series.is_shared()
        assert not batch.gasf.is_shared()
        assert torch.equal(batch.gasf, same.gasf)
        assert torch.equal(batch.gadf, same.gadf)


@pytest.mark.filterwarnings("ignore:You requested to overfit:UserWarning")
@pytest.mark.filterwarnings("ignore:Total length of `list`:UserWarning")
def test_lightning_can_make_the_loader_anew_with_another_sampler():
    dm, module = data("precompute"), Watching()
    # overfitting on some batches replaces the shuffling sampler, as DDP replaces samplers
    trainer(overfit_batches=2, max_epochs=1).fit(module, datamodule=dm)
    expected = next(iter(dm.test_dataloader())).series  # the same windows, in order
    assert torch.equal(module.series[0], expected)
    loader = dm.train_dataloader()
    anew = L.pytorch.utilities.data._update_dataloader(loader, SequentialSampler(loader.dataset))
    assert type(anew) is ImageLoader
    assert torch.equal(next(iter(anew)).series, expected)


@BOTH
def test_ranks_get_each_window_once_an_epoch(images):
    dm = data(images, n=23, batch_size=5)  # three ranks: eight each, so one window comes twice
    loader, dataset = dm.train_dataloader(), dm.dataset("train")
    row_of = {float(dataset[k].series[0, 0]): k for k in range(23)}
    orders = []
    for epoch in range(2):
        seen = []
        for rank in range(3):
            sampler = DistributedSampler(dataset, 3, rank, shuffle=True, seed=7)
            sampler.set_epoch(epoch)
            own = L.pytorch.utilities.data._update_dataloader(loader, sampler)
            assert type(own) is ImageLoader
            assert own.generator is loader.generator
            batches = list(own)
            assert [len(batch.label) for batch in batches] == [5, 3]
            for batch in batches:
                rows = [row_of[float(value)] for value in batch.series[:, 0, 0]]
                assert torch.equal(batch.gasf, torch.stack([dataset[row].gasf for row in rows]))
                seen += rows
        assert sorted(set(seen)) == list(range(23))
        assert len(seen) == 24
        orders.append(seen)
    assert orders[0] != orders[1]


def test_a_store_that_is_closed_under_a_loader_is_noticed():
    dm = data("precompute")
    loader = dm.train_dataloader()
    dm.dataset("train").images[0].close()
    with pytest.raises(IndexError, match=r"the store has 0 \(a closed one has none\)"):
        next(iter(loader))


@needs_semaphores
def test_a_small_dev_shm_gets_fewer_loader_workers(monkeypatch):
    dm = data("precompute", num_workers=4)
    dm.setup("fit")
    batch = dm.batch_size * dm.dataset("train").shipped_bytes
    monkeypatch.setattr(loading, "disk_free", lambda folder: 4 * batch)
    with pytest.warns(FallbackWarning, match="num_workers=4 is not served, 2 loader workers"):
        loader = dm.train_dataloader()
    assert (loader.num_workers, loader.prefetch_factor, loader.persistent_workers) == (2, 1, True)
    monkeypatch.setattr(loading, "disk_free", lambda folder: 0)
    with pytest.warns(FallbackWarning, match="this process makes the batches itself"):
        loader = dm.train_dataloader()
    assert (loader.num_workers, loader.persistent_workers) == (0, False)
    assert len(next(iter(loader)).label) == dm.batch_size
