"""What a file that was exported says of itself: one JSON text, in `.pt2` and `.onnx` alike.

It holds what a checkpoint knows of its data, so that `dualgaf.load` makes the same of each of the
three, and what a program in another language needs: names, shapes, and the sampling step. It is
strict JSON: a number that is not finite is the text ``nan``, ``inf`` or ``-inf``.
"""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from dualgaf import __version__
from dualgaf.data.imaging_state import ImagingState
from dualgaf.errors import ConfigError
from dualgaf.plain import plain

ABOUT = "dualgaf.json"
"""Name of the text: of the extra file of a ``.pt2``, and of the property of an ``.onnx``."""


def about(state: ImagingState) -> dict[str, Any]:
    """What a program of this imaging takes and gives, and all that a checkpoint says of its data.

    Args:
        state: of the checkpoint.

    Returns:
        Plain values. ``step`` is the sampling step in what ``clock`` says, ``seconds`` or
        ``number``; both are None where the training had no times.
    """
    raw = "raw windows"
    if state.plants is not None:
        raw += ", of each value (value - mean) / std of its channel and its plant, see plants"
    facts = state.facts
    return {
        # A program gives probabilities alone, not what its kernels count.
        **plain(replace(state, novelty=None).to_plain()),
        "step": None if facts is None else facts.step,
        "clock": None if facts is None else facts.clock,
        "takes": f"(B, {len(state.channel_names)}, {state.window_size}) float64, {raw}",
        "gives": f"(B, {len(state.class_names)}) float32, probabilities",
    }


def about_text(state: ImagingState) -> str:
    """`about` as JSON."""
    return json.dumps(_finite(about(state)), indent=2, allow_nan=False)


def state_of(text: str | None, path: Path) -> ImagingState:
    """The inverse of `about_text`.

    Args:
        text: what the file has under `ABOUT`; None = nothing.
        path: the file, for messages.

    Raises:
        ConfigError: there is no such text, or another version wrote it and it cannot be read.

    Example:
        >>> state_of(None, Path("model.onnx"))
        Traceback (most recent call last):
        ...
        dualgaf.errors.ConfigError: model.onnx does not say what it takes: it has no 'dualgaf.json', which python -m dualgaf export writes; type python -m dualgaf export RUN/checkpoints/best.ckpt --output model.onnx
    """  # noqa: E501
    again = f"type python -m dualgaf export RUN/checkpoints/best.ckpt --output {path}"
    if not text:
        raise ConfigError(
            f"{path} does not say what it takes: it has no {ABOUT!r}, which python -m dualgaf "
            f"export writes; {again}"
        )
    version = None
    try:
        told = json.loads(text)
        version = told["version"]
        return ImagingState.from_plain(told)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = " ".join((str(error) or repr(error)).split())
        if version in (None, __version__):
            raise ConfigError(
                f"what {path} says of itself cannot be read: {why}; {again}"
            ) from error
        raise ConfigError(
            f"{path} was written by dualgaf {version}, and this is {__version__}, which cannot "
            f"use it: {why}; type pip install dualgaf=={version}, or {again}"
        ) from error


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
