"""`ImageSettings`: what a DataModule is asked to draw, for how much memory, by whom.

Whatever can be checked before the data are read is checked here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dualgaf.data.augmentation import SeriesAugmentation
from dualgaf.errors import ConfigError, not_allowed
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.plan import BuildRequest, Images
from dualgaf.plan.preset import HardwarePreset
from dualgaf.pool.settings import PoolSettings
from dualgaf.store.cache import check_verify

AUTO_SIDE = 64
"""The largest side that ``image_size=auto`` takes: cost and memory grow with the square of it, and
on the training split of Epilepsy images of 207 pixels were no better (docs/design/0011)."""


@dataclass(frozen=True)
class ImageSettings:
    """What is drawn, and what it may take."""

    image_size: int | Literal["auto"] | None
    """S, side of the images; None is the length of a window; see also `side`."""
    drawing: dict[str, Any]
    """``scaling``, ``feature_range`` (also ``auto``), ``storage`` and ``layout`` of the recipe."""
    images: Images
    """``precompute``, ``on_device`` or ``auto``."""
    preset: HardwarePreset
    """Whose budget it is."""
    pool: PoolSettings
    """Who draws, and whether in shared memory."""
    cache_dir: Path | None
    """Folder that keeps images and windows for later runs."""
    cache_verify: str
    """What is looked at before images of the cache are used, ``size`` or ``full``."""
    augmentation: SeriesAugmentation | None = None
    """How training windows are changed before they are drawn."""

    def __post_init__(self) -> None:
        if self.augmentation is not None and self.images != "on_device":
            raise ConfigError(
                f"augmentation needs images that are drawn for each batch; images={self.images} "
                "keeps them; type images=on_device, or leave it at 0"
            )
        check_verify(self.cache_verify)
        # Checks them, but for what only the windows can tell.
        BuildRequest(1, 1, 2, self.recipe(self.side(2), 1), self.images)

    def side(self, window_size: int) -> int:
        """S, side of the images of windows of so many steps."""
        if self.image_size == "auto":
            return min(window_size, AUTO_SIDE)
        return window_size if self.image_size is None else self.image_size

    def recipe(self, image_size: int, n_channels: int) -> ImagingRecipe:
        """The recipe for windows of so many channels."""
        drawing, several = dict(self.drawing), n_channels > 1
        if drawing["scaling"] == "auto":
            drawing["scaling"] = "train" if several else "window"
        if drawing["feature_range"] == "auto":
            drawing["feature_range"] = (0.0, 1.0) if several else (-1.0, 1.0)
        return ImagingRecipe(image_size, **drawing)

    def to_plain(self) -> dict[str, Any]:
        """Plain values only, by the names that `DualGAFDataModule` gives them."""
        return {
            "image_size": self.image_size,
            **self.drawing,
            "images": self.images,
            "augmentation": vars(self.augmentation) if self.augmentation else None,
            "hardware": self.preset.name,
            "parallel": self.pool.to_json(),
            "cache_dir": None if self.cache_dir is None else str(self.cache_dir),
            "cache_verify": self.cache_verify,
        }


def pool_settings(
    parallel: Mapping[str, Any] | PoolSettings | None, preset: HardwarePreset
) -> PoolSettings:
    """What a user asked of the pool; the preset says what is left out.

    Raises:
        ConfigError: a key is not known, or a value is not allowed.
    """
    if isinstance(parallel, PoolSettings):
        return parallel
    own = {"n_jobs": preset.n_jobs, "chunk_size": preset.chunk_size}
    if not isinstance(parallel, Mapping | None):
        raise ConfigError(
            not_allowed(
                "parallel",
                parallel,
                "a mapping with keys of PoolSettings",
                "parallel.backend=thread",
            )
        )
    return PoolSettings.from_mapping({**own, **(parallel or {})})


def cache_folder(cache_dir: object) -> Path | None:
    """The folder that keeps the images.

    Raises:
        ConfigError: it is neither a path nor None.
    """
    if not isinstance(cache_dir, str | Path | None):
        raise ConfigError(
            not_allowed("cache.dir", cache_dir, "a folder, or null for none", "cache.dir=FOLDER")
        )
    return None if cache_dir is None else Path(cache_dir)


def need_source(checkpoint: object, settings: Mapping[str, Any]) -> None:
    """Raise ConfigError where settings, which a checkpoint completes, have no ``source``."""
    if "source" not in settings:
        raise ConfigError(
            f"{checkpoint} holds how images are drawn, and no data; type "
            "DualGAFDataModule.load_from_checkpoint(path, source=TableSource(FOLDER)), or "
            "source=ArraySource(train=(x, y))"
        )
