"""The pickle of a dataset: how small it is, what comes out, whose memory it is."""

import copy
import gc
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Subset, random_split

import leaks
from dualgaf import DualGAFDataModule
from dualgaf.data.batch import Batch
from dualgaf.data.dataset import DualGAFDataset, share_windows
from dualgaf.errors import HandleError, StoreFullError
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.store import backing, segments
from semaphores import needs_semaphores

IMAGES = pytest.mark.parametrize("images", ["precompute", "on_device"])


@pytest.fixture(autouse=True)
def _leaves_nothing(leaves_nothing):
    pass


def set_up(images="precompute", n=24, channels=3, steps=16, seed=0, **settings):
    rng = np.random.default_rng([seed, n])
    x, y = rng.normal(size=(n, channels, steps)), np.arange(n) % 2
    settings = {"scaling": "train", "batch_size": 5, **settings}
    dm = DualGAFDataModule.from_arrays(
        (x, y), test=(x[:9], y[:9]), overlap="allow", images=images, **settings
    )
    dm.setup()
    return dm


def batches(dataset):
    """All windows, in order, as a loader worker would ship them."""
    return [part.clone() for part in dataset.__getitems__(list(range(len(dataset))))]


def assert_equal(one, other):
    for a, b in zip(batches(one), batches(other), strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)


@IMAGES
@pytest.mark.parametrize("scaling", ["train", "window"])
def test_what_is_unpickled_gives_the_same_batches(images, scaling):
    dm = set_up(images, scaling=scaling)
    for split in ("train", "test"):
        dataset = dm.dataset(split)
        copied = pickle.loads(pickle.dumps(dataset))
        assert len(copied) == len(dataset)
        assert_equal(copied, dataset)
        assert torch.equal(copied[3].gasf, dataset[3].gasf)


@IMAGES
def test_the_pickle_stays_below_4_kib(images, monkeypatch):
    monkeypatch.setattr(segments, "MIN_SEGMENT_BYTES", 1 << 16)  # sixteen files
    small = len(pickle.dumps(set_up(images).dataset("train")))
    # many windows; many channels, so that mean, deviation and bounds are large; large images
    for sizes in (
        {"n": 6000},
        {"channels": 600, "steps": 250, "image_size": 4},
        {"channels": 1, "steps": 700},
    ):
        dm = set_up(images, parallel={"n_jobs": 16, "backend": "thread"}, **sizes)
        size = len(pickle.dumps(dm.dataset("train")))
        assert size < 4096, sizes
        assert size < small + 1600


def test_the_datasets_of_all_splits_share_their_windows():
    dm = set_up()
    copies = [pickle.loads(pickle.dumps(dm.dataset(split))) for split in ("train", "test")]
    first, second = (pickle.dumps(share_windows(copied.windows)) for copied in copies)
    assert len(leaks.held_stores()) >= 3
    inodes = {
        share_windows(dataset.windows)._shared[0].handle.files[0].inode
        for dataset in (*copies, dm.dataset("train"))
    }
    assert len(inodes) == 1
    assert len(first) == len(second)


def test_a_copy_takes_no_memory_and_shares_what_was_sent():
    dm = set_up("on_device")
    dataset = dm.dataset("train")
    twin = copy.copy(dataset)
    assert leaks.held_stores() == []
    assert twin.windows is dataset.windows
    loaders = [dm.train_dataloader().dataset for _ in range(3)]
    pickle.dumps(dataset)
    held = len(leaks.held_stores())
    for each in (twin, *loaders):
        pickle.dumps(each)
    assert len(leaks.held_stores()) == held


@IMAGES
def test_what_was_changed_since_it_was_pickled_is_pickled_anew(images):
    dm = set_up(images)
    dataset = dm.dataset("train")
    pickle.dumps(dataset)
    dataset.labels[:] = 7
    dataset.note = "of a user"
    copied = pickle.loads(pickle.dumps(dataset))
    assert copied.note == "of a user"
    assert set(copied.labels) == {7}
    dataset.indices = dataset.indices[:4]
    if images == "precompute":
        dataset.images = dataset.images[0], dataset.images[1][:4]
    dataset.labels = dataset.labels[:4]
    assert_equal(pickle.loads(pickle.dumps(dataset)), dataset)


def test_what_is_unpickled_can_be_pickled_again():
    dm = set_up("on_device")
    first = pickle.loads(pickle.dumps(dm.dataset("train")))
    want = batches(first)
    data = pickle.dumps(first)
    dm.close()
    del dm
    gc.collect()
    again = pickle.loads(data)  # names what `first` holds
    assert all(map(torch.equal, batches(again), want))


@IMAGES
def test_changes_in_the_unpickled_arrays_are_its_own(images):
    dm = set_up(images)
    dataset = dm.dataset("train")
    want, data = batches(dataset), pickle.dumps(dataset)
    copied = pickle.loads(data)
    arrays = [copied.windows.flat, copied.labels, copied.scaler.mean]
    for array in arrays + ([copied.images[0].array] if images == "precompute" else []):
        array[:] = 0
    assert not torch.equal(batches(copied)[1], want[1])
    for unspoilt in (dataset, pickle.loads(data)):
        assert all(map(torch.equal, batches(unspoilt), want))


def test_private_memory_is_refused_before_any_memory_is_taken():
    dm = set_up(parallel={"shm": False}, seed=9)
    with pytest.raises(HandleError, match=r"type parallel\.shm=true, or num_workers=0"):
        pickle.dumps(dm.dataset("train"))
    assert leaks.held_stores() == []


def test_full_memory_and_disk_are_an_error_that_says_what_to_type(monkeypatch):
    dm = set_up("on_device")

    def refuse(name, flags=0):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(backing.os, "memfd_create", refuse)
    monkeypatch.setattr(backing, "disk_free", lambda folder: 0)
    with pytest.raises(StoreFullError, match="type num_workers=0"):
        pickle.dumps(dm.dataset("train"))


def test_a_dataset_made_by_hand():
    dm = set_up("on_device")
    windowed = dm.windows
    rows = windowed.indices["train"]
    recipe = ImagingRecipe(8, storage="float32")
    renderer = Renderer(recipe, windowed.windows.window_size)
    dataset = DualGAFDataset(
        windowed.windows, rows, windowed.labels[rows], windowed.scaler, renderer
    )
    assert_equal(pickle.loads(pickle.dumps(dataset)), dataset)


@IMAGES
@pytest.mark.parametrize("layout", ["dual", "packed"])
def test_shipped_bytes_are_those_of_a_batch(images, layout):
    dataset = set_up(images, layout=layout, image_size=7, storage="uint16").dataset("train")
    assert 5 * dataset.shipped_bytes == sum(part.nbytes for part in dataset.__getitems__([0] * 5))


@IMAGES
@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=needs_semaphores)])
def test_a_loader_of_ones_own_needs_no_collate_function(images, workers):
    dataset = set_up(images).dataset("train")
    generator = torch.Generator().manual_seed(0)
    cases = {
        "itself": dataset,
        "a subset": Subset(dataset, range(3, 20)),
        "a part": random_split(dataset, [13, 11], generator=generator)[0],
        "joined": ConcatDataset([dataset, dataset]),
    }
    for name, each in cases.items():
        found = list(DataLoader(each, batch_size=5, num_workers=workers))
        assert [len(batch.label) for batch in found[:-1]] == [5] * (len(each) // 5), name
        whole = [torch.cat(parts) for parts in zip(*found, strict=True)]
        for k in (0, len(each) - 1):
            for part, alone in zip(whole, each[k], strict=True):
                assert type(part) is torch.Tensor
                assert torch.equal(part[k], alone), name


@IMAGES
def test_a_batch_that_is_handed_on_is_of_ordinary_tensors(images):
    dm = set_up(images)
    for batch in (next(iter(dm.train_dataloader())), dm.dataset("train")[0]):
        assert type(batch) is Batch
        assert all(type(part) is torch.Tensor for part in batch)
    first = dm.dataset("train").__getitems__([0, 1])[0]
    assert type(first.clone()) is type(first + 1) is torch.Tensor
