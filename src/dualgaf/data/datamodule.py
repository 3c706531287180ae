"""`DualGAFDataModule`: a source in, batches of dual GAF images out, for any LightningModule.

1. The first hook that needs them reads the source and cuts the windows.
2. `prepare_data` and `setup` see to it that the images which the stage needs are there
   (`image_build`). Both may be called any number of times, in any number of ranks: one builds.
3. Under a Trainer that has the model on an accelerator, loaders ship stored pixels, and
   `on_after_batch_transfer` makes float32 images of them there. Else the loaders give float32
   images themselves, in memory that is used again when a batch is gone.
4. The images stay until `close` or an exception: fit, validate and test share them.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import lightning as L
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Sampler

from dualgaf.build import BuildReport
from dualgaf.data.augmentation import SeriesAugmentation
from dualgaf.data.batch import AnyBatch, Batch, draw_on_cpu, to_images
from dualgaf.data.buffers import ImageBuffers
from dualgaf.data.dataset import DualGAFDataset
from dualgaf.data.from_memory import FromMemory
from dualgaf.data.image_build import ImageBuild, Training
from dualgaf.data.image_settings import ImageSettings, cache_folder, pool_settings
from dualgaf.data.loader import make_loader
from dualgaf.data.order import EpochOrder, Passes, Use, order_for, order_of_share
from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.data.shard import Shard, check_sharding, not_learned
from dualgaf.data.training_memory import measured_training
from dualgaf.data.windowed import WindowedSplits
from dualgaf.errors import check_whole
from dualgaf.imaging.recipe import checked_range
from dualgaf.plain import plain, plain_settings
from dualgaf.plan import BuildPlan, Images
from dualgaf.plan.preset import HardwarePreset
from dualgaf.pool.settings import PoolSettings
from dualgaf.series.source import Source
from dualgaf.store.store import Store

Array = npt.NDArray[Any]


class DualGAFDataModule(FromMemory):
    """Dual Gramian angular fields of a source's windows, as Lightning loaders.

    Args:
        source: an `ArraySource`, `TableSource`, `ArchiveSource`, `SimulatedSource`, or anything
            with their attributes and ``load``. It says what comes in, how it is cut into windows
            and how it is split.
        batch_size: windows per batch; ``auto`` is a tenth of the training windows, 4 to 16, so that
            small sets get their share of steps; 64 for 5000 or more.
        num_workers: loader processes; 0 is the fastest unless a transform of yours is slow.
        image_size: S, side of the images, 2 <= S <= T; None is T, ``auto`` the smaller of T and
            64.
        scaling: ``window`` (as pyts), ``train`` or ``none``, see `ImagingRecipe`; ``auto`` is
            ``train`` for several channels, whose levels tell something, ``window`` for one.
        feature_range: target interval of the scaling, inside [-1, 1] (which is what pyts takes);
            ``auto`` is [0, 1] for several channels and [-1, 1] for one.
        storage: ``uint8``, ``uint16``, ``float16`` or ``float32``.
        layout: ``dual`` or ``packed`` (half the bytes).
        images: ``precompute`` builds them in ``setup``; ``on_device`` draws them per batch;
            ``auto`` precomputes what fits the budget.
        augmentation: a `SeriesAugmentation` or a mapping with its keys: how training windows are
            changed before they are drawn; for ``images=on_device``, which draws them every time.
        hardware: ``auto``, ``8gb``, ``16gb``, ``32gb``, or a `HardwarePreset`.
        parallel: a mapping with keys of `PoolSettings`, or the settings; what is left out comes
            from the preset.
        cache_dir: folder that keeps the images for later runs; None keeps none.
        cache_verify: what is looked at before images of the cache are used: ``size`` (with header
            and manifest) or ``full`` (every byte).
        seed: of the split and of the order of training batches.
        shard: ``node`` has each of several machines draw and hold its share of the training
            windows alone, see `dualgaf.data.shard`; ``none`` all of them.

    Raises:
        ConfigError: a setting has a value that is not allowed.

    Example:
        >>> import numpy as np
        >>> x, y = np.random.default_rng(0).normal(size=(8, 3, 24)), [0, 1] * 4
        >>> dm = DualGAFDataModule.from_arrays(train=(x, y), batch_size=4)
        >>> dm.setup("fit")
        >>> gasf, gadf, series, label = next(iter(dm.train_dataloader()))
        >>> gasf.shape, dm.num_classes
        (torch.Size([4, 3, 24, 24]), 2)
    """

    @plain_settings
    def __init__(
        self,
        source: Source,
        *,
        batch_size: int | Literal["auto"] = "auto",
        num_workers: int = 0,
        image_size: int | Literal["auto"] | None = "auto",
        scaling: str = "auto",
        feature_range: tuple[float, float] | Literal["auto"] = "auto",
        storage: str = "uint8",
        layout: str = "dual",
        images: Images = "precompute",
        augmentation: Mapping[str, float] | SeriesAugmentation | None = None,
        hardware: str | HardwarePreset = "auto",
        parallel: Mapping[str, Any] | PoolSettings | None = None,
        cache_dir: str | Path | None = None,
        cache_verify: str = "size",
        seed: int = 0,
        shard: str = "none",
    ) -> None:
        super().__init__()
        if batch_size != "auto":
            check_whole("batch_size", batch_size, 1, 64)
        check_whole("num_workers", num_workers, 0, 0)
        check_whole("seed", seed, 0, 0)
        check_sharding(shard)
        self._batch_size = None if batch_size == "auto" else int(batch_size)
        self.num_workers = int(num_workers)
        self.seed = seed
        self.shard = shard
        self.further_networks = 0
        """Networks that are there beside the one in training, at most: the plan counts them."""
        self.preset = (
            hardware if isinstance(hardware, HardwarePreset) else HardwarePreset.named(hardware)
        )
        self.pool = pool_settings(parallel, self.preset)
        settings = ImageSettings(
            image_size,
            {
                "scaling": scaling,
                "feature_range": (
                    "auto" if feature_range == "auto" else checked_range(feature_range)
                ),
                "storage": storage,
                "layout": layout,
            },
            images,
            self.preset,
            self.pool,
            cache_folder(cache_dir),
            cache_verify,
            SeriesAugmentation.of(augmentation),
        )
        self.closes_on_exception = True
        """Whether a Trainer that fails lets go of the images; a search keeps them for the next."""
        self._build = ImageBuild(source, seed, settings)
        self._buffers = ImageBuffers()
        self._passes = Passes()
        # Plain values only, so that a checkpoint loads with weights_only=True.
        own = {"batch_size": batch_size, "num_workers": num_workers, "seed": seed, "shard": shard}
        self.save_hyperparameters(plain(own | settings.to_plain()), logger=False)

    @property
    def batch_size(self) -> int:
        """Windows per batch; ``auto`` reads the source to know."""
        if self._batch_size is None:
            n_windows = len(self.windows.indices["train"])
            self._batch_size = 64 if n_windows >= 5000 else min(16, max(4, n_windows // 10))
        return self._batch_size

    @batch_size.setter
    def batch_size(self, windows: int) -> None:
        check_whole("batch_size", windows, 1, 64)
        self._batch_size = int(windows)

    @property
    def source(self) -> Source:
        """What comes in."""
        return self._build.source

    @property
    def show_progress(self) -> bool:
        """Whether a build that takes its time has a progress bar on a terminal."""
        return self._build.show_progress

    @show_progress.setter
    def show_progress(self, shown: bool) -> None:
        self._build.show_progress = shown

    @property
    def windows(self) -> WindowedSplits:
        """The windows, read at first use; no image is built for it."""
        return self._build.windows

    @property
    def num_classes(self) -> int:
        """K, the classes of the training split."""
        return len(self.windows.class_names)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the K classes, in the order of the labels."""
        return self.windows.class_names

    @property
    def n_channels(self) -> int:
        """C, the channels of a window."""
        return self.windows.windows.n_channels

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the C channels."""
        return self.windows.channel_names

    @property
    def window_size(self) -> int:
        """T, the steps of a window."""
        return self.windows.windows.window_size

    @property
    def image_size(self) -> int:
        """S, the side of the images."""
        return self._build.image_size

    @property
    def series_scaler(self) -> SeriesScaler:
        """What standardised the ``series`` of a batch; it has ``inverse_transform``."""
        return self.windows.scaler

    def prepare_data(self) -> None:
        """Build what the running stage needs, where Lightning lets the other ranks wait.

        They wait at a barrier that has no time limit, as those of `setup` have.
        """
        stage = (
            None
            if self.trainer is None or self.trainer.state.fn is None
            else self.trainer.state.fn.value
        )
        self.setup(stage)

    def setup(self, stage: str | None = None) -> None:
        """Build what ``stage`` needs and what is not there yet; None is everything."""
        ranks = 1 if self.trainer is None else self.trainer.num_devices
        # Lightning's search for a batch size begins with the number that stands here.
        self.hparams["batch_size"] = self.batch_size
        module = None if self.trainer is None or stage != "fit" else self.trainer.lightning_module
        self._build.take_share(Shard.of(self.shard, self.trainer), stage)
        self._build.ensure(stage, self.batch_size, ranks, self._training_of(module, ranks))

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of the training split; see `with_val`.

        Their order is drawn from ``seed`` and the epoch: that of the Trainer, or the passes through
        training loaders of this DataModule.
        """
        return self._loader(*self._learned, use="train")

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """Batches of the validation split; an empty list where there is none."""
        return self._loader("val") if "val" in self.windows.indices else []

    def test_dataloader(self) -> DataLoader[Batch]:
        """Batches of the test split."""
        return self._loader("test")

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Batches to predict: the predict split, or the test split where there is none."""
        split = "predict" if "predict" in self.windows.indices else "test"
        return self._loader(split, use="predict")

    def on_after_batch_transfer(self, batch: AnyBatch, dataloader_idx: int) -> Batch:
        """Float32 images, made on the device; a batch that has them passes unchanged."""
        return to_images(batch, self._buffers)

    def on_exception(self, exception: BaseException) -> None:
        """Give the memory back: after an exception Lightning calls no teardown."""
        if self.closes_on_exception:
            self.close()

    def close(self) -> None:
        """Let go of all images, also in loaders of a Trainer, which keeps them after a run.

        The next ``setup`` builds them anew. What `dataset` gave, and loaders that were made without
        a Trainer, stay usable and keep the images. May be called twice.
        """
        self._build.close()
        self._buffers.clear()

    @property
    def build_reports(self) -> list[BuildReport]:
        """What was built so far, a report for each build."""
        return self._build.reports

    def plan(
        self,
        stage: str | None = None,
        module: L.LightningModule | None = None,
        ranks: int = 1,
        nodes: int = 1,
    ) -> BuildPlan | None:
        """The plan of the build that ``setup(stage)`` would do now; None where nothing is missing.

        Args:
            stage: as for `setup`.
            module: what is to be trained, so that its memory is planned for.
            ranks: processes of this machine that will train it.
            nodes: machines that will share the training windows (``shard=node``), where neither a
                Trainer nor the environment tells.

        Raises:
            BudgetError: the images, or the training, do not fit the budget.
        """
        self._build.take_share(Shard.of(self.shard, self.trainer, nodes), stage)
        return self._build.plan(stage, self.batch_size, self._training_of(module, ranks))

    def is_there(self, stage: str | None = None) -> bool:
        """Whether ``setup(stage)`` would build nothing: it is alive here, or in the cache."""
        self._build.take_share(Shard.of(self.shard, self.trainer), stage)
        return self._build.is_there(stage)

    def dataset(self, split: str) -> DualGAFDataset:
        """The dataset of a split whose stage was set up.

        Raises:
            SplitError: the source has no such split, or it was not set up.
        """
        return self._build.dataset(split)

    def training_windows(self, most: int) -> tuple[Array, Array, Array]:
        """Windows that may be learned, without images; see `with_val` and `held_out`.

        Args:
            most: of more, as many are drawn by ``seed``.

        Returns:
            As `WindowedSplits.standardised`.
        """
        rows = np.concatenate([self.windows.indices[split] for split in self._learned])
        if self.held_out is not None:
            rows = rows[~np.isin(rows, self.held_out)]
        if len(rows) > most:
            rows = np.sort(np.random.default_rng(self.seed).choice(rows, most, replace=False))
        return self.windows.standardised(rows)

    @property
    def stores(self) -> list[Store]:
        """The stores that hold the images now; none with ``images=on_device``."""
        return self._build.stores

    def draw(self, rows: Array) -> tuple[torch.Tensor, torch.Tensor]:
        """GASF and GADF (B, C, S, S) float32 of rows of ``windowed.windows``; nothing is built."""
        angles = self._build.renderer().polar(self.windows.windows, rows)
        return draw_on_cpu(torch.from_numpy(angles), self._buffers)

    def _training_of(self, module: L.LightningModule | None, ranks: int) -> Training:
        build, n_loaders, networks = self._build, self.num_workers, self.further_networks
        return partial(
            measured_training, module, build, self.batch_size, n_loaders, ranks, networks
        )

    @property
    def _learned(self) -> tuple[str, ...]:
        """Splits whose windows are in training batches."""
        return ("train", "val") if self.with_val and "val" in self.windows.indices else ("train",)

    def _loader(self, *splits: str, use: Use = "evaluate") -> DataLoader[Batch]:
        device = "cpu" if self.trainer is None else self.trainer.strategy.root_device.type
        buffers = self._buffers if device == "cpu" else None
        dataset = self._build.for_loader(splits, buffers, lent=self.trainer is not None)
        shares = None
        if use == "train":
            left_out, shares = not_learned(self.windows, splits, self.held_out, self._build.shard)
            dataset = dataset.without(left_out) if len(left_out) else dataset
        marked = dataset.augmentation is not None
        order = EpochOrder(len(dataset), self.seed, self._passes, marked)
        batch_size = self.batch_size
        sampler: Sampler[int] | None
        if shares is not None and self.trainer is not None:
            sampler = order_of_share(order, shares, self.trainer)
        else:
            sampler, batch_size = order_for(use, order, batch_size, self.trainer, splits[0])
        return make_loader(
            dataset, sampler, batch_size, self.num_workers, self.seed, pin_memory=device == "cuda"
        )
