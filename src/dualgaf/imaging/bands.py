"""`BandRenderer`: the pixels of a few diagonals, for a network that reads no others."""

from typing import Any

import numpy.typing as npt

from dualgaf.imaging.compiled import bands_kernel
from dualgaf.imaging.gaf import Renderer, raise_for
from dualgaf.imaging.packing import LEVELS
from dualgaf.imaging.threads import share_out
from dualgaf.imaging.windows import OK, Windows

Array = npt.NDArray[Any]


class BandRenderer(Renderer):
    """Draws diagonals of windows by one recipe; arguments are those of `Renderer`.

    Pixels are those of `Renderer.render`, read from a store by `gather`, to the last bit.
    """

    def bands(
        self,
        windows: Windows,
        rows: Array,
        lags: Array,
        centre: Array,
        scale: Array,
        out: Array,
        *,
        stored: bool = True,
        threads: int = 1,
    ) -> None:
        """Fill ``out`` with the pixels that are ``lags`` from the main diagonal, in order of time.

        Args:
            windows: N windows of T steps.
            rows: (B,) int64 windows to take.
            lags: (L,) int64, 0 and more.
            centre: (M,) float32, is taken from a pixel before it is multiplied by ``scale``.
            scale: (M,) float32.
            out: (B, 1, S, M) float32 with M = C * 2 * L for all channels side by side, or
                (B, C, S, M) with M = 2 * L; C-contiguous. At step t and lag j is the pixel
                (t - j // 2, t - j // 2 + j), first of the GASF, then of the GADF; 0 where there is
                no such pixel.
            stored: pixels are rounded as a store of the recipe holds them.
            threads: how many share the windows.

        Raises:
            SeriesError: as `render`.

        Example:
            >>> import numpy as np
            >>> from dualgaf.imaging.recipe import ImagingRecipe
            >>> recipe = ImagingRecipe(image_size=3, storage="float32")
            >>> windows = Windows(np.array([[0.0, 0.5, 1.0]]), np.array([0]), window_size=3)
            >>> out, lag = np.empty((1, 1, 3, 2), dtype=np.float32), np.array([1])
            >>> plain = np.zeros(2, np.float32), np.ones(2, np.float32)
            >>> BandRenderer(recipe, 3).bands(windows, np.array([0]), lag, *plain, out)
            >>> out[0, 0].tolist()  # cosines are -1, 0, 1, sines 0, 1, 0
            [[-0.0, 1.0], [0.0, 1.0], [0.0, 0.0]]
        """
        how = (*self._arguments(windows), _rounding(self.recipe.storage) if stored else None)
        found: list[tuple[int, int, int]] = []

        def work(part: slice) -> None:
            window, channel, status = bands_kernel().bands(
                windows.flat,
                windows.starts[rows[part]],
                self.window_size,
                *how,
                *(lags, centre, scale, out[part]),
            )
            if status != OK:
                found.append((part.start + window, channel, status))

        share_out(work, len(rows), threads)
        if found:
            raise_for(min(found), rows)


def _rounding(storage: str) -> float | None:
    """How many levels the kernel rounds to; 0 for those of float16, None for none."""
    levels = 0 if storage == "float16" else LEVELS.get(storage)
    return None if levels is None else float(levels)
