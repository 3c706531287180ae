"""What Lightning does with a DataModule over its life; none of it leaves a copy of the images."""

import gc
import itertools
import pickle

import lightning as L
import numpy as np
import pytest
import torch
import xxhash
from lightning.pytorch.tuner import Tuner

import leaks
from dualgaf import DualGAFDataModule
from dualgaf.errors import SplitError

N, SEED = 24, 0


@pytest.fixture(autouse=True)
def _no_copy_is_left(leaves_nothing):
    yield
    gc.collect()
    assert leaks.held_stores() == []


_tests = itertools.count()


@pytest.fixture(autouse=True)
def _windows_of_its_own(monkeypatch):
    """So that no test finds images of another one."""
    monkeypatch.setitem(globals(), "SEED", next(_tests))


def data(**settings):
    rng = np.random.default_rng(SEED)
    x, y = rng.normal(size=(N, 3, 16)), np.arange(N) % 3
    return DualGAFDataModule.from_arrays(
        (x, y),
        val=(x[:9], y[:9]),
        test=(x[:7], y[:7]),
        predict=x[:5],
        overlap="allow",
        batch_size=6,
        **settings,
    )


def trainer(**options):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    short = {"max_epochs": 1, "num_sanity_val_steps": 0, "enable_checkpointing": False}
    return L.Trainer(**{"accelerator": "cpu", **quiet, **short, **options})


class Counting(L.LightningModule):
    """Notes the windows of each batch, by their first value."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 3)
        self.batches = []

    def note(self, batch):
        self.batches.append(tuple(batch.series[:, 0, 0].tolist()))

    def training_step(self, batch, batch_idx):
        self.note(batch)
        logits = self.layer((batch.gasf + batch.gadf).flatten(1).mean(dim=1, keepdim=True))
        return torch.nn.functional.cross_entropy(logits, batch.label)

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", batch.gasf.mean())

    def test_step(self, batch, batch_idx):
        self.note(batch)

    def predict_step(self, batch, batch_idx):
        return batch.label

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)

    @property
    def windows(self):
        """Each window that came, in order."""
        return [window for batch in self.batches for window in batch]


def built(dm):
    return [report.windows for report in dm.build_reports if report.cache != "hit"]


def test_one_trainer_fits_validates_tests_predicts_and_fits_again():
    dm, module, runner = data(), Counting(), trainer()
    runner.fit(module, datamodule=dm)
    assert built(dm) == [N + 9]
    (store, *_) = dm.stores
    runner.validate(module, datamodule=dm, verbose=False)
    assert built(dm) == [N + 9]
    runner.test(module, datamodule=dm, verbose=False)
    assert built(dm) == [N + 9, 7]
    labels = torch.cat(runner.predict(module, datamodule=dm))
    assert labels.tolist() == [-1] * 5
    assert built(dm) == [N + 9, 7, 5]
    runner.fit_loop.max_epochs = 2
    runner.fit(module, datamodule=dm)
    assert built(dm) == [N + 9, 7, 5]
    assert dm.stores[0] is store
    assert len(set(dm.stores)) == 3


@pytest.mark.parametrize("kept", [False, True], ids=["no cache", "cache"])
def test_the_input_is_hashed_once_in_a_fit_and_a_test(kept, tmp_path, monkeypatch):
    hashed, xxh3_128 = [], xxhash.xxh3_128

    class Counting128:
        def __init__(self, data=b""):
            self.own = xxh3_128(data)

        def update(self, more):
            hashed.append(memoryview(more).nbytes)
            self.own.update(more)

        def __getattr__(self, name):
            return getattr(self.own, name)

    dm = data(cache_dir=tmp_path if kept else None, parallel={"n_jobs": 1})
    values = dm.windows.windows.flat.nbytes  # read, and with a cache written, before we count
    monkeypatch.setattr(xxhash, "xxh3_128", Counting128)
    one = trainer()
    one.fit(Counting(), datamodule=dm)
    one.test(Counting(), datamodule=dm)
    assert dm.is_there("predict") is False
    dm.plan("predict")
    assert hashed.count(values) == 1
    dm.close()


def test_fitting_twice_takes_the_same_memory():
    dm, module, runner = data(), Counting(), trainer(max_epochs=2)
    runner.fit(module, datamodule=dm)
    store = dm.stores[0]
    runner.fit_loop.max_epochs = 4
    runner.fit(module, datamodule=dm)
    assert len(module.windows) == 4 * N
    assert {len(set(module.windows[k * N : (k + 1) * N])) for k in range(4)} == {N}
    assert set(dm.stores) == {store}
    assert built(dm) == [N + 9]


@pytest.mark.parametrize("kept", [True, False])
def test_a_training_goes_on_from_a_checkpoint(kept, tmp_path):
    first, module, runner = data(), Counting(), trainer(max_epochs=2)
    runner.fit(module, datamodule=first)
    runner.save_checkpoint(tmp_path / "two.ckpt", weights_only=False)
    if not kept:
        first.close()
    runner = trainer(max_epochs=3)
    dm, module = data(), Counting()
    runner.fit(module, datamodule=dm, ckpt_path=tmp_path / "two.ckpt", weights_only=True)
    assert runner.current_epoch == 3
    assert len(module.windows) == N  # one epoch more
    assert built(dm) == ([] if kept else [N + 9])


@pytest.mark.parametrize("hook", ["training_step", "validation_step", "test_step"])
def test_an_exception_in_a_step_gives_the_memory_back(hook):
    dm, module = data(), Counting()

    def fails(batch, batch_idx):
        raise RuntimeError("on purpose")

    setattr(module, hook, fails)
    runner = trainer()
    run = runner.test if hook == "test_step" else runner.fit
    with pytest.raises(RuntimeError, match="on purpose"):
        run(module, datamodule=dm)
    assert built(dm)
    assert dm.stores == []
    assert leaks.held_stores() == []  # while DataModule, Trainer and its loaders live


def test_the_batch_size_finder_builds_once(tmp_path):
    dm = data()
    dm.batch_size = 2
    runner = trainer(default_root_dir=tmp_path, enable_checkpointing=True)
    found = Tuner(runner).scale_batch_size(Counting(), datamodule=dm, max_trials=3)
    assert found == dm.batch_size >= 8  # how many trials count differs between versions
    assert built(dm) == [N + 9]
    module = Counting()
    trainer().fit(module, datamodule=dm)
    assert len(module.batches[0]) == found
    assert built(dm) == [N + 9]


def test_loaders_made_anew_each_epoch_read_the_same_store():
    dm, module = data(), Counting()
    loaders = []
    make = dm.train_dataloader
    dm.train_dataloader = lambda: loaders.append(make()) or loaders[-1]
    trainer(max_epochs=3, reload_dataloaders_every_n_epochs=1).fit(module, datamodule=dm)
    assert len({id(loader) for loader in loaders}) == 3
    assert len(module.windows) == 3 * N
    assert {len(set(module.windows[k * N : (k + 1) * N])) for k in range(3)} == {N}
    assert built(dm) == [N + 9]
    assert len(set(dm.stores)) == 1


@pytest.mark.parametrize(("limit", "batches"), [(3, 3), (0.5, 2)])
def test_a_limit_of_batches_is_kept(limit, batches):
    dm, module = data(), Counting()
    trainer(limit_train_batches=limit).fit(module, datamodule=dm)
    assert len(module.batches) == batches
    assert built(dm) == [N + 9]  # a later fit may want them all


@pytest.mark.filterwarnings("ignore:You requested to overfit:UserWarning")
@pytest.mark.filterwarnings("ignore:Total length of `list`:UserWarning")
def test_overfitting_sees_the_same_batches_each_epoch():
    dm, module = data(), Counting()
    trainer(overfit_batches=2, max_epochs=3).fit(module, datamodule=dm)
    assert len(module.batches) == 6
    assert module.batches[:2] == module.batches[2:4] == module.batches[4:]
    assert len(set(module.windows)) == 12


def test_fast_dev_run():
    dm, module = data(), Counting()
    trainer(fast_dev_run=True).fit(module, datamodule=dm)
    assert list(map(len, module.batches)) == [6]


def test_after_close_the_next_fit_builds_anew():
    dm, module, runner = data(), Counting(), trainer()
    runner.fit(module, datamodule=dm)
    dm.close()
    dm.close()
    assert leaks.held_stores() == []  # while DataModule, Trainer and its loaders live
    with pytest.raises(SplitError, match=r"not set up; call setup\('fit'\) first"):
        dm.train_dataloader()
    trainer().fit(module, datamodule=dm)
    assert built(dm) == [N + 9, N + 9]
    assert len(set(module.windows)) == N


@pytest.mark.parametrize("images", ["precompute", "on_device"])
def test_a_pickled_data_module_reads_the_same_memory(images):
    dm = data(images=images)
    dm.setup("fit")
    store_bytes = 0 if images == "on_device" else dm.stores[0].nbytes
    text = pickle.dumps(dm)
    assert len(text) < len(pickle.dumps(dm.windows)) + 40_000 < store_bytes + 80_000
    copy = pickle.loads(text)
    assert copy.build_reports == []
    for one, other in zip(dm.train_dataloader(), copy.train_dataloader(), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert built(copy) == []
    if images == "precompute":
        assert copy.stores[0].handle.files[0].inode == dm.stores[0].handle.files[0].inode
    copy.setup("test")
    assert built(copy) == ([7] if images == "precompute" else [])


def test_a_pickled_data_module_that_was_not_set_up_is_set_up_later():
    copy = pickle.loads(pickle.dumps(data()))
    copy.setup("fit")
    assert len(list(copy.train_dataloader())) == 4


def test_private_images_do_not_travel_and_are_built_anew():
    dm = data(parallel={"shm": False})
    dm.setup("fit")
    before = dm.stores[0].array.copy()
    copy = pickle.loads(pickle.dumps(dm))
    assert copy.stores == []
    dm.close()
    copy.setup("fit")
    assert built(copy) == [N + 9]
    assert np.array_equal(copy.stores[0].array, before)
