"""Machines share the training windows: each is held once, learned once, and all are fitted on."""

from collections import Counter

import lightning as L
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch.utilities import rank_zero_only

from dualgaf import DualGAFDataModule
from dualgaf.build import store_key
from dualgaf.data.order import EpochOrder, Passes, order_of_share
from dualgaf.data.shard import Shard, windows_of_nodes
from dualgaf.errors import ConfigError, SplitError
from dualgaf.plan.budget import Budget
from dualgaf.system.nodes import node_of_environment

LABELS = st.lists(st.integers(-1, 4), min_size=1, max_size=120).map(np.array)
STARTERS = ("GROUP_RANK", "GROUP_WORLD_SIZE", "SLURM_NODEID", "SLURM_STEP_NUM_NODES")


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    for name in STARTERS:
        monkeypatch.delenv(name, raising=False)


def data(n=23, n_val=9, **settings):
    """Windows that begin with their own number, those of the val split from 1000 on."""
    rng = np.random.default_rng(0)

    def split(n, first):
        x = rng.normal(size=(n, 2, 8))
        x[:, 0, 0] = first + np.arange(n)
        return x, np.arange(n) % 3 % 2

    settings = {"batch_size": 4, "shard": "node", **settings}
    return DualGAFDataModule.from_arrays(split(n, 0), val=split(n_val, 1000), **settings)


@pytest.fixture(autouse=True)
def _first_rank(monkeypatch):
    """A Trainer says for the whole process which rank it is."""
    monkeypatch.setattr(rank_zero_only, "rank", 0, raising=False)


def trainer_on(node, rank, monkeypatch, *, nodes=2, ranks=2):
    """What one of the ranks has; none of the others is started."""
    monkeypatch.setenv("NODE_RANK", str(node))
    monkeypatch.setenv("LOCAL_RANK", str(rank))
    return L.Trainer(
        accelerator="cpu",
        strategy="ddp",
        devices=ranks,
        num_nodes=nodes,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def numbers(dm, loader):
    return [
        int(n)
        for batch in loader
        for n in dm.series_scaler.inverse_transform(batch.series.numpy())[:, 0, 0].round()
    ]


@given(LABELS, st.integers(1, 9))
def test_shares_are_disjoint_cover_all_and_differ_by_one_window(labels, n_nodes):
    shares = [Shard(node, n_nodes).own(labels) for node in range(n_nodes)]
    assert sorted(np.concatenate(shares).tolist()) == list(range(len(labels)))
    counts = [len(share) for share in shares]
    assert max(counts) - min(counts) <= 1
    for label in np.unique(labels):
        of_class = [int((labels[share] == label).sum()) for share in shares]
        assert max(of_class) - min(of_class) <= 1
        # A run of the windows of a class, which lie beside each other.
        rows = np.flatnonzero(labels == label)
        for share in shares:
            own = np.flatnonzero(np.isin(rows, share))
            assert len(own) < 2 or own[-1] - own[0] == len(own) - 1
    if len(labels) >= n_nodes:
        assert windows_of_nodes(labels, n_nodes) == tuple(counts)


@given(LABELS, st.integers(1, 5), st.integers(1, 4), st.integers(0, 9))
def test_every_rank_of_every_machine_takes_as_many(labels, n_nodes, n_ranks, epoch):
    if len(labels) < n_nodes:
        return
    counts = windows_of_nodes(labels, n_nodes)
    taken = []
    for n_windows in counts:
        orders = []
        for rank in range(n_ranks):
            order = EpochOrder(n_windows, 0, Passes())
            trainer = _Ranks(n_nodes, n_ranks, rank)
            own = order_of_share(order, counts, trainer)
            own.set_epoch(epoch)
            orders.append(list(own))
            assert len(own) == len(orders[-1])
        taken += [len(order) for order in orders]
        seen = Counter(index for order in orders for index in order)
        assert set(seen) == set(range(n_windows))
    # The rule: as few as show the largest share. With one machine, as without shares.
    assert set(taken) == {-(-len(labels) // (n_nodes * n_ranks))}


class _Ranks:
    def __init__(self, n_nodes, n_ranks, rank):
        self.num_devices, self.local_rank = n_ranks, rank
        self.distributed_sampler_kwargs = {"num_replicas": n_nodes * n_ranks, "rank": rank}


def test_four_ranks_on_two_machines_learn_every_window_once(monkeypatch):
    whole = data(n=24, shard="none")
    whole.setup("fit")
    learned, held = [], []
    for node in (0, 1):
        for rank in (0, 1):
            dm = data(n=24)
            dm.trainer = trainer_on(node, rank, monkeypatch)
            dm.setup("fit")
            loader = dm.train_dataloader()
            first, second = numbers(dm, loader), numbers(dm, loader)
            assert len(first) == 6
            assert first != second
            learned += first
            (store,) = set(dm.stores)
            assert store.layout.n_rows == 12 + 9  # half of train, and all of val
            # What is fitted is of all windows.
            assert np.array_equal(dm.series_scaler.mean, whole.series_scaler.mean)
            state, wanted = dm.imaging_state(), whole.imaging_state()
            assert np.array_equal(state.bounds, wanted.bounds)
            assert state.digest == wanted.digest
            # Images of a window are those that it has where nothing is shared.
            for split in ("train", "val"):
                own, every = dm.dataset(split), whole.dataset(split)
                place = int(np.flatnonzero(every.indices == own.indices[-1])[0])
                assert own[-1].gasf.equal(every[place].gasf)
        held.append(sorted(dm.dataset("train").indices.tolist()))
    assert sorted(learned) == list(range(24))
    assert not set(held[0]) & set(held[1])


def test_a_count_that_does_not_divide_repeats_as_few_as_it_must(monkeypatch):
    seen = Counter()
    for node in (0, 1, 2):
        for rank in (0, 1):
            dm = data(n=23)
            dm.trainer = trainer_on(node, rank, monkeypatch, nodes=3)
            dm.setup("fit")
            own = numbers(dm, dm.train_dataloader())
            assert len(own) == 4
            seen.update(own)
    assert set(seen) == set(range(23))
    assert sum(seen.values()) == 24


def test_a_refit_and_a_fold_share_the_val_split_and_what_is_held_out(monkeypatch):
    seen, counts = Counter(), set()
    for node in (0, 1):
        dm = data(n=21, n_val=8)
        dm.trainer = trainer_on(node, 0, monkeypatch, ranks=1)
        dm.setup("fit")
        dm.with_val = True
        dm.held_out = dm.windows.indices["train"][::4]
        own = numbers(dm, dm.train_dataloader())
        counts.add(len(own))
        seen.update(own)
    assert len(counts) == 1
    out = dm.windows.windows.take(dm.held_out)[:, 0, 0].round().astype(int).tolist()
    wanted = {*range(21), *range(1000, 1008)} - {*out}
    assert set(seen) == wanted
    assert sum(seen.values()) - len(wanted) <= 2  # node 0 has one more of either


def test_the_same_process_takes_another_share_when_it_trains_elsewhere(monkeypatch):
    dm = data(n=24)
    dm.trainer = trainer_on(1, 0, monkeypatch)
    dm.setup("fit")
    dm.trainer = L.Trainer(
        accelerator="cpu", devices=1, logger=False, enable_checkpointing=False, max_epochs=1
    )
    dm.setup("validate")  # as rank 0 alone does after a training: nothing is built anew
    assert len(dm.dataset("train")) == 12
    assert len(dm.build_reports) == 1
    dm.setup("fit")
    assert sorted(numbers(dm, dm.train_dataloader())) == list(range(24))


def test_without_a_trainer_torchrun_and_slurm_tell(monkeypatch):
    held = []
    for node in "01":
        monkeypatch.setenv("GROUP_RANK", node)
        monkeypatch.setenv("GROUP_WORLD_SIZE", "2")
        dm = data(n=24)
        dm.setup()
        held.append(dm.dataset("train").indices.tolist())
    assert sorted(held[0] + held[1]) == data(n=24).windows.indices["train"].tolist()
    monkeypatch.setenv("SLURM_NODEID", "3")
    monkeypatch.setenv("SLURM_STEP_NUM_NODES", "4")
    assert node_of_environment() == (1, 2)  # torchrun, which srun has started
    monkeypatch.delenv("GROUP_RANK")
    assert node_of_environment() == (3, 4)
    monkeypatch.setenv("SLURM_STEP_NUM_NODES", "3")
    assert node_of_environment() == (0, 1)


def test_shares_have_stores_of_their_own_names(monkeypatch, tmp_path):
    names = set()
    for n_nodes in (1, 2, 3):
        for node in range(n_nodes):
            monkeypatch.setenv("GROUP_RANK", str(node))
            monkeypatch.setenv("GROUP_WORLD_SIZE", str(n_nodes))
            dm = data(n=24, cache_dir=tmp_path)
            assert not dm.is_there("fit")
            dm.setup("fit")
            assert dm.build_reports[0].cache == "miss"
            windows, _ = dm._build._windows(["train", "val"])
            renderer = dm._build.renderer()
            names.add(store_key(windows, renderer.recipe, renderer.bounds).name)
            again = data(n=24, cache_dir=tmp_path)
            assert again.is_there("fit")
    assert len(names) == 1 + 2 + 3


def test_the_plan_says_what_each_machine_holds(monkeypatch):
    monkeypatch.setenv("GROUP_RANK", "1")
    monkeypatch.setenv("GROUP_WORLD_SIZE", "2")
    text = str(data().plan("fit"))
    assert "node 0 holds 12 of 23 training windows, node 1 holds 11; this is node 1" in text
    assert "images   20 windows" in text
    assert "shard" not in str(data(shard="none").plan("fit"))
    assert "training windows" not in str(data().plan("test") or "")
    monkeypatch.delenv("GROUP_RANK")
    text = str(data(n=25).plan("fit", nodes=4))
    assert "node 0 holds 7 of 25 training windows, nodes 1 to 3 hold 6 each" in text


def test_what_fits_two_machines_and_not_one_is_trained_on_two(monkeypatch):
    side, n = 32, 4000
    x = np.random.default_rng(1).normal(size=(n, 1, side)).astype(np.float32)
    image = 2 * side * side
    monkeypatch.setattr(Budget, "images_bytes", property(lambda own: int(n * image * 0.35)))
    places = []
    for n_nodes in (1, 2):
        monkeypatch.setenv("GROUP_RANK", "0")
        monkeypatch.setenv("GROUP_WORLD_SIZE", str(n_nodes))
        dm = DualGAFDataModule.from_arrays(
            (x, np.arange(n) % 2), shard="node", hardware="8gb", image_size=None
        )
        plan = dm.plan("fit")
        places.append((plan.place, plan.request.recipe.layout))
    assert places == [("file", "packed"), ("memfd", "packed")]


def test_what_cannot_be_shared_is_refused(monkeypatch):
    with pytest.raises(ConfigError, match=r"shard='nodes' is not known.*type datamodule.shard=n"):
        data(shard="nodes")
    with pytest.raises(SplitError, match=r"deals 2 training windows out to 3 machines.*=none"):
        data(n=2).plan("fit", nodes=3)
    data(n=2, shard="none").plan("fit", nodes=3)
    trainer = trainer_on(0, 0, monkeypatch)
    monkeypatch.setattr(type(trainer), "world_size", 6)
    dm = data()
    dm.trainer = trainer
    with pytest.raises(ConfigError, match=r"there are 6, with trainer.num_nodes=2 and"):
        dm.setup("fit")
    dm = data(shard="none")
    dm.trainer = trainer
    dm.setup("fit")


def test_a_channel_is_constant_where_it_is_so_on_all_machines(monkeypatch):
    x = np.random.default_rng(2).normal(size=(12, 2, 8))
    labels = np.arange(12) % 2
    x[Shard(1, 2).own(labels), 1] = 3.0
    monkeypatch.setenv("GROUP_WORLD_SIZE", "2")
    for node in "01":
        monkeypatch.setenv("GROUP_RANK", node)
        dm = DualGAFDataModule.from_arrays(
            (x, labels),
            shard="node",
            images="on_device",
            augmentation={"jitter": 0.1},
            batch_size=12,
        )
        dm.setup("fit")
        (batch,) = dm.train_dataloader()
        changes = batch.series.numpy().std(axis=2)
        assert (changes > 0.01).all(), node
