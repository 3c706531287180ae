"""Windows in memory that a trained network has not seen.

It loads neither torch nor a reader of tables, so that a network that was exported judges an array
half a second after Python was started.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.data.imaging_state import ImagingState
from dualgaf.errors import ConfigError, OtherDataError, SeriesError
from dualgaf.given import as_numbers
from dualgaf.imaging.windows import Windows
from dualgaf.series.doors import ARRAYS
from dualgaf.series.missing import in_long_holes, repair_nan
from dualgaf.series.series import SeriesSet

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class NewWindows:
    """Windows to be judged, in the order of their source."""

    windows: Windows
    """N windows of T steps."""
    known: Mapping[str, Any]
    """Fields of `Prediction` that are known."""
    units: Mapping[str, str]
    """Unit of a channel, where the files tell."""
    is_part: bool = False
    """Whether windows before them were judged apart, so that nothing tells since when one is
    unlike."""


def read_array(x: Any, trained: ImagingState, typed: Mapping[str, Any]) -> NewWindows:
    """Windows in memory, channels in the order of the training.

    Args:
        x: (N, C, T), or (C, T) for one window.
        trained: of the checkpoint.
        typed: ``nan``, as for `ArraySource`.

    Raises:
        OtherDataError: the channels or the steps are others.
        SeriesError: it is no such array, or a value is missing: any, or more of them in a row than
            training has filled.
    """
    if trained.plants is not None:
        raise OtherDataError(
            "the network was trained with data.scale_by=plant, and an array does not say which "
            "plant a window is of; give a frame with the column of plants"
        )
    array = as_numbers(x, "x")
    if array.ndim == 2:
        array = array[None]
    wanted = (len(trained.channel_names), trained.window_size)
    if array.ndim != 3 or array.shape[1:] != wanted or not len(array):
        turned = array.ndim == 3 and array.shape[:0:-1] == wanted
        how = "type x.swapaxes(1, 2)" if turned else "type x[:, :, :T] where it has more steps"
        raise OtherDataError(
            f"x has shape {np.shape(x)}; the network has learned windows of (C, T) = {wanted}, "
            f"channels {', '.join(trained.channel_names)}; give (N, {wanted[0]}, {wanted[1]}), or "
            f"one window; {how}"
        )
    others = sorted(set(typed) - {"nan"})
    if others:
        raise ConfigError(
            f"{others[0]} is for tables and frames; allowed for arrays: nan; leave it out"
        )
    learned = {} if trained.facts is None else trained.facts.source
    policy, limit = typed.get("nan", learned.get("nan", "error")), learned.get("fill_limit")
    if "nan" not in typed and policy == "interpolate" and limit is not None:
        _check_holes(array, trained.channel_names, int(limit))
    series = repair_nan(SeriesSet.from_arrays(array, name="x"), str(policy), door=ARRAYS)
    flat = np.concatenate(series.values, axis=1).astype(trained.dtype, copy=False)
    starts = np.arange(len(series), dtype=np.int64) * wanted[1]
    return NewWindows(Windows(flat, starts, wanted[1]), {"window_size": wanted[1]}, {})


def _check_holes(array: Array, names: tuple[str, ...], limit: int) -> None:
    if np.isfinite(array).all():
        return
    for number, window in enumerate(array):
        for name, row in zip(names, window, strict=True):
            if in_long_holes(row[None], limit).any():
                raise SeriesError(
                    f"window {number}, channel {name!r}: more than {limit} values in a row are "
                    "missing, and the training has filled no longer hole (data.fill_limit); leave "
                    'the window out, or type nan="interpolate" to fill holes of any length'
                )
