"""Small windows, recipes and fill jobs that the tests of store, pool and build share."""

from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.imaging.bounds import fit_bounds
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.pool.fill import FillJob
from dualgaf.pool.settings import PoolSettings
from dualgaf.store.backing import open_writer
from dualgaf.store.layout import StoreLayout
from dualgaf.store.writer import StoreWriter

Array = npt.NDArray[Any]


def windows_of(n: int = 60, channels: int = 2, steps: int = 16, seed: int = 0) -> Windows:
    """Overlapping windows of a random walk."""
    rng = np.random.default_rng(seed)
    flat = rng.normal(size=(channels, n + steps)).cumsum(axis=1)
    return Windows(flat, np.arange(n, dtype=np.int64), steps)


def bounds_of(windows: Windows, recipe: ImagingRecipe) -> Array | None:
    """Fitted bounds where the recipe needs them."""
    rows = np.arange(len(windows))
    return fit_bounds(windows, rows, recipe.image_size) if recipe.scaling == "train" else None


def layout_of(windows: Windows, recipe: ImagingRecipe) -> StoreLayout:
    return StoreLayout(len(windows), recipe.row_shape(windows.n_channels), recipe.storage)


def images_of(windows: Windows, recipe: ImagingRecipe) -> Array:
    """The images by a single call of the renderer: what every backend must reproduce."""
    out = np.empty((len(windows), *recipe.row_shape(windows.n_channels)), dtype=recipe.dtype)
    renderer = Renderer(recipe, windows.window_size, bounds_of(windows, recipe))
    renderer.render(windows, 0, len(windows), out)
    return out


def job_of(
    windows: Windows,
    recipe: ImagingRecipe,
    backend: str,
    *,
    writer: StoreWriter | None = None,
    workers: int = 2,
    **settings: Any,
) -> FillJob:
    """A job that fills a new store in shared memory in chunks of 7 windows."""
    return FillJob(
        writer=writer or open_writer(layout_of(windows, recipe), ["memfd"], workers=workers),
        windows=windows,
        recipe=recipe,
        bounds=bounds_of(windows, recipe),
        settings=PoolSettings(**{"chunk_size": 7, **settings}),
        workers=workers,
        backend=backend,
    )
