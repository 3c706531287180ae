"""What users do by mistake: change batches and arrays in place, pickle, keep things too long."""

import gc
import multiprocessing
import os
import pickle

import numpy as np
import pytest
import torch
import xxhash
from torch.utils.data import DataLoader

import leaks
from dualgaf import DualGAFDataModule
from dualgaf.data.batch import to_images
from dualgaf.data.buffers import ImageBuffers
from dualgaf.data.dataset import share_windows
from dualgaf.store.store import Store, attach
from in_workers import spoil_in_worker, watched
from preloaded import start
from programs import SEARCH_PATH, finished
from semaphores import needs_semaphores

METHODS = pytest.mark.parametrize(
    ("method", "n_workers"), [("fork", 2), ("spawn", 1), ("forkserver", 2)]
)
IMAGES = pytest.mark.parametrize("images", ["precompute", "on_device"])


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    # A worker that starts slowly on a busy machine is no reason to stop.
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 5.0)


@pytest.fixture(autouse=True, scope="module")
def _fork_server():
    """multiprocessing keeps its fork server for good once it was used: it is no child of a test.

    It loads torch once for all its workers; one that is spawned loads it itself.
    """
    multiprocessing.get_context("forkserver").set_forkserver_preload(["dualgaf.data.dataset"])
    from multiprocessing import forkserver

    forkserver.ensure_running()
    yield
    forkserver._forkserver._stop()


def set_up(images="precompute", n=60, channels=3, steps=24, **settings):
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, channels, steps)), np.arange(n) % 2
    settings = {"batch_size": 16, **settings}
    dm = DualGAFDataModule.from_arrays(
        (x, y), test=(x, y), overlap="allow", images=images, **settings
    )
    dm.setup()
    return dm


def all_batches(loader):
    return [[part.clone() for part in batch] for batch in loader]


def assert_same(one, other):
    assert len(one) == len(other)
    for batch, twin in zip(one, other, strict=True):
        assert all(map(torch.equal, batch, twin))


def digest(store):
    """Of the bytes as a process that opens them now finds them."""
    fresh = attach(store.handle)
    found = xxhash.xxh3_128_hexdigest(np.ascontiguousarray(fresh.array))
    fresh.close()
    return found


def stores_of(dataset) -> list[Store]:
    pickle.dumps(dataset)  # from now on its arrays are in shared memory, too
    stores = [dataset._shared._shared[0], share_windows(dataset.windows)._shared[0]]
    return stores + ([dataset.images[0]] if isinstance(dataset.images, tuple) else [])


@pytest.mark.fault(23)
@METHODS
@IMAGES
@needs_semaphores
def test_what_loader_workers_change_in_place_stays_with_them(images, method, n_workers, injected):
    injected(2 * n_workers)
    dm = set_up(images)
    dataset = dm.dataset("train")
    stores = stores_of(dataset)
    before, want = [digest(store) for store in stores], all_batches(dm.test_dataloader())
    spoiling = DataLoader(
        dataset,
        batch_size=16,
        num_workers=n_workers,
        collate_fn=spoil_in_worker,
        multiprocessing_context=method,
        persistent_workers=True,
    )
    for _ in range(2):
        assert not any(part.any() for batch in spoiling for part in batch)
    assert [digest(store) for store in stores] == before
    assert_same(all_batches(dm.test_dataloader()), want)
    del spoiling


@pytest.mark.fault(23)
@IMAGES
def test_what_a_training_step_changes_in_place_is_gone_in_the_next_epoch(images, injected):
    dm = set_up(images, num_workers=0)
    stores = stores_of(dm.dataset("test"))
    before, want = [digest(store) for store in stores], all_batches(dm.test_dataloader())
    loader = dm.test_dataloader()
    spoilt = 0
    for batch in loader:
        for part in batch:
            part.zero_()
            spoilt += 1
    injected(spoilt)
    assert_same(all_batches(loader), want)
    assert [digest(store) for store in stores] == before


SECOND = """
import mmap, os, pickle, sys
from dualgaf.store.bundle import SharedArrays
from in_workers import spoil

dataset, paths = pickle.load(sys.stdin.buffer)
spoil(dataset)
refused = 0
for path in paths:
    for flags in (os.O_RDWR, os.O_RDWR | os.O_TRUNC):
        try:
            descriptor = os.open(path, flags)
        except OSError:
            refused += 1
            continue
        for way in (
            lambda: os.pwrite(descriptor, b"x", 5000),
            lambda: os.ftruncate(descriptor, 1),
            lambda: mmap.mmap(descriptor, 0, flags=mmap.MAP_SHARED),
        ):
            try:
                way()
            except OSError:
                refused += 1
print(refused)
"""


@pytest.mark.fault(23)
@IMAGES
def test_another_process_cannot_change_the_store_not_even_on_purpose(
    images, injected, monkeypatch, tmp_path
):
    dm = set_up(images)
    dataset = dm.dataset("train")
    stores = stores_of(dataset)
    before, want = [digest(store) for store in stores], all_batches(dm.test_dataloader())
    paths = [
        f"/proc/{os.getpid()}/fd/{file.descriptor}"
        for store in stores
        for file in store.handle.files
    ]
    monkeypatch.setenv("PYTHONPATH", SEARCH_PATH)
    other = start(cwd=tmp_path, program=("-c", SECOND), listens=True)
    with other.stdin as given:
        given.write(pickle.dumps((dataset, paths)))
    output, status = finished(other, within_s=60)
    assert status == 0, output
    # opened and then three ways refused, or not opened where that truncates
    assert int(output) == 4 * len(paths)
    injected(4 * len(paths))
    assert [digest(store) for store in stores] == before
    assert_same(all_batches(dm.test_dataloader()), want)


@pytest.mark.fault(24)
@METHODS
@IMAGES
@needs_semaphores
def test_loader_workers_map_what_is_there(images, method, n_workers):
    """Equal batches, through two epochs of the same workers, without a copy of any array."""
    dm = set_up(images)
    dataset, want = dm.dataset("test"), all_batches(dm.test_dataloader())
    shared = {file.inode for store in stores_of(dataset) for file in store.handle.files}
    loader = DataLoader(
        dataset,
        batch_size=16,
        collate_fn=watched,
        num_workers=n_workers,
        persistent_workers=True,
        multiprocessing_context=method,
    )
    for _ in range(2):
        got = list(loader)
        assert_same([list(to_images(batch, ImageBuffers())) for batch, *_ in got], want)
        for _, inodes, own_pages, _ in got:
            assert method == "fork" or inodes == shared
            assert own_pages == 0
    del loader


@pytest.mark.fault(24)
@needs_semaphores
def test_a_loader_worker_takes_the_same_memory_whatever_the_size_of_the_data():
    taken = []
    for n in (100, 20_000):
        dm = set_up(n=n, channels=4, steps=64, layout="packed", image_size=32)
        dataset = dm.dataset("test")
        bytes_of_data = dataset.windows.flat.nbytes
        loader = DataLoader(
            dataset,
            batch_size=64,
            sampler=np.random.default_rng(0).integers(0, n, 640),
            num_workers=1,
            collate_fn=watched,
            multiprocessing_context="spawn",
        )
        taken.append(max(own for *_, own in loader))
        dm.close()
        del dm, dataset, loader
    assert bytes_of_data > 40 << 20
    assert abs(taken[1] - taken[0]) < 8 << 20


def in_another_process(modules, queue):
    for dm in modules:
        queue.put([[part.numpy() for part in batch] for batch in dm.test_dataloader()])
        queue.put({link for link in leaks.open_files().values() if "memfd:dualgaf" in link})


@pytest.mark.fault(24)
@needs_semaphores
def test_a_data_module_goes_to_a_spawned_process():
    modules = [set_up("on_device"), set_up("precompute")]
    wanted = [all_batches(dm.test_dataloader()) for dm in modules]
    spawn = multiprocessing.get_context("spawn")
    queue = spawn.SimpleQueue()
    child = spawn.Process(target=in_another_process, args=(modules, queue))
    child.start()
    for want in wanted:
        batches, shared = queue.get(), queue.get()
        assert_same([[torch.from_numpy(part) for part in batch] for batch in batches], want)
        assert shared
    child.join()
    assert child.exitcode == 0
    queue.close()


@pytest.mark.fault(23)
@IMAGES
@needs_semaphores
def test_a_dataset_and_a_loader_outlive_their_data_module(images):
    dm = set_up(images)
    want = all_batches(dm.test_dataloader())
    dataset, loader = dm.dataset("test"), dm.test_dataloader()
    kept = next(iter(dm.train_dataloader()))
    seen = [part.clone() for part in kept]
    dm.close()
    del dm
    gc.collect()
    assert_same(all_batches(loader), want)
    assert_same([list(kept)], [seen])
    assert torch.equal(dataset[3].gasf, want[0][0][3])
    held = leaks.held_stores()
    assert held or images == "on_device"
    del dataset, loader
    gc.collect()
    assert leaks.held_stores() == []
    assert_same([list(kept)], [seen])


@pytest.mark.fault(23)
def test_two_data_modules_of_one_recipe_have_one_store(injected):
    injected(2)
    first = set_up()
    held = len(leaks.held_stores())
    second = set_up()
    assert second.build_reports[-1].cache == "hit"
    assert second.stores[0] is first.stores[0]
    assert len(leaks.held_stores()) == held
    other = set_up(image_size=12)
    assert other.stores[0] is not first.stores[0]
    want = all_batches(second.test_dataloader())
    first.close()
    del first
    gc.collect()
    assert_same(all_batches(second.test_dataloader()), want)
    third = set_up()
    assert third.stores[0] is second.stores[0]
    for dm in (second, third, other):
        dm.close()
    del second, third, other, dm
    gc.collect()
    assert leaks.held_stores() == []
