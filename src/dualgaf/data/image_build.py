"""`ImageBuild`: a source in, datasets out whose images are there.

1. The windows are read at first use (`windowed`), or found in the cache (`windows_cache`).
2. Splits that are asked for and not there yet are planned, the plan is printed, by one rank, and
   `dualgaf.build.build_store` builds them or finds what another rank has built.
3. Each split gets a `DualGAFDataset` over the store; over the renderer where nothing is stored.
"""

import copy
import warnings
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from lightning.pytorch.utilities import rank_zero_info, rank_zero_only
from tqdm import tqdm

from dualgaf.build import BuildReport, build_store, explain_miss, is_built, store_key
from dualgaf.data.buffers import ImageBuffers
from dualgaf.data.dataset import DualGAFDataset
from dualgaf.data.image_settings import ImageSettings
from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.inspection import windows_summary
from dualgaf.data.shard import Shard, windows_of_nodes
from dualgaf.data.training_facts import TrainingFacts
from dualgaf.data.windowed import WindowedSplits
from dualgaf.data.windows_cache import cached_windows, train_bounds
from dualgaf.errors import ConfigError, FallbackWarning, SplitError
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.plan import BuildPlan, BuildRequest, Shares, make_plan
from dualgaf.plan.budget import memory_left
from dualgaf.plan.training import MeasuredTraining
from dualgaf.series.source import Source
from dualgaf.store.fingerprint import StoreKey, content_hash
from dualgaf.store.store import Store
from dualgaf.system.machine import format_bytes

Array = npt.NDArray[Any]

STAGES: dict[str | None, tuple[str, ...]] = {
    "fit": ("train", "val"),
    "validate": ("val",),
    "test": ("test",),
    "predict": ("predict",),
    None: ("train", "val", "test", "predict"),
}
"""Splits that a stage needs; None is all of them."""

Training = Callable[[], MeasuredTraining | None]
SHORT_S = 0.2
"""A build that ends sooner shows no progress bar; nor does a rank that only waits."""


def unknown_training() -> None:
    """A training of which nothing is known."""


class ImageBuild:
    """The windows of a source and, split by split, datasets with their images.

    A pickled copy has the datasets of the original, by the handle of their store, and no reports;
    what is in private memory, which no other process can read, it builds anew.

    Args:
        source: what comes in.
        seed: of the split.
        settings: what is drawn.

    Raises:
        ConfigError: a setting has a value that is not allowed.
    """

    def __init__(self, source: Source, seed: int, settings: ImageSettings) -> None:
        self.source = source
        self.seed = seed
        self.settings = settings
        self.show_progress = True
        """Whether a build that takes its time has a progress bar on a terminal."""
        self.reports: list[BuildReport] = []
        self.datasets: dict[str, DualGAFDataset] = {}
        self.shard = Shard()
        """Which of the training windows this machine holds, see `take_share`."""
        self._windowed: WindowedSplits | None = None
        self._facts: TrainingFacts | None = None
        self._renderer: Renderer | None = None
        self._values_hash: str | None = None
        self._lent: weakref.WeakSet[DualGAFDataset] = weakref.WeakSet()

    @property
    def windows(self) -> WindowedSplits:
        """The windows, read at first use; no image is built for it."""
        if self._windowed is None:
            left_bytes = memory_left(self.settings.preset).bytes
            folder = self.settings.cache_dir
            self._windowed = cached_windows(self.source, self.seed, folder, left_bytes)
        return self._windowed

    @property
    def image_size(self) -> int:
        """S, the side of the images."""
        return self.settings.side(self.windows.windows.window_size)

    @property
    def stores(self) -> list[Store]:
        """The stores that hold the images now; none where they are drawn per batch."""
        images = (dataset.images for dataset in self.datasets.values())
        return [entry[0] for entry in images if isinstance(entry, tuple)]

    def take_share(self, shard: Shard, stage: str | None) -> None:
        """Hold this share of the training windows from now on, where the stage needs any.

        Images of another share are let go, and those of the val split: both are built at once.
        """
        if "train" not in STAGES.get(stage, ()) or shard == self.shard:
            return
        self.shard = shard
        for split in STAGES["fit"]:
            self.datasets.pop(split, None)

    def held(self, split: str) -> Array:
        """Rows of the windows of a split that this machine holds."""
        rows = self.windows.indices[split]
        if split != "train" or self.shard.is_whole:
            return rows
        return rows[self.shard.own(self.windows.labels[rows])]

    def renderer(self) -> Renderer:
        """What draws windows of this source.

        Raises:
            ConfigError: ``image_size`` does not fit the windows.
        """
        if self._renderer is None:  # the fit of bounds reads all training windows
            n_channels = self.windows.windows.n_channels
            recipe, bounds = self.settings.recipe(self.image_size, n_channels), None
            if recipe.scaling == "train":
                bounds = train_bounds(self.windows, recipe.image_size)
            self._renderer = Renderer(recipe, self.windows.windows.window_size, bounds)
        return self._renderer

    @property
    def has_read(self) -> bool:
        """Whether the source was read."""
        return self._windowed is not None

    def imaging_state(self) -> ImagingState:
        """How windows become images."""
        renderer = self.renderer()
        if self._facts is None:
            self._facts = TrainingFacts.of(self.windows, self.source)
        return ImagingState(
            recipe=renderer.recipe,
            window_size=renderer.window_size,
            bounds=renderer.bounds,
            scaler=self.windows.scaler,
            channel_names=self.windows.channel_names,
            class_names=self.windows.class_names,
            digest=self.windows.digest,
            dtype=self.windows.windows.flat.dtype.name,
            facts=self._facts,
            plants=self.windows.plants,
        )

    def dataset(self, split: str) -> DualGAFDataset:
        """The dataset of a split that `ensure` has seen to.

        Raises:
            SplitError: the source has no such split, or it is not there yet.
        """
        if split not in self.windows.indices:
            raise SplitError(
                f"{type(self.source).__name__} has no {split} split; it has "
                f"{', '.join(self.windows.indices)}"
            )
        if split not in self.datasets:
            stage = next(name for name, splits in STAGES.items() if split in splits)
            raise SplitError(f"the {split} split is not set up; call setup({stage!r}) first")
        return self.datasets[split]

    def for_loader(
        self, splits: Sequence[str], buffers: ImageBuffers | None, lent: bool
    ) -> DualGAFDataset:
        """The dataset of a split, or of two joined, for one loader.

        Args:
            splits: the names, one or two.
            buffers: for float32 images; without them it gives what images are made of.
            lent: `close` empties it; else it keeps the images for as long as it lives.

        Raises:
            SplitError: as `dataset`, or as `DualGAFDataset.joined`.
        """
        dataset = self.dataset(splits[0])
        for split in splits[1:]:
            dataset = dataset.joined(self.dataset(split))
        dataset = copy.copy(dataset) if buffers is None else dataset.with_images_in(buffers)
        if lent:
            self._lent.add(dataset)
        return dataset

    def close(self) -> None:
        """Let go of all images, also of those that are lent."""
        self.datasets.clear()
        for dataset in self._lent:
            if isinstance(dataset.images, tuple):
                dataset.images = _closed(dataset.images[0]), dataset.images[1]
        self._lent.clear()

    def plan(
        self, stage: str | None, batch_size: int, training: Training = unknown_training
    ) -> BuildPlan | None:
        """The plan for what `ensure` would build now; None where nothing is missing.

        Raises:
            BudgetError: the images do not fit the budget.
        """
        missing = self._missing(stage)
        if not missing:
            return None
        windows = self._windows(missing)[0]
        return self._plan(missing, windows, self.renderer(), batch_size, training())

    def is_there(self, stage: str | None) -> bool:
        """Whether `ensure` would find what it needs, in either layout, and build nothing."""
        missing = self._missing(stage)
        if not missing:
            return True
        windows, recipe = self._windows(missing)[0], self.renderer().recipe
        return any(
            is_built(self._key(windows, each), self.settings.cache_dir)
            for each in {recipe, replace(recipe, layout="packed")}
        )

    def ensure(
        self,
        stage: str | None,
        batch_size: int,
        local_ranks: int,
        training: Training = unknown_training,
    ) -> None:
        """Build, or find, what the stage needs and what is not there yet.

        Args:
            stage: one of `STAGES`.
            batch_size: windows per batch of the training that follows.
            local_ranks: processes of this machine that train together.
            training: what is known of that training; asked for where something is missing.

        Raises:
            ConfigError: there is no such stage, or ``image_size`` does not fit the windows.
            BudgetError, ChunkError, StoreFullError, SeriesError: the images cannot be built.
        """
        missing = self._missing(stage)
        if not missing:
            return
        windowed, renderer = self.windows, self.renderer()  # image_size > T fails here
        windows, rows = self._windows(missing)
        plan = self._plan(missing, windows, renderer, batch_size, training())
        if not self.datasets:
            rank_zero_info(windows_summary(windowed))
        rank_zero_info(f"{plan}")
        store = None
        if plan.place != "none":
            if plan.place == "private" and local_ranks > 1 and not self.datasets:
                _warn_of_copies(plan, local_ranks)
            store = self._build(windows, plan, renderer)
        for name in missing:
            own = self.held(name)
            images = renderer if store is None else (store, np.searchsorted(rows, own))
            self.datasets[name] = DualGAFDataset(
                windowed.windows,
                own,
                windowed.labels[own],
                windowed.scaler,
                images,
                self.settings.augmentation if name == "train" else None,
            )
            if self.datasets[name].augmentation is not None and not self.shard.is_whole:
                self.datasets[name].find_constant(windowed.indices[name])

    def _build(self, windows: Windows, plan: BuildPlan, renderer: Renderer) -> Store:
        key = self._key(windows, plan.request.recipe)
        if (why := explain_miss(key, plan.cache_dir)) is not None:
            rank_zero_info(why)
        total = len(windows)
        off = None if self.show_progress else True
        with tqdm(total=total, desc="imaging", unit=" windows", disable=off, delay=SHORT_S) as bar:
            store, report = build_store(
                windows,
                plan,
                bounds=renderer.bounds,
                key=key,
                progress=bar.update,
                cache_verify=self.settings.cache_verify,
            )
        self.reports.append(report)
        return store

    def _missing(self, stage: str | None) -> list[str]:
        """Splits that the stage needs, that the source has, and that are not there yet."""
        if stage not in STAGES:
            raise ConfigError(
                f"stage={stage!r} is not known; allowed: {', '.join(map(str, STAGES))}"
            )
        has = self.windows.indices
        wanted = ("test",) if stage == "predict" and "predict" not in has else STAGES[stage]
        return [name for name in wanted if name in has and name not in self.datasets]

    def _windows(self, splits: list[str]) -> tuple[Windows, Array]:
        """The windows of these splits in the order of the source, and their rows in all windows."""
        windows = self.windows.windows
        rows = np.sort(np.concatenate([self.held(name) for name in splits]))
        return Windows(windows.flat, windows.starts[rows], windows.window_size), rows

    def _key(self, windows: Windows, recipe: ImagingRecipe) -> StoreKey:
        """The name of a store; the values, which all splits share, are hashed once."""
        if self._values_hash is None:
            self._values_hash = content_hash(self.windows.windows.flat)
        return store_key(windows, recipe, self.renderer().bounds, self._values_hash)

    def _plan(
        self,
        splits: list[str],
        windows: Windows,
        renderer: Renderer,
        batch_size: int,
        training: MeasuredTraining | None,
    ) -> BuildPlan:
        settings = self.settings
        request = BuildRequest(
            n_windows=len(windows),
            n_channels=windows.n_channels,
            window_size=windows.window_size,
            recipe=renderer.recipe,
            images=settings.images,
            # In a later stage what the training takes is in use already.
            batch_size=0 if self.datasets else batch_size,
            input_bytes=windows.flat.nbytes + windows.starts.nbytes,
            input_dtype=windows.flat.dtype.name,
            training=training,
            shares=self._shares() if "train" in splits else None,
        )

        def found(recipe: ImagingRecipe) -> bool:
            return is_built(self._key(windows, recipe), settings.cache_dir)

        return make_plan(request, settings.preset, settings.pool, settings.cache_dir, found)

    def _shares(self) -> Shares | None:
        """What each machine holds of the training windows; None where each holds all."""
        if self.shard.is_whole:
            return None
        labels = self.windows.labels[self.windows.indices["train"]]
        return Shares(self.shard.node, windows_of_nodes(labels, self.shard.n_nodes))

    def __getstate__(self) -> dict[str, Any]:
        private = {
            name
            for name, dataset in self.datasets.items()
            if isinstance(dataset.images, tuple) and dataset.images[0].backing == "private"
        }
        kept = {name: found for name, found in self.datasets.items() if name not in private}
        return {**self.__dict__, "datasets": kept, "reports": [], "_lent": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lent = weakref.WeakSet()


def _closed(store: Store) -> Store:
    """What a store is after `Store.close`; the store itself may be in use elsewhere."""
    twin = Store.from_array(store.layout, store.array)
    twin.close()
    return twin


@rank_zero_only
def _warn_of_copies(plan: BuildPlan, local_ranks: int) -> None:
    warnings.warn(
        f"each of the {local_ranks} processes of this machine that train together keeps a copy of "
        f"the images of its own ({format_bytes(plan.request.store_bytes)} each): private memory "
        "cannot be shared; for one copy type parallel.shm=true",
        FallbackWarning,
        stacklevel=4,
    )
