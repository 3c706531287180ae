"""A row an operation that ONNX has no translation for: what is said of an extractor with it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.export.networks import C, K, farthest, state_of
from dualgaf.errors import ConfigError
from dualgaf.inference.onnx_file import export_onnx
from dualgaf.models.net import DualGAFNet


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
