"""Bytes of the files, and CPU time of a call: not the clock's, as other programs do not count."""

import contextlib
import io
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor

import dualgaf
from benchmarks.accuracy.tables import data_folder
from dualgaf.cli import main as command
from dualgaf.inference.onnx_file import INPUT

BATCHES = (1, 16, 64)
REPEATS = 15
STARTS = 5


def trained(folder: Path) -> None:
    """``model.ckpt``, ``model.pt2`` and ``model.onnx`` of a network of NATOPS."""
    data = dualgaf.DualGAFDataModule(dualgaf.ArchiveSource("NATOPS", root=data_folder()))
    net = dualgaf.DualGAFNet(data.n_channels, data.num_classes)
    quiet = dict.fromkeys(
        ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    trainer = L.Trainer(max_steps=1, limit_val_batches=0, accelerator="cpu", **quiet)
    trainer.fit(dualgaf.DualGAFClassifier(net, class_names=data.class_names), datamodule=data)
    trainer.save_checkpoint(folder / "model.ckpt")
    data.setup("test")
    rows = data.windows.indices["test"][: max(BATCHES)]
    np.save(folder / "x.npy", data.windows.windows.take(rows).astype(np.float64))
    for ending in ("pt2", "onnx"):
        with contextlib.redirect_stdout(io.StringIO()):
            typed = [str(folder / "model.ckpt"), "--output", str(folder / f"model.{ending}")]
            assert command(["export", *typed]) == 0


def speeds(folder: Path) -> Iterator[str]:
    """A row a way to judge."""
    torch.set_num_threads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options)
    program = torch.export.load(folder / "model.pt2").module()
    calls: dict[str, Callable[[np.ndarray], Any]] = {
        f"`dualgaf.load(model.{ending}).predict`": dualgaf.load(folder / f"model.{ending}").predict
        for ending in ("ckpt", "pt2", "onnx")
    }

    def torch_alone(x: np.ndarray) -> Tensor:
        with torch.inference_mode():
            return program(torch.from_numpy(x))

    calls["`model.pt2`, torch alone"] = torch_alone
    calls["`model.onnx`, onnxruntime alone"] = lambda x: session.run(None, {INPUT: x})
    x = np.load(folder / "x.npy")
    taken: dict[tuple[str, int], list[float]] = {}
    for _ in range(REPEATS + 1):  # in turn; the first warms up
        for name, call in calls.items():
            for n in BATCHES:
                begun = time.process_time()
                call(x[:n])
                taken.setdefault((name, n), []).append(time.process_time() - begun)
    for name in calls:
        times = [statistics.median(taken[name, n][1:]) * 1e3 for n in BATCHES]
        yield f"| {name} | {' | '.join(f'{each:.1f}' for each in times)} |"


FIRST = "import sys, numpy, dualgaf; dualgaf.load(sys.argv[1]).predict(numpy.load(sys.argv[2])[0])"


def starts(folder: Path) -> Iterator[str]:
    """A row a format: bytes, and CPU seconds of a Python that judges one window."""
    for ending in ("ckpt", "pt2", "onnx"):
        file, taken = folder / f"model.{ending}", []
        for _ in range(STARTS + 1):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            typed = [sys.executable, "-c", FIRST, str(file), str(folder / "x.npy")]
            subprocess.run(typed, check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        size = file.stat().st_size / 1e6
        yield f"| `model.{ending}` | {size:.1f} MB | {statistics.median(taken[1:]):.2f} |"


def int8(folder: Path) -> Iterator[str]:
    """A row a kind of numbers: CPU time and what it is off by, on weights of int8."""
    if not (folder / "model.onnx").exists():
        trained(folder)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    kinds: dict[str, list[str]] = {
        "float32": [],
        "int8 in matrix products": ["MatMul", "Gemm"],
        "int8 in convolutions, too": ["MatMul", "Gemm", "Conv"],
    }
    x, taken, found, sessions = np.load(folder / "x.npy"), {}, {}, {}
    for name, kept in kinds.items():
        file = folder / "model.onnx"
        if kept:
            # convolutions on the CPU take uint8 alone
            weights = QuantType.QUInt8 if "Conv" in kept else QuantType.QInt8
            file = folder / f"int8-{len(kept)}.onnx"
            quantize_dynamic(
                folder / "model.onnx", file, op_types_to_quantize=kept, weight_type=weights
            )
        sessions[name] = onnxruntime.InferenceSession(file, options)
        found[name] = sessions[name].run(None, {INPUT: x})[0]
    for _ in range(REPEATS + 1):
        for name, session in sessions.items():
            for n in BATCHES:
                begun = time.process_time()
                session.run(None, {INPUT: x[:n]})
                taken.setdefault((name, n), []).append(time.process_time() - begun)
    for name in kinds:
        times = [statistics.median(taken[name, n][1:]) * 1e3 for n in BATCHES]
        off = abs(found[name] - found["float32"]).max()
        yield f"| {name} | {' | '.join(f'{each:.1f}' for each in times)} | {off:.0e} |"


def speed(folder: Path) -> Iterator[str]:
    """Rows of a network of NATOPS: those of `starts`, an empty one, those of `speeds`."""
    trained(folder)
    yield from starts(folder)
    yield ""
    yield from speeds(folder)
