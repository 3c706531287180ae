import copy
import inspect
import logging
import multiprocessing
import re

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.tuner import Tuner

from dualgaf import DualGAFDataModule, HardwarePreset, PoolSettings, SimulatedSource
from dualgaf.data.batch import Batch
from dualgaf.errors import BudgetError, ConfigError, FallbackWarning, SeriesError, SplitError
from oracles import gaf_by_pyts
from semaphores import needs_semaphores

AS_PYTS = {"scaling": "window", "feature_range": (-1.0, 1.0)}
ATOL = {"uint8": 1 / 254 + 1e-6, "uint16": 2e-5, "float16": 2.5e-4, "float32": 1e-6}


def arrays(n=12, channels=3, steps=20, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, channels, steps)), np.arange(n) % 3


def trainer(**options):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    short = {"max_epochs": 1, "limit_val_batches": 0, "enable_checkpointing": False}
    return L.Trainer(**{"accelerator": "cpu", **quiet, **short, **options})


class Foreign(L.LightningModule):
    """Somebody else's module: it knows nothing of dualgaf and keeps what it sees."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 3)
        self.seen = []
        self.batch_sizes = []

    def training_step(self, batch, batch_idx):
        gasf, gadf, _series, label = batch
        self.seen.append([tensor.clone() for tensor in batch])
        self.batch_sizes.append(len(label))
        logits = self.layer((gasf + gadf).flatten(1).mean(dim=1, keepdim=True))
        return torch.nn.functional.cross_entropy(logits, label)

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", torch.nn.functional.mse_loss(batch.gasf, batch.gasf))

    def test_step(self, batch, batch_idx):
        self.seen.append([tensor.clone() for tensor in batch])

    def predict_step(self, batch, batch_idx):
        self.seen.append([tensor.clone() for tensor in batch])
        return batch.label

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def check_batches(batches, x, y, image_size, atol, scaler):
    """Every window comes once, with the images that pyts draws."""
    gasf, gadf, series, label = (torch.cat(part).numpy() for part in zip(*batches, strict=True))
    raw = scaler.inverse_transform(series)
    order = [int(np.abs(x - window).sum(axis=(1, 2)).argmin()) for window in raw]
    assert sorted(order) == list(range(len(x)))
    want = gaf_by_pyts(x[order], image_size, (-1, 1))
    np.testing.assert_allclose(gasf, want[:, 0], atol=atol, rtol=0)
    np.testing.assert_allclose(gadf, want[:, 1], atol=atol, rtol=0)
    assert gasf.dtype == gadf.dtype == series.dtype == np.float32
    assert np.array_equal(label, y[order])


@pytest.mark.parametrize("images", ["precompute", "on_device"])
@pytest.mark.parametrize("layout", ["dual", "packed"])
@pytest.mark.parametrize("storage", list(ATOL))
def test_every_batch_of_a_bare_loop_is_what_pyts_draws(storage, layout, images):
    x, y = arrays()
    dm = DualGAFDataModule.from_arrays(
        train=(x, y),
        batch_size=5,
        image_size=7,
        storage=storage,
        layout=layout,
        images=images,
        **AS_PYTS,
    )
    dm.setup("fit")
    batches = list(dm.train_dataloader())
    assert [len(batch.label) for batch in batches] == [5, 5, 2]
    check_batches(batches, x, y, 7, ATOL[storage], dm.series_scaler)


@pytest.mark.parametrize("images", ["precompute", "on_device"])
def test_every_batch_of_a_foreign_module_is_what_pyts_draws(images):
    (x, y), (tx, ty) = arrays(), arrays(7, seed=1)
    settings = {"batch_size": 4, "images": images, **AS_PYTS}
    dm = DualGAFDataModule.from_arrays((x, y), test=(tx, ty), **settings)
    module = Foreign()
    trainer(max_epochs=2).fit(module, datamodule=dm)
    check_batches(module.seen[:3], x, y, 20, ATOL["uint8"], dm.series_scaler)
    check_batches(module.seen[3:], x, y, 20, ATOL["uint8"], dm.series_scaler)
    module.seen.clear()
    trainer().test(module, datamodule=dm)
    check_batches(module.seen, tx, ty, 20, ATOL["uint8"], dm.series_scaler)


def test_on_device_and_precompute_agree_also_on_a_large_offset():
    x, y = arrays()
    batches = {}
    for images in ("precompute", "on_device"):
        dm = DualGAFDataModule.from_arrays((1e5 + x, y), images=images, storage="float32")
        dm.setup("fit")
        batches[images] = next(iter(dm.train_dataloader()))
    for one, other in zip(*batches.values(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_loaders_passed_by_hand_give_float_images_too():
    x, y = arrays()
    dm = DualGAFDataModule.from_arrays((x, y), val=(x, y), overlap="allow", batch_size=4, **AS_PYTS)
    dm.setup("fit")
    module = Foreign()
    trainer().fit(module, dm.train_dataloader(), dm.val_dataloader())
    check_batches(module.seen, x, y, 20, ATOL["uint8"], dm.series_scaler)


@pytest.mark.parametrize(
    ("start_method", "workers"),
    [("fork", 2), ("spawn", 1)],  # which imports torch anew
)
@pytest.mark.parametrize("images", ["precompute", "on_device"])
@needs_semaphores
def test_loader_workers_see_the_same_images(images, start_method, workers, monkeypatch):
    x, y = arrays()
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 5.0)
    settings = {"batch_size": 5, "num_workers": workers, "images": images, **AS_PYTS}
    dm = DualGAFDataModule.from_arrays((x, y), **settings)
    dm.setup("fit")
    loader = dm.train_dataloader()
    loader.multiprocessing_context = multiprocessing.get_context(start_method)
    batches = list(loader)
    check_batches(batches, x, y, 20, ATOL["uint8"], dm.series_scaler)


def test_a_batch_changed_in_place_does_not_change_the_store():
    dm = DualGAFDataModule.from_arrays(arrays(), batch_size=12, storage="float32")
    dm.setup("fit")
    before = dm.stores[0].array.copy()
    for batch in dm.train_dataloader():
        batch.gasf.fill_(7.0)
    assert np.array_equal(dm.stores[0].array, before)


def test_one_window_by_index_is_decoded():
    x, y = arrays()
    dm = DualGAFDataModule.from_arrays((x, y), **AS_PYTS)
    dm.setup("fit")
    window = dm.dataset("train")[3]
    assert isinstance(window, Batch)
    np.testing.assert_allclose(window.gasf, gaf_by_pyts(x[3:4], 20, (-1, 1))[0, 0], atol=4e-3)
    assert window.label == y[3]
    with pytest.raises(IndexError, match="index 12 is outside 12 windows"):
        dm.dataset("train")[12]


def test_setup_builds_what_the_stage_needs_once():
    dm = DualGAFDataModule.from_arrays(
        arrays(), val=arrays(4, seed=1), test=arrays(5, seed=2), predict=arrays(6)[0]
    )
    dm.prepare_data()
    dm.close()
    dm.build_reports.clear()
    for stage, built in (
        ("fit", [16]),
        ("fit", [16]),
        ("validate", [16]),
        ("test", [16, 5]),
        (None, [16, 5, 6]),
        ("predict", [16, 5, 6]),
    ):
        dm.setup(stage)
        assert [report.windows for report in dm.build_reports] == built
    dm.close()
    dm.setup("validate")
    assert dm.build_reports[-1].windows == 4


def test_two_data_modules_of_one_recipe_share_one_store():
    one, other, third = (
        DualGAFDataModule.from_arrays(arrays(), image_size=size) for size in (8, 8, 9)
    )
    for dm in (one, other, third):
        dm.setup("fit")
    assert one.stores[0] is other.stores[0]
    assert other.build_reports[0].cache == "hit"
    assert third.stores[0] is not one.stores[0]


def test_hyperparameters_are_plain_and_rebuild_the_module(tmp_path):
    x, y = arrays()
    dm = DualGAFDataModule.from_arrays((x, y), image_size=9, layout="packed", hardware="8gb")
    runner = trainer(enable_checkpointing=True, default_root_dir=tmp_path)
    module = Foreign()
    runner.fit(module, datamodule=dm)
    path = tmp_path / "model.ckpt"
    runner.save_checkpoint(path)
    stored = torch.load(path, weights_only=True)["datamodule_hyper_parameters"]
    again = DualGAFDataModule.load_from_checkpoint(path, source=dm.source, weights_only=True)
    assert dict(again.hparams) == dict(stored) == dict(dm.hparams)
    assert (again.image_size, again.preset.name, again.pool) == (9, "8gb", dm.pool)
    options = set(inspect.signature(DualGAFDataModule).parameters) - {"source"}
    assert set(stored) == options


def test_the_plan_is_told_before_the_build(caplog, monkeypatch):
    dm = DualGAFDataModule.from_arrays(arrays())
    told = []
    monkeypatch.setattr("dualgaf.data.image_build.rank_zero_info", told.append)
    monkeypatch.setattr("dualgaf.data.image_build.build_store", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError), caplog.at_level(logging.INFO):
        dm.setup("fit")
    assert told[0].startswith("data\n  windows  12 of 20 steps, 3 channels: train 12")
    assert "12 windows of 20 steps, 3 channels -> GASF and GADF of 20 x 20" in told[1]


@pytest.mark.parametrize(("steps", "side"), [(24, 24), (64, 64), (150, 64)])
def test_images_as_large_as_pays(steps, side):
    x, y = np.random.default_rng(0).normal(size=(6, 1, steps)), [0, 1] * 3
    dm = DualGAFDataModule.from_arrays((x, y), batch_size=6)
    dm.setup("fit")
    gasf, gadf, series, _ = next(iter(dm.train_dataloader()))
    assert dm.image_size == side
    assert gasf.shape == gadf.shape == (6, 1, side, side)
    assert series.shape == (6, 1, steps)
    assert dm.hparams["image_size"] == "auto"
    dm.close()


def test_series_and_shape_facts():
    x, y = arrays(9, 4, 15)
    dm = DualGAFDataModule.from_arrays((x, y), predict=x, image_size=6)
    facts = (dm.num_classes, dm.n_channels, dm.image_size, dm.window_size, dm.class_names)
    assert facts == (3, 4, 6, 15, ("0", "1", "2"))
    np.testing.assert_allclose(dm.series_scaler.mean, x.mean(axis=(0, 2)))


def test_train_scaling_is_fitted_on_the_training_split_only():
    x, y = arrays()
    dm = DualGAFDataModule.from_arrays(
        (x, y),
        test=(100 * x, y),
        scaling="train",
        feature_range=(-1.0, 1.0),
        storage="float32",
        batch_size=12,
    )
    dm.setup(None)
    low, high = x.min(axis=(0, 2)), x.max(axis=(0, 2))
    scaled = np.clip(2 * (100 * x - low[:, None]) / (high - low)[:, None] - 1, -1, 1)
    (batch,) = dm.test_dataloader()
    np.testing.assert_allclose(batch.gasf, gaf_by_pyts(scaled, 20, None)[:, 0], atol=1e-5)


def test_the_order_of_training_is_seeded():
    def labels(seed):
        dm = DualGAFDataModule.from_arrays(arrays(40), batch_size=40, seed=seed)
        dm.setup("fit")
        return next(iter(dm.train_dataloader())).series

    assert torch.equal(labels(1), labels(1))
    assert not torch.equal(labels(1), labels(2))


def test_simulated_days_never_share_a_split():
    dm = DualGAFDataModule(SimulatedSource(n_windows=90, seed=3))
    groups = {
        split: {dm.windows.groups[row] for row in rows}
        for split, rows in dm.windows.indices.items()
    }
    assert set(groups) == {"train", "val", "test"}
    assert not groups["train"] & groups["val"]
    assert not groups["train"] & groups["test"]
    assert sum(map(len, dm.windows.indices.values())) == 90


X, Y = arrays()


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        (
            {"hardware": "64gb"},
            ConfigError,
            "hardware='64gb' is not known; allowed: 16gb, 32gb, 8gb",
        ),
        (
            {"images": "lazy"},
            ConfigError,
            "images='lazy' is not known; allowed: precompute, on_device",
        ),
        ({"storage": "int8"}, ConfigError, "storage='int8' is not known"),
        (
            {"batch_size": 0},
            ConfigError,
            "batch_size=0 is not allowed; allowed: whole numbers from 1",
        ),
        ({"num_workers": -1}, ConfigError, "num_workers=-1 is not allowed"),
        ({"parallel": {"chunk_size": 0}}, ConfigError, "chunk_size=0"),
        ({"parallel": {"n_jobs": 0}}, ConfigError, "n_jobs=0"),
        ({"parallel": {"backend": "dask"}}, ConfigError, "dask"),
        ({"parallel": {"chunks": 1}}, ConfigError, "chunks"),
        ({"image_size": 21}, ConfigError, "image_size=21 does not fit a window of 20 steps"),
        ({"image_size": 1}, ConfigError, "image_size=1 is too small"),
        (
            {"parallel": {"backend": "process", "shm": False}},
            ConfigError,
            "parallel.backend=process cannot fill private memory",
        ),
        (
            {"hardware": HardwarePreset("tiny", "10KiB")},
            BudgetError,
            "hardware=tiny leaves 0 B (10.00 KiB - ",
        ),
    ],
    ids=str,
)
def test_wrong_settings_fail_with_what_to_type_and_build_nothing(settings, error, text):
    with pytest.raises(error, match=re.escape(text)):
        DualGAFDataModule.from_arrays((X, Y), **settings).setup("fit")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"train": (X[:, 0], Y)}, "(N, C, T)"),
        ({"train": (X[..., None], Y)}, "(N, C, T)"),
        ({"train": (X[:0], Y[:0])}, "zero windows"),
        ({"train": (X, Y[:-1])}, "11 labels"),
        ({"train": (X, 0 * Y)}, "one class"),
        ({"train": (X, Y), "test": (-X, Y + 5)}, "'5'"),
        ({"train": (X, Y), "test": (X[:, :2], Y)}, "channels"),
        ({"train": (np.where(X > 2, np.nan, X), Y)}, 'nan="interpolate"'),
    ],
    ids=["2-D", "4-D", "empty", "labels", "one class", "new class", "channels", "nan"],
)
def test_wrong_arrays_fail_with_what_is_needed(change, text):
    with pytest.raises((SeriesError, SplitError), match=re.escape(text)):
        DualGAFDataModule.from_arrays(**change).setup("fit")


def test_a_missing_or_unprepared_split_is_named():
    dm = DualGAFDataModule.from_arrays((X, Y), test=(X, Y), overlap="allow")
    assert dm.val_dataloader() == []
    with pytest.raises(SplitError, match=re.escape("not set up; call setup('test') first")):
        dm.test_dataloader()
    with pytest.raises(SplitError, match="ArraySource has no val split; it has train, test"):
        dm.dataset("val")
    with pytest.raises(ConfigError, match="stage='train' is not known; allowed: fit, validate"):
        dm.setup("train")


def test_settings_objects_are_taken_whole():
    pool = PoolSettings(backend="serial", chunk_size=5)
    dm = DualGAFDataModule.from_arrays((X, Y), parallel=pool)
    assert dm.pool is pool
    copy.copy(dm).setup("fit")
    dm.setup("fit")
    assert (dm.build_reports[-1].backend, dm.build_reports[-1].chunk_size) == ("serial", 5)


def test_a_cache_serves_later_runs_and_notices_changed_content(tmp_path):
    def build(x, **settings):
        dm = DualGAFDataModule.from_arrays((x, Y), cache_dir=tmp_path / "cache", **settings)
        dm.setup("fit")
        report = dm.build_reports[-1]
        images = dm.stores[0].array.copy()
        dm.close()
        return report.cache, report.backing, images

    mine = X + 0.125  # no other test has a store of these
    state, backing, first = build(mine)
    assert (state, backing) == ("miss", "cache")
    # neither chunks nor workers change a byte, so they do not enter the key
    state, backing, again = build(mine, parallel={"chunk_size": 3, "backend": "serial"})
    assert (state, backing) == ("hit", "cache")
    assert np.array_equal(again, first)
    changed = mine.copy()
    changed[0, 0, 0] += 1e-9
    assert build(changed)[0] == "miss"
    assert build(mine, image_size=5)[0] == "miss"
    assert build(mine, feature_range=(-1, 1))[0] == "miss"


@pytest.mark.parametrize(("channels", "scaling"), [(1, "window"), (3, "train")])
def test_auto_scaling_goes_by_the_number_of_channels(channels, scaling):
    x, y = arrays(channels=channels)
    found = []
    for given in ("auto", scaling):
        dm = DualGAFDataModule.from_arrays((x, y), scaling=given)
        assert dm.plan("fit").request.recipe.scaling == scaling
        dm.setup("fit")
        found.append(dm.dataset("train")[0].gasf)
        assert dm.hparams["scaling"] == given
    assert torch.equal(*found)


def test_what_is_there_already_is_not_measured_for(tmp_path, monkeypatch):
    """A hit must load no kernel and take no room from the budget."""
    source = SimulatedSource(40, window_size=24)
    first = DualGAFDataModule(source, image_size=8, cache_dir=tmp_path)
    first.setup("fit")
    first.close()

    def refuse(*_):
        raise AssertionError("the pace was measured")

    monkeypatch.setattr("dualgaf.plan.decision.measure_window_s", refuse)
    again = DualGAFDataModule(source, image_size=8, cache_dir=tmp_path)
    again.setup("fit")
    assert again.build_reports[0].cache == "hit"
    other = DualGAFDataModule(source, image_size=9, cache_dir=tmp_path)
    with pytest.raises(AssertionError, match="the pace was measured"):
        other.setup("fit")


def test_with_val_the_training_batches_hold_both_splits():
    (x, y), (other, label) = arrays(), arrays(n=5, seed=1)
    for images in ("precompute", "on_device"):
        dm = DualGAFDataModule.from_arrays(
            (x, y), val=(other, label), overlap="allow", batch_size=99, images=images
        )
        dm.setup("fit")
        dm.with_val = True
        batch = next(iter(dm.train_dataloader()))
        alone = (dm.dataset("train"), dm.dataset("val"))
        want = sorted(float(split[k].gasf.sum()) for split in alone for k in range(len(split)))
        assert sorted(batch.gasf.sum(dim=(1, 2, 3)).tolist()) == pytest.approx(want, abs=1e-4)
        assert sorted(batch.label.tolist()) == sorted([*y, *label])
        assert len(next(iter(dm.val_dataloader())).label) == 5
        dm.with_val = False
        assert len(next(iter(dm.train_dataloader())).label) == 12


def test_splits_in_two_stores_are_not_joined():
    dm = DualGAFDataModule.from_arrays(arrays(), val=arrays(n=5, seed=1))
    dm.setup("validate")
    dm.setup("fit")
    dm.with_val = True
    with pytest.raises(SplitError, match=r"call close\(\), then setup\('fit'\)"):
        dm.train_dataloader()


@pytest.mark.parametrize(("n", "windows"), [(12, 4), (50, 5), (400, 16), (5000, 64)])
def test_auto_gives_small_sets_small_batches(n, windows):
    dm = DualGAFDataModule.from_arrays(arrays(n, 1, 4), batch_size="auto")
    assert dm.batch_size == windows
    assert dm.hparams["batch_size"] == "auto"
    dm.batch_size = 8  # as Lightning's search for a size does
    dm.setup("fit")
    assert next(iter(dm.train_dataloader())).label.shape == (8,)


@pytest.mark.parametrize(("n_channels", "wanted"), [(1, (-1.0, 1.0)), (3, (0.0, 1.0))])
def test_the_range_goes_by_the_number_of_channels_if_asked(n_channels, wanted):
    dm = DualGAFDataModule.from_arrays(arrays(20, n_channels, 8), feature_range="auto")
    dm.setup()
    assert dm.imaging_state().recipe.feature_range == wanted
    assert dm.hparams["feature_range"] == "auto"
    dm.close()


def test_settings_of_numpy_are_kept_as_plain_values(tmp_path):
    settings = {
        "batch_size": np.int64(4),
        "image_size": np.int32(9),
        "feature_range": np.array([0.0, 1.0]),
        "storage": np.str_("float32"),
        "seed": np.uint8(3),
        "parallel": {"n_jobs": np.int64(1), "chunk_size": np.int64(5)},
    }
    dm = DualGAFDataModule.from_arrays(arrays(), **settings)
    torch.save(dict(dm.hparams), tmp_path / "kept")
    kept = torch.load(tmp_path / "kept", weights_only=True)
    assert (kept["batch_size"], kept["image_size"], kept["seed"]) == (4, 9, 3)
    assert (tuple(kept["feature_range"]), kept["storage"]) == ((0.0, 1.0), "float32")
    again = DualGAFDataModule(dm.source, **kept)
    assert dict(again.hparams) == dict(dm.hparams)
    assert again.pool == PoolSettings(n_jobs=1, chunk_size=5)


@pytest.mark.parametrize("batch_size", ["auto", 4])
def test_the_batch_size_finder_of_lightning_reads_and_sets_the_number(batch_size, tmp_path):
    x, y = np.random.default_rng(0).normal(size=(40, 2, 12)), [0, 1] * 20
    val = (x[:4], y[:4])
    dm = DualGAFDataModule.from_arrays((x, y), val, batch_size=batch_size, overlap="allow")
    runner = trainer(default_root_dir=tmp_path)
    found = Tuner(runner).scale_batch_size(
        Foreign(), datamodule=dm, max_trials=3, steps_per_trial=1
    )
    assert found == dm.batch_size == dm.hparams["batch_size"] == 8
    dm.setup("fit")
    assert len(next(iter(dm.train_dataloader())).label) == 8


@pytest.mark.parametrize("windows", [0, 2.5, "8", True])
def test_a_batch_size_that_is_set_is_checked(windows):
    dm = DualGAFDataModule.from_arrays(arrays())
    with pytest.raises(ConfigError, match=r"batch_size=.* is not allowed; .* type batch_size=64"):
        dm.batch_size = windows
    dm.batch_size = np.int64(8)
    assert (dm.batch_size, type(dm.batch_size)) == (8, int)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (
            {"parallel": 2},
            "parallel=2 is not allowed; allowed: a mapping with keys of PoolSettings",
        ),
        ({"cache_dir": 5}, "cache.dir=5 is not allowed; allowed: a folder, or null for none"),
    ],
)
def test_an_option_of_another_kind_is_refused(option, says):
    with pytest.raises(ConfigError, match=re.escape(says)):
        DualGAFDataModule(SimulatedSource(20), **option)


def test_ranks_that_keep_a_copy_each_are_told():
    x = np.random.default_rng(0).normal(size=(8, 2, 12))
    for local_ranks, shm in ((2, True), (1, False)):
        dm = DualGAFDataModule.from_arrays(train=(x, [0, 1] * 4), parallel={"shm": shm})
        dm._build.ensure("fit", 4, local_ranks)  # nothing is told
    dm = DualGAFDataModule.from_arrays(train=(x, [0, 1] * 4), parallel={"shm": False})
    says = r"each of the 2 processes .* keeps a copy .* type parallel.shm=true"
    with pytest.warns(FallbackWarning, match=says):
        dm._build.ensure("fit", 4, 2)
