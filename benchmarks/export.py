"""Write docs/export.md: `python -m benchmarks.export` (about ten minutes on two cores).

1. Networks that together have every part of ``conf/model`` are exported, and onnxruntime is
   compared with the network: each is one row.
2. Extractors with operations that ONNX has no translation for are exported, too: what is said.
3. A network of NATOPS, trained for a step, is exported in each format: bytes, and CPU time of a
   call. CPU time, not that of the clock, so that other programs do not count.
"""

import argparse
import contextlib
import io
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn
from torch.nn import functional as F

import dualgaf
from benchmarks.accuracy.tables import data_folder
from benchmarks.made import made, made_lines
from dualgaf.cli import main as command
from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.errors import ConfigError
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.inference.export import RawWindowClassifier
from dualgaf.inference.onnx_file import INPUT, OPSET, OPSETS, TOLERANCE, export_onnx
from dualgaf.models.extractors import EXTRACTORS
from dualgaf.models.net import CHOICES, DualGAFNet

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "export.md"
KEPT = ROOT / "runs" / "export"
"""Rows of each step, so that one can be measured anew."""
PARTS = ("extractor", "fusion", "attention", "head", "statistics", "statistics_fusion")
COMPARED = (1, 16, 40)
MISSING = "not measured yet"
C, T, K, SIDE = 3, 24, 3, 12
IMAGINGS = (
    ("window", (-1.0, 1.0)),
    ("window", (0.0, 1.0)),
    ("train", (-1.0, 1.0)),
    ("train", (0.0, 1.0)),
    ("none", (-1.0, 1.0)),
)
BATCHES = (1, 16, 64)
REPEATS = 15
STARTS = 5


def networks() -> list[dict[str, Any]]:
    """Options of networks that together have every part; each part is in one row at least."""
    columns = [list(EXTRACTORS), *(list(CHOICES[part]) for part in PARTS[1:])]
    found: list[dict[str, Any]] = []
    for k, row in enumerate(zip_longest(*columns)):
        chosen = [part or columns[i][k % len(columns[i])] for i, part in enumerate(row)]
        arrangement = ("per_signal", "stacked")[k % 4 == 3]
        found.append({**dict(zip(PARTS, chosen, strict=True)), "arrangement": arrangement})
    default = dict.fromkeys(("extractor", "fusion"), "auto")
    groups = {"groups": {"a": {"channels": [2, 0]}}}
    return [*found, default, {**default, "fields": "gasf"}, {**default, **groups}]


def state_of(scaling: str, feature_range: tuple[float, float]) -> ImagingState:
    """An imaging of that kind, of signals of various sizes."""
    is_plain = scaling == "none"
    mean = np.zeros(C) if is_plain else np.array([1e10, 0.0, -3.0])
    std = np.ones(C) if is_plain else np.array([12.0, 0.5, 1e3])
    bounds = np.stack([mean - 1.5 * std, mean + 1.5 * std]) if scaling == "train" else None
    recipe = ImagingRecipe(SIDE, scaling=scaling, feature_range=feature_range)
    names = tuple(f"c{k}" for k in range(C))
    return ImagingState(recipe, T, bounds, SeriesScaler(mean, std), names, tuple("abc"), "")


def built(options: dict[str, Any]) -> DualGAFNet:
    """A network with weights that are no zeros; branches that are learned apart are fitted."""
    torch.manual_seed(0)
    net = DualGAFNet(C, K, width=8, **options).eval()
    for branch in net.apart.values():
        branch.fit(torch.randn(24, C, T), torch.arange(24) % K)
    return net


def farthest(content: Path, net: nn.Module, state: ImagingState) -> float:
    """The most that a probability of onnxruntime is off, over all batches."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    mean, std = state.scaler.mean[:, None], state.scaler.std[:, None]
    off = 0.0
    for n in COMPARED:
        noise = np.random.default_rng(n).uniform(-1, 1, size=(n, C, T))
        windows = noise if state.recipe.scaling == "none" else mean + 2 * std * noise
        if n > 1:
            windows[1, 0, 3], windows[2, 1, 4] = np.nan, np.inf
        with torch.no_grad():
            wanted = RawWindowClassifier(net, state).eval()(torch.from_numpy(windows)).numpy()
        (got,) = session.run(None, {INPUT: windows})
        assert (np.isnan(got) == np.isnan(wanted)).all()
        off = max(off, float(np.nanmax(abs(got - wanted))))
    return off


def exported(folder: Path) -> Iterator[str]:
    """A row of the table a network."""
    for k, options in enumerate(networks()):
        yield row_of(k, options, folder)


def row_of(k: int, options: dict[str, Any], folder: Path) -> str:
    """The row of the k-th network."""
    scaling, feature_range = IMAGINGS[k % len(IMAGINGS)]
    state, file = state_of(scaling, feature_range), folder / f"{k}.onnx"
    net = built(
        {"use_minirocket": False, "use_forest": False, **options}
        if k < len(EXTRACTORS)
        else options
    )
    try:
        export_onnx(net, state, file)
        off = f"{farthest(file, net, state):.0e}"
    except ConfigError as error:
        off = f"refused: {error}"
    told = net.settings
    others = [] if told["fields"] == "both" else [f"fields={told['fields']}"]
    others += ["groups"] if told["groups"] else []
    others += net.apart
    ends = f"[{feature_range[0]:g}, {feature_range[1]:g}]"
    parts = [f"{told[part]}" for part in (*PARTS, "arrangement")]
    cells = [*parts, ", ".join(others), f"{scaling} {ends}", off]
    print(*cells, sep=" | ", flush=True)
    return f"| {' | '.join(cells)} |"


class Own(nn.Module):
    """An extractor of one's own: (N, C, S, S) -> (N, C)."""

    operation: Callable[[Tensor], Tensor]

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(in_channels))

    def forward(self, images: Tensor) -> Tensor:
        found = type(self).operation(images)
        return found.reshape(*images.shape[:2], -1).mean(dim=-1) * self.weight


OPERATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "torch.cdist": lambda x: torch.cdist(x, x),
    "Tensor.median": lambda x: x.median(dim=-1).values,
    "torch.quantile": lambda x: x.quantile(0.5, dim=-1),
    "torch.linalg.lstsq": lambda x: torch.linalg.lstsq(x + torch.eye(x.shape[-1]), x).solution,
    "F.adaptive_max_pool1d to a side that does not divide": lambda x: F.adaptive_max_pool1d(
        x.flatten(0, 1), 5
    ),
    "F.scaled_dot_product_attention of three axes": lambda x: F.scaled_dot_product_attention(
        x.flatten(0, 1), x.flatten(0, 1), x.flatten(0, 1)
    ),
}


def refused(folder: Path) -> Iterator[str]:
    """A row an operation."""
    for name, operation in OPERATIONS.items():
        kind = type("Own", (Own,), {"operation": staticmethod(operation)})
        net = DualGAFNet(
            C, K, width=8, extractor=kind, fusion="add", use_minirocket=False, use_forest=False
        ).eval()
        state = state_of("window", (-1.0, 1.0))
        try:
            export_onnx(net, state, folder / "own.onnx")
            said = f"exported, off by {farthest(folder / 'own.onnx', net, state):.0e}"
        except ConfigError as error:
            said = f"refused: {error}"
        print(name, said, sep=" | ", flush=True)
        yield f"| `{name}` | {said} |"


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


STEPS: dict[str, Callable[[Path], Iterator[str]]] = {
    "networks": exported,
    "own": refused,
    "speed": speed,
    "int8": int8,
}


def page(found: dict[str, list[str]]) -> str:
    """The text of docs/export.md."""
    rows = {name: "\n".join(lines) for name, lines in found.items()}
    starts, _, speeds = rows["speed"].partition("\n\n")
    speeds = speeds or starts  # the line that says that nothing was measured
    return TEXT.format(
        opset=OPSET,
        opsets=f"{OPSETS[0]} to {OPSETS[-1]}",
        tolerance=f"{TOLERANCE:.0e}",
        repeats=REPEATS,
        batches=", ".join(map(str, COMPARED[:-1])) + f" and {COMPARED[-1]}",
        networks=rows["networks"],
        verdict=""
        if any(word in rows["networks"] for word in ("refused", MISSING))
        else "Nothing of `conf/model` is refused. ",
        own=rows["own"],
        starts=starts,
        int8=rows["int8"],
        speeds=speeds,
        columns=" | ".join(f"{n} windows" for n in BATCHES),
        made=made_lines(json.loads(file.read_text()) for file in sorted(KEPT.glob("*.json"))),
        versions=f"torch {torch.__version__.partition('+')[0]}, onnxruntime "
        f"{onnxruntime.__version__}",
    )


TEXT = """\
# The trained network elsewhere

Made by `python -m benchmarks.export`; no number here is typed by hand.

```bash
python -m dualgaf export RUN/checkpoints/best.ckpt --output model.pt2   # a program of torch
python -m dualgaf export RUN/checkpoints/best.ckpt --output model.onnx  # pip install "dualgaf[onnx]"
```

Both take raw windows (B, C, T) float64, any number of them, and give probabilities (B, K): the
imaging is inside. dualgaf is needed for neither, and for `model.onnx` no torch:

```python
import onnxruntime

classify = onnxruntime.InferenceSession("model.onnx")
(probabilities,) = classify.run(None, {{"windows": windows}})
```

With dualgaf, `dualgaf.load("model.onnx")` and `dualgaf.load("model.pt2")` give what `dualgaf.load`
gives of a checkpoint: channels are found by name, tables are cut as in the training, and windows
that are unlike the training are told. `python -m dualgaf predict model.onnx --data week.csv` works,
too. For an `.onnx` torch is not loaded.

What a file says of itself is JSON: the property `dualgaf.json` of an `.onnx`
(`classify.get_modelmeta().custom_metadata_map["dualgaf.json"]`), the extra file of that name in a
`.pt2`. `class_names` are in the order of the probabilities, `channel_names` in that of the
channels; `window_size` is T, `step` the time between two rows, in what `clock` says.

An `.onnx` has opset {opset} and ONNX IR version 10; `--opset` takes {opsets}. The input is called
`windows`, the output `probabilities`, the axis of any length `batch`. Before it is written,
onnxruntime judges windows beside the network; where a probability is off by more than {tolerance},
or a NaN is elsewhere, nothing is written.

## What a window may be

| what is given | `.pt2` | `.onnx` |
|---|---|---|
| float64 | judged | judged |
| whole numbers | made float64 first | refused by onnxruntime: give `windows.astype("float64")` |
| float32 | refused, with what to type; taken where the training was on float32 | refused by onnxruntime |
| a NaN, an infinity, what training could not draw | NaN as each probability of that window; the others are judged | likewise |
| other channels or steps | refused with the axis and the length that is needed | likewise |
| no window at all | no probability at all | likewise |
| inside `torch.autocast` | judged as outside of it | |

`dualgaf.load(FILE).predict` takes what it takes for a checkpoint, and refuses what it refuses.
A window that cannot be drawn is an error there.

Pixels are drawn and never stored, so that none is rounded: where training stored uint8, a pixel is
off by up to 3.9e-3 from the one of the training, as it is with `datamodule.storage=float32`.

A `.pt2` is a program: load those of your own. A checkpoint and an `.onnx` run no code of theirs.

## What can be exported

Each row is a network; together they have every part of `conf/model`. *Off by* is the most that a
probability of onnxruntime differs from that of the network, in batches of {batches} windows, some
with a NaN or an infinity ({versions}).

| extractor | fusion | attention | head | statistics | statistics_fusion | arrangement | with | scaling, range | off by |
|---|---|---|---|---|---|---|---|---|---|
{networks}

{verdict}An extractor of your own may hold what ONNX has no translation
for; it is refused by its name:

| operation | what is said |
|---|---|
{own}

## Size and speed

A network of NATOPS (24 channels, 51 steps), all defaults. *First window*: CPU seconds from the
start of Python until `dualgaf.load(FILE).predict` has judged one window, all imports included.

| file | size | first window |
|---|---:|---:|
{starts}

CPU milliseconds of a call, one thread, median of {repeats} in turn:

| | {columns} |
|---|---:|---:|---:|
{speeds}

`predict` also compares each window with the training.

`export` has no option for weights of int8: it would be one where they were faster. CPU milliseconds
of `model.onnx` as above, with weights of `onnxruntime.quantization.quantize_dynamic`, and how far
probabilities move:

| | {columns} | off by |
|---|---:|---:|---:|---:|
{int8}

## Behind HTTP

[serve.py](serve.py) is a server of LitServe: windows that come within 10 ms are judged together.

```bash
pip install "dualgaf[onnx,serve]"
python docs/serve.py model.onnx 8000
curl 127.0.0.1:8000/predict -H 'Content-Type: application/json' -d '{{"window": [[...], ...]}}'
```

The answer has the probability of each class by its name. A request with another number of rows or
columns, without JSON, with a NaN or with numbers that the training could not have drawn gets status
422 and says why; the others of its batch get their answers. What LitServe 0.2.19 leaves to do, and
the file does:

- an exception while a request is decoded, or while an answer is written, goes to others of the
  batch, so shapes are checked before it (`Window`), and what is found later is an answer of its own
  with status 422 (`encode_response`);
- SIGTERM ends the first process alone, and the others go on answering: `stop` ends them as Ctrl-C
  does.

## Where and when

{made}
"""  # noqa: E501


def main() -> None:
    """Measure, and write the page of what was measured now and before."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="*", help=f"{', '.join(STEPS)}; all when left out")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    KEPT.mkdir(parents=True, exist_ok=True)
    for name in options.steps or STEPS:
        with tempfile.TemporaryDirectory() as folder:
            rows = "\n".join(STEPS[name](Path(folder)))
        (KEPT / f"{name}.md").write_text(rows)
        (KEPT / f"{name}.json").write_text(json.dumps(made()))
    PAGE.write_text(page({name: kept_rows(name) for name in STEPS}))


def kept_rows(name: str) -> list[str]:
    """Rows of a step, of now or before."""
    file = KEPT / f"{name}.md"
    if file.exists():
        return file.read_text().split("\n")
    return [f"| {MISSING}: `python -m benchmarks.export {name}` |"]


if __name__ == "__main__":
    main()
