"""`export_onnx`: a trained network with its imaging as an ONNX file, for machines without torch.

1. The program of `dualgaf.inference.export` is translated by torch's own exporter.
2. What the file says of the machine that wrote it (places of source lines, notes at each node) is
   taken out; what `dualgaf.inference.metadata` says of the network is put in.
3. onnxruntime runs it beside the network, on windows as those of the training, and on some with a
   NaN or an infinity. Only a file that gives the same is written.

To use it, onnxruntime and NumPy are enough:

    import onnxruntime
    classify = onnxruntime.InferenceSession("model.onnx")
    (probabilities,) = classify.run(None, {"windows": windows})  # (B, C, T) float64 -> (B, K)

A window that cannot be judged gets NaN as each of its probabilities, as in a program of torch: the
graph looks at the rows itself, because least and largest values of onnxruntime pass over NaN.
"""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from dualgaf.data.imaging_state import ImagingState
from dualgaf.errors import ConfigError
from dualgaf.inference.export import RawWindowClassifier, traced
from dualgaf.inference.exported import installed
from dualgaf.inference.metadata import ABOUT, about_text
from dualgaf.models.eval_mode import eval_mode
from dualgaf.system.whole_file import whole_file

Array = npt.NDArray[Any]

OPSET = 20
"""Version of ONNX's operators that torch's exporter is made for."""
OPSETS = range(18, 24)
"""Those that it writes a valid file for; an older one is another, or a file that nothing reads."""
INPUT, OUTPUT, BATCH = "windows", "probabilities", "batch"
"""Names in the file: of what it takes, of what it gives, and of the axis that has any length."""
TOLERANCE = 1e-5
"""Probabilities may differ by so much from those of the network."""
COMPARED = (1, 16)
"""Batches that are compared before a file is written."""


def export_onnx(net: nn.Module, state: ImagingState, path: Path, opset: int = OPSET) -> int:
    """Write a network with its imaging as ONNX.

    Args:
        net: the trained network, ``classifier.net``, on the CPU. It is left as it was.
        state: the imaging that it was trained with, `Checkpoint.imaging`.
        path: the ``.onnx`` file to write; it is there whole, or as it was.
        opset: version of the operators, one of `OPSETS`.

    Returns:
        The version of ONNX's own format, ``ir_version``.

    Raises:
        ConfigError: the opset is none of them, a package is not installed, ONNX has no
            translation for an operation of the network, or what it computes is something else.
        OSError: the file cannot be written.
    """
    if opset not in OPSETS:
        raise ConfigError(
            f"--opset {opset} is not allowed; allowed: {OPSETS[0]} to {OPSETS[-1]}; type --opset "
            f"{OPSETS[0] if opset < OPSETS[0] else OPSETS[-1]}"
        )
    for name in ("onnx", "onnxscript"):
        installed(name)
    runtime = installed("onnxruntime")
    model = _translated(net, state, opset)
    content = bytes(model.SerializeToString())
    _compare(runtime, content, net, state, path)
    with whole_file(path) as draft:
        draft.write_bytes(content)
    return int(model.ir_version)


def _translated(net: nn.Module, state: ImagingState, opset: int) -> Any:
    program = traced(net, state)
    try:
        with _quiet():
            found = torch.onnx.export(
                program,
                (),
                dynamo=True,
                verbose=False,
                opset_version=opset,
                input_names=[INPUT],
                output_names=[OUTPUT],
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise ConfigError(_untranslated(error)) from error
    assert found is not None
    model = found.model_proto
    versions = {each.domain: each.version for each in model.opset_import}
    if versions.get("") != opset:
        raise ConfigError(
            f"--opset {opset} became {versions.get('')} for this network; type --opset {OPSET}"
        )
    _clean(model, state)
    return model


def _untranslated(error: BaseException) -> str:
    texts = []
    inner: BaseException | None = error
    while inner is not None:
        texts.append(str(inner))
        inner = inner.__cause__
    names = re.findall(r"aten[.:]+(\w+)", "\n".join(reversed(texts)))
    what = f"ONNX has no translation for the operation {names[0]} of the network"
    if not names:
        what = f"torch cannot write the network as ONNX: {texts[-1].strip().splitlines()[0]}"
    return f"{what}; write it another way in an extractor of your own, or type --output model.pt2"


def _clean(model: Any, state: ImagingState) -> None:
    """Leave out what is of this machine, and say what the file takes and gives."""
    graph = model.graph
    for part in (*graph.node, *graph.input, *graph.output, *graph.initializer, graph, model):
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.value_info[:]  # onnxruntime finds shapes itself
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = BATCH
    graph.name = "dualgaf"
    entry = model.metadata_props.add()
    entry.key, entry.value = ABOUT, about_text(state)


def _compare(
    runtime: ModuleType, content: bytes, net: nn.Module, state: ImagingState, path: Path
) -> None:
    """Refuse a file that gives something else than the network."""
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    windows = _like_training(state, max(COMPARED))
    with eval_mode(net), torch.no_grad():
        classify = RawWindowClassifier(net, state).eval()
        for n in COMPARED:
            wanted = classify(torch.from_numpy(windows[:n])).numpy()
            (got,) = session.run([OUTPUT], {INPUT: windows[:n]})
            if not np.allclose(got, wanted, rtol=0, atol=TOLERANCE, equal_nan=True):
                off = "NaN where it has none"
                if (np.isnan(got) == np.isnan(wanted)).all():
                    off = f"off by {np.nanmax(abs(got - wanted)):.2g}"
                raise ConfigError(
                    f"{path} would not give what the network gives: probabilities are {off}; the "
                    "file is not written; type --output model.pt2"
                )


def _like_training(state: ImagingState, n: int) -> Array:
    """(n, C, T) windows about the means of the training, the last three not usable."""
    shape = (n, len(state.channel_names), state.window_size)
    noise = np.random.default_rng(0).uniform(-1, 1, size=shape)
    mean, std = (own[:, None].astype(np.float64) for own in (state.scaler.mean, state.scaler.std))
    windows = noise if state.recipe.scaling == "none" else mean + std * noise
    windows[-3, 0, 0], windows[-2, -1, 0], windows[-1, 0, -1] = np.nan, np.inf, -np.inf
    return windows


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch says of itself, and of packages that these networks do not need."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # torch copies a part of its own in a way that it deprecates
            warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
            yield
    finally:
        logger.setLevel(level)
