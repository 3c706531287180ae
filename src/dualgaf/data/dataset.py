"""`DualGAFDataset`: the windows of one split, gathered a batch at a time.

`__getitems__` makes a whole batch at once, so a loader has nothing left to stack and needs no
worker processes. Where the model is on the CPU the batch leaves with its float32 images, which one
pass writes into recycled memory. Elsewhere, and out of a loader worker, it leaves as the smallest
thing that can be shipped.

A dataset is pickled, say for a loader worker that is spawned, as handles: of its store, of its
windows, which the datasets of all splits share, and of its own arrays. It stays below 4 KiB, and
the memory behind it exists once on a machine.
"""

import copy
import weakref
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, get_worker_info

from dualgaf.data.augmentation import SeriesAugmentation, Turn
from dualgaf.data.batch import AnyBatch, Batch, PolarBatch, StoredBatch, mark, read_rows, to_images
from dualgaf.data.buffers import ImageBuffers
from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.errors import SplitError
from dualgaf.imaging.bounds import fit_bounds
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.gather import gather_series
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.store.bundle import SharedArrays
from dualgaf.store.store import Store

Array = npt.NDArray[Any]

_shared_windows: "weakref.WeakKeyDictionary[Windows, SharedArrays]" = weakref.WeakKeyDictionary()


class DualGAFDataset(Dataset[Batch]):
    """Windows of one split with their images, series and labels.

    Args:
        windows: all windows of the source.
        indices: (N,) indices of this split's windows.
        labels: (N,) class of each, -1 without.
        scaler: of the series, fitted on the training split.
        images: the renderer (drawn per batch), or the store with (N,) its row of each window.
        augmentation: how windows are changed before they are drawn; needs the renderer.

    Example:
        >>> import dualgaf
        >>> x, y = np.random.default_rng(0).normal(size=(6, 2, 12)), [0, 1] * 3
        >>> dm = dualgaf.DualGAFDataModule.from_arrays(train=(x, y))
        >>> dm.setup("fit")
        >>> dataset = dm.dataset("train")
        >>> len(dataset), dataset[0].gasf.shape
        (6, torch.Size([2, 12, 12]))
    """

    def __init__(
        self,
        windows: Windows,
        indices: Array,
        labels: Array,
        scaler: SeriesScaler,
        images: Renderer | tuple[Store, Array],
        augmentation: SeriesAugmentation | None = None,
    ) -> None:
        self.windows = windows
        self.indices = indices
        self.labels = labels
        self.scaler = scaler
        self.images = images
        self.augmentation = augmentation
        self.buffers: ImageBuffers | None = None
        self._constant: torch.Tensor | None = None
        self._shared = SharedArrays(self._arrays())

    def with_images_in(self, buffers: ImageBuffers) -> Self:
        """The same windows, whose batches are made with float32 images in these buffers."""
        dataset = copy.copy(self)
        dataset.buffers = buffers
        return dataset

    def joined(self, other: Self) -> Self:
        """The windows of both, those of this one first.

        Raises:
            SplitError: the images of the two are not in one store.
        """
        images: Renderer | tuple[Store, Array] | None = None
        if isinstance(self.images, tuple) and isinstance(other.images, tuple):
            if self.images[0] is other.images[0]:
                images = self.images[0], np.concatenate([self.images[1], other.images[1]])
        elif isinstance(self.images, Renderer) and isinstance(other.images, Renderer):
            images = self.images
        if images is None:
            raise SplitError(
                "the images of the two splits were built one after the other and are not in one "
                "store; call close(), then setup('fit')"
            )
        twin = copy.copy(self)
        twin.indices = np.concatenate([self.indices, other.indices])
        twin.labels = np.concatenate([self.labels, other.labels])
        twin.images = images
        return twin

    def find_constant(self, rows: Array) -> None:
        """Take channels for constant, which gets no noise, that are so in these windows."""
        low, high = fit_bounds(self.windows, rows, self.windows.window_size)
        self._constant = torch.from_numpy(low == high)

    def without(self, rows: Array) -> Self:
        """The same but for these rows of ``windows``."""
        kept = ~np.isin(self.indices, rows)
        twin = copy.copy(self)
        twin.indices, twin.labels = self.indices[kept], self.labels[kept]
        if isinstance(self.images, tuple):
            twin.images = self.images[0], self.images[1][kept]
        return twin

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def shipped_bytes(self) -> int:
        """Bytes of a window as a loader worker ships it."""
        series = self.windows.n_channels * self.windows.window_size * 4
        if isinstance(self.images, Renderer):
            drawn_from = 2 * self.windows.n_channels * self.images.recipe.image_size * 4
        else:
            drawn_from = self.images[0].layout.row_bytes
        return series + drawn_from + self.labels.itemsize

    def __getitem__(self, index: int) -> Batch:
        """One window, decoded: gasf and gadf (C, S, S), series (C, T), label ()."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is outside {len(self)} windows")
        batch = to_images(self._gathered([index]), self.buffers or ImageBuffers())
        return Batch(*(tensor[0] for tensor in batch))

    def __getitems__(self, indices: list[int]) -> AnyBatch:
        """A whole batch: with images where there are buffers for them, else what they are made of.

        A loader worker makes no images: they would be copied into shared memory once more. In a
        loader of one's own `torch.utils.data.default_collate` makes them, see `mark`.
        """
        return mark(self._gathered(indices))

    def _gathered(self, indices: list[int]) -> AnyBatch:
        chosen = np.asarray(indices, dtype=np.int64)
        rows = self.indices[chosen]
        mean, std = self.scaler.mean, self.scaler.std
        label = torch.from_numpy(self.labels[chosen])
        buffers = self.buffers if get_worker_info() is None else None
        if isinstance(self.images, Renderer):
            if self.augmentation is None:
                angles = self.images.polar(self.windows, rows)
                series = torch.from_numpy(gather_series(self.windows, rows, mean, std))
            else:
                angles, series = self._augmented(self.images, self.augmentation, indices)
            polar = PolarBatch(torch.from_numpy(angles), series, label)
            return polar if buffers is None else to_images(polar, buffers)
        series = torch.from_numpy(gather_series(self.windows, rows, mean, std))
        store, store_rows = self.images
        picked = store_rows[chosen]
        if buffers is None:
            return StoredBatch(torch.from_numpy(store.array[picked]), series, label)
        return Batch(*read_rows(store.array, picked, buffers), series, label)

    def _augmented(
        self, renderer: Renderer, augmentation: SeriesAugmentation, indices: list[int]
    ) -> tuple[Array, torch.Tensor]:
        """Cosine and sine, and the series, of changed copies of these windows."""
        scaler, rows = self.scaler, self.indices[indices]
        keys = [
            (*index.key, int(row))
            for index, row in zip(indices, rows, strict=True)
            if isinstance(index, Turn)
        ]
        if self._constant is None:
            self.find_constant(self.indices)
        assert self._constant is not None
        own = torch.from_numpy(scaler.standardise(self.windows.take(rows)))
        # Noise is in deviations, and such a channel has none; its std of 1 only divides.
        series = torch.where(self._constant[:, None], own, augmentation(own, keys or None))
        changed = scaler.inverse_transform(series.numpy())
        if renderer.recipe.scaling == "none":
            np.clip(changed, -1.0, 1.0, out=changed)
        angles = renderer.polar(Windows.stacked(changed), np.arange(len(rows)))
        return angles, series.float()

    def _arrays(self) -> dict[str, Array]:
        """What is this split's own."""
        of_images = self.images.bounds if isinstance(self.images, Renderer) else self.images[1]
        arrays = {
            "indices": self.indices,
            "labels": self.labels,
            "mean": self.scaler.mean,
            "std": self.scaler.std,
            "images": of_images,
        }
        return {name: array for name, array in arrays.items() if array is not None}

    def __copy__(self) -> Self:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)  # not through __getstate__, which takes memory
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """Handles in place of arrays.

        Raises:
            HandleError: the store is in private memory, or closed.
            StoreFullError: no place takes the arrays.
        """
        state = dict(self.__dict__)
        for name in ("indices", "labels", "scaler"):
            del state[name]
        if isinstance(self.images, Renderer):
            state["images"] = self.images.recipe
        else:
            state["images"] = self.images[0]
            _ = self.images[0].handle  # one that cannot be sent is refused before memory is taken
        if not self._shared.holds(arrays := self._arrays()):  # changed since they were sent
            self._shared = SharedArrays(arrays)
        state["_shared"] = self._shared
        state["windows"] = share_windows(self.windows), self.windows.window_size
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        shared, window_size = state["windows"]
        self.windows = Windows(shared.arrays["flat"], shared.arrays["starts"], window_size)
        _shared_windows[self.windows] = shared  # in case that it is sent on
        own = self._shared.arrays
        self.indices, self.labels = own["indices"], own["labels"]
        self.scaler = SeriesScaler(own["mean"], own["std"])
        if isinstance(images := state["images"], ImagingRecipe):
            self.images = Renderer(images, window_size, own.get("images"))
        else:
            self.images = images, own["images"]


def share_windows(windows: Windows) -> SharedArrays:
    """The arrays of these windows as they are pickled: once for all that refer to them."""
    shared = _shared_windows.get(windows)
    if shared is None:
        shared = SharedArrays({"flat": windows.flat, "starts": windows.starts})
        _shared_windows[windows] = shared
    return shared
