"""`DualGAFDataModule`: a source in, batches of dual GAF images out, for any LightningModule.

1. The first hook that needs them reads the source and cuts the windows (`windowed`), or finds them
   in the cache (`windows_cache`).
2. `prepare_data` and `setup` build the images that the stage needs and that are not there yet:
   plan, print it, `dualgaf.build.build_store`. Both may be called any number of times.
3. Under a Trainer that has the model on an accelerator, loaders ship stored pixels, and
   `on_after_batch_transfer` makes float32 images of them there. Else the loaders give float32
   images themselves, in memory that is used again when a batch is gone.
4. The images stay until `close` or an exception: fit, validate and test share them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import lightning as L
import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch.utilities import rank_zero_info
from torch.utils.data import DataLoader
from tqdm import tqdm

from dualgaf.build import BuildReport, build_store, is_built
from dualgaf.data.batch import AnyBatch, Batch, to_images
from dualgaf.data.buffers import ImageBuffers
from dualgaf.data.dataset import DualGAFDataset
from dualgaf.data.loader import ImageLoader, collate
from dualgaf.data.on_cpu import draw
from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.data.windowed import WindowedSplits
from dualgaf.data.windows_cache import cached_windows, train_bounds
from dualgaf.errors import ConfigError, SplitError, check_whole
from dualgaf.hardware import HardwarePreset
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.plan import BuildPlan, BuildRequest, Images, make_plan
from dualgaf.pool.settings import PoolSettings
from dualgaf.series.source import ArraySource, Source
from dualgaf.series.splits import SplitSettings
from dualgaf.store.store import Store

Array = npt.NDArray[Any]

STAGES: dict[str | None, tuple[str, ...]] = {
    "fit": ("train", "val"),
    "validate": ("val",),
    "test": ("test",),
    "predict": ("predict",),
    None: ("train", "val", "test", "predict"),
}
"""Splits that a stage needs; None is all of them."""


class DualGAFDataModule(L.LightningDataModule):
    """Dual Gramian angular fields of a source's windows, as Lightning loaders.

    Args:
        source: an `ArraySource`, `TableSource`, `ArchiveSource`, `SimulatedSource`, or anything
            with their attributes and ``load``. It says what comes in, how it is cut into windows
            and how it is split.
        batch_size: windows a batch.
        num_workers: loader processes; 0 is the fastest unless a transform of yours is slow.
        image_size: S, side of the images, 2 <= S <= T; T when left out.
        scaling: ``window``, ``train`` or ``none``, see `ImagingRecipe`; ``auto`` is ``train`` for
            several channels, whose levels tell something, and ``window`` for a single one.
        feature_range: target interval of the scaling, inside [-1, 1].
        storage: ``uint8``, ``uint16``, ``float16`` or ``float32``.
        layout: ``dual`` or ``packed`` (half the bytes).
        images: ``precompute`` builds them in ``setup``; ``on_device`` draws them per batch;
            ``auto`` precomputes what fits the budget.
        hardware: ``auto``, ``8gb``, ``16gb``, ``32gb``, or a `HardwarePreset`.
        parallel: a mapping with keys of `PoolSettings`, or the settings; what is left out comes
            from the preset.
        cache_dir: folder that keeps the images for later runs; None keeps none.
        seed: of the split and of the order of training batches.

    Raises:
        ConfigError: a setting has a value that is not allowed.

    Example:
        >>> x, y = np.random.default_rng(0).normal(size=(8, 3, 24)), [0, 1] * 4
        >>> dm = DualGAFDataModule.from_arrays(train=(x, y), batch_size=4)
        >>> dm.setup("fit")
        >>> gasf, gadf, series, label = next(iter(dm.train_dataloader()))
        >>> gasf.shape, dm.num_classes
        (torch.Size([4, 3, 24, 24]), 2)
    """

    def __init__(
        self,
        source: Source,
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        image_size: int | None = None,
        scaling: str = "window",
        feature_range: tuple[float, float] = (-1.0, 1.0),
        storage: str = "uint8",
        layout: str = "dual",
        images: Images = "precompute",
        hardware: str | HardwarePreset = "auto",
        parallel: Mapping[str, Any] | PoolSettings | None = None,
        cache_dir: str | Path | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.source = source
        check_whole("batch_size", batch_size, 1, 64)
        check_whole("num_workers", num_workers, 0, 0)
        self.batch_size, self.num_workers = int(batch_size), int(num_workers)
        self.seed = seed
        self.images = images
        self._image_size = image_size
        self._drawing = {
            "scaling": scaling,
            "feature_range": tuple(feature_range),
            "storage": storage,
            "layout": layout,
        }
        BuildRequest(1, 1, 2, self._recipe(image_size or 2, 1), images)  # a wrong value fails here
        preset = (
            hardware if isinstance(hardware, HardwarePreset) else HardwarePreset.named(hardware)
        )
        self.preset = preset
        self.pool = _pool_settings(parallel, preset)
        self.cache_dir = None if cache_dir is None else Path(cache_dir)
        self.build_reports: list[BuildReport] = []
        self._cases: WindowedSplits | None = None
        self._datasets: dict[str, DualGAFDataset] = {}
        self._buffers = ImageBuffers()
        # Plain values only, so that a checkpoint loads with weights_only=True.
        self.save_hyperparameters(
            {
                "batch_size": batch_size,
                "num_workers": num_workers,
                "image_size": image_size,
                **self._drawing,
                "images": images,
                "hardware": preset.name,
                "parallel": self.pool.to_json(),
                "cache_dir": None if cache_dir is None else str(cache_dir),
                "seed": seed,
            },
            logger=False,
        )

    @classmethod
    def from_arrays(
        cls,
        train: tuple[Any, Any],
        val: tuple[Any, Any] | None = None,
        test: tuple[Any, Any] | None = None,
        predict: Any = None,
        **settings: Any,
    ) -> Self:
        """A DataModule of windows that are in memory.

        Args:
            train: (x, y): x (N, C, T) array or tensor; y N integers or strings.
            val: likewise; without it there is no validation.
            test: likewise.
            predict: x alone.
            **settings: as for the class.

        Raises:
            SeriesError: a shape, a type or a length does not fit.
            ConfigError: a setting has a value that is not allowed.
        """
        given = SplitSettings("official", val_fraction=0.0)
        source = ArraySource(train, val=val, test=test, predict=predict, split=given)
        return cls(source, **settings)

    # -- what a model needs to know ------------------------------------------------------------

    @property
    def cases(self) -> WindowedSplits:
        """The windows, read at first use; no image is built for it."""
        if self._cases is None:
            self._cases = cached_windows(self.source, self.seed, self.cache_dir)
        return self._cases

    @property
    def num_classes(self) -> int:
        """K, the classes of the training split."""
        return len(self.cases.class_names)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the K classes, in the order of the labels."""
        return self.cases.class_names

    @property
    def n_channels(self) -> int:
        """C, the channels of a window."""
        return self.cases.windows.n_channels

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the C channels."""
        return self.cases.channel_names

    @property
    def window_size(self) -> int:
        """T, the steps of a window."""
        return self.cases.windows.window_size

    @property
    def image_size(self) -> int:
        """S, the side of the images."""
        return self._image_size or self.window_size

    @property
    def series_scaler(self) -> SeriesScaler:
        """What standardised the ``series`` of a batch; it has ``inverse_transform``."""
        return self.cases.scaler

    # -- Lightning's hooks ---------------------------------------------------------------------

    def prepare_data(self) -> None:
        """Build what the running stage needs, where Lightning lets the other ranks wait."""
        stage = (
            None
            if self.trainer is None or self.trainer.state.fn is None
            else self.trainer.state.fn.value
        )
        self._ensure(stage)

    def setup(self, stage: str | None = None) -> None:
        """Build what ``stage`` needs and what is not there yet; None is everything."""
        if stage not in STAGES:
            raise ConfigError(
                f"stage={stage!r} is not known; allowed: {', '.join(map(str, STAGES))}"
            )
        self._ensure(stage)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of the training split, in an order drawn from ``seed``."""
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """Batches of the validation split; an empty list where there is none."""
        return self._loader("val") if "val" in self.cases.rows else []

    def test_dataloader(self) -> DataLoader[Batch]:
        """Batches of the test split."""
        return self._loader("test")

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Batches to predict: the predict split, or the test split where there is none."""
        return self._loader("predict" if "predict" in self.cases.rows else "test")

    def on_after_batch_transfer(self, batch: AnyBatch, dataloader_idx: int) -> Batch:
        """Float32 images, made on the device; a batch that has them passes unchanged."""
        return to_images(batch, self._buffers)

    def on_exception(self, exception: BaseException) -> None:
        """Give the memory back: after an exception Lightning calls no teardown."""
        self.close()

    def close(self) -> None:
        """Let go of all images; the next ``setup`` builds them anew. May be called twice."""
        self._datasets.clear()
        self._buffers.clear()

    # -- build ---------------------------------------------------------------------------------

    def plan(self, stage: str | None = None) -> BuildPlan | None:
        """The plan of the build that ``setup(stage)`` would do now; None where nothing is missing.

        Raises:
            BudgetError: the images do not fit the budget.
        """
        missing = self._missing(stage)
        return self._plan(self._windows(missing)[0], self._renderer()) if missing else None

    def dataset(self, split: str) -> DualGAFDataset:
        """The dataset of a split whose stage was set up.

        Raises:
            SplitError: the source has no such split, or it was not set up.
        """
        if split not in self.cases.rows:
            raise SplitError(
                f"{type(self.source).__name__} has no {split} split; it has "
                f"{', '.join(self.cases.rows)}"
            )
        if split not in self._datasets:
            stage = next(name for name, splits in STAGES.items() if split in splits)
            raise SplitError(f"the {split} split is not set up; call setup({stage!r}) first")
        return self._datasets[split]

    @property
    def stores(self) -> list[Store]:
        """The stores that hold the images now; none with ``images=on_device``."""
        images = (dataset.images for dataset in self._datasets.values())
        return [entry[0] for entry in images if isinstance(entry, tuple)]

    def draw(self, rows: Array) -> tuple[torch.Tensor, torch.Tensor]:
        """GASF and GADF (B, C, S, S) float32 of rows of ``cases.windows``; nothing is built."""
        angles = self._renderer().polar(self.cases.windows, rows)
        return draw(torch.from_numpy(angles), self._buffers)

    def _missing(self, stage: str | None) -> list[str]:
        wanted = list(STAGES[stage])
        if stage == "predict" and "predict" not in self.cases.rows:
            wanted = ["test"]
        return [name for name in wanted if name in self.cases.rows and name not in self._datasets]

    def _recipe(self, image_size: int, n_channels: int) -> ImagingRecipe:
        scaling = self._drawing["scaling"]
        if scaling == "auto":
            scaling = "train" if n_channels > 1 else "window"
        return ImagingRecipe(image_size, **{**self._drawing, "scaling": scaling})  # type: ignore[arg-type]

    def _renderer(self) -> Renderer:
        recipe, bounds = self._recipe(self.image_size, self.n_channels), None
        if recipe.scaling == "train":
            bounds = train_bounds(self.cases, recipe.image_size)
        return Renderer(recipe, self.window_size, bounds)

    def _windows(self, splits: list[str]) -> tuple[Windows, Array]:
        """The windows of these splits in the order of the source, and their rows in all windows."""
        cases = self.cases
        rows = np.sort(np.concatenate([cases.rows[name] for name in splits]))
        return Windows(cases.windows.flat, cases.windows.starts[rows], self.window_size), rows

    def _plan(self, windows: Windows, renderer: Renderer) -> BuildPlan:
        request = BuildRequest(
            n_windows=len(windows),
            n_channels=self.n_channels,
            window_size=self.window_size,
            recipe=renderer.recipe,
            images=self.images,
            # In a later stage what the training takes is in use already.
            batch_size=0 if self._datasets else self.batch_size,
            input_bytes=windows.flat.nbytes + windows.starts.nbytes,
            input_dtype=windows.flat.dtype.name,
        )

        def found(recipe: ImagingRecipe) -> bool:
            return is_built(windows, recipe, renderer.bounds, self.cache_dir)

        return make_plan(request, self.preset, self.pool, self.cache_dir, found)

    def _ensure(self, stage: str | None) -> None:
        missing = self._missing(stage)
        if not missing:
            return
        cases, renderer = self.cases, self._renderer()  # image_size > T fails here
        windows, rows = self._windows(missing)
        plan = self._plan(windows, renderer)
        rank_zero_info(f"{plan}")
        store = None
        if plan.place != "none":
            with tqdm(total=len(rows), desc="imaging", unit=" windows", disable=None) as bar:
                store, report = build_store(
                    windows, plan, bounds=renderer.bounds, progress=bar.update
                )
            self.build_reports.append(report)
        for name in missing:
            own = cases.rows[name]
            images = renderer if store is None else (store, np.searchsorted(rows, own))
            self._datasets[name] = DualGAFDataset(
                cases.windows, own, cases.labels[own], cases.scaler, images
            )

    def _loader(self, split: str, shuffle: bool = False) -> DataLoader[Batch]:
        device = "cpu" if self.trainer is None else self.trainer.strategy.root_device.type
        dataset = self.dataset(split)
        kind: type[DataLoader[Batch]] = DataLoader
        if device == "cpu":
            dataset, kind = dataset.with_images_in(self._buffers), ImageLoader
        return kind(
            dataset,
            batch_size=self.batch_size,
            shuffle=shuffle,
            generator=torch.Generator().manual_seed(self.seed) if shuffle else None,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=device == "cuda",
            collate_fn=collate,
        )


def _pool_settings(
    parallel: Mapping[str, Any] | PoolSettings | None, preset: HardwarePreset
) -> PoolSettings:
    if isinstance(parallel, PoolSettings):
        return parallel
    own = {"n_jobs": preset.n_jobs, "chunk_size": preset.chunk_size}
    return PoolSettings.from_mapping({**own, **(parallel or {})})
