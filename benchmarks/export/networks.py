"""A row a network: onnxruntime beside the network that was exported."""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.errors import ConfigError
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.inference.export import RawWindowClassifier
from dualgaf.inference.onnx_file import INPUT, export_onnx
from dualgaf.models.extractors import EXTRACTORS
from dualgaf.models.net import CHOICES, DualGAFNet

PARTS = ("extractor", "fusion", "attention", "head", "statistics", "statistics_fusion")
COMPARED = (1, 16, 40)
"""Windows of a batch."""
C, T, K, SIDE = 3, 24, 3, 12
IMAGINGS = (
    ("window", (-1.0, 1.0)),
    ("window", (0.0, 1.0)),
    ("train", (-1.0, 1.0)),
    ("train", (0.0, 1.0)),
    ("none", (-1.0, 1.0)),
)


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
