"""What leaves Python: `torch.export` with any batch size, `torch.compile` without a break, and a
trace of TorchScript, which torch itself gives up for the two. `torch.jit.script` reads none of
these networks: the shape check raises with values in its text, and parts are chosen from
dictionaries.
"""

from typing import Any

import pytest
import torch

from commit import first
from dualgaf.models.net import DualGAFNet

# Together these hold nearly every module of the package; one ResNet stands for its family.
NETWORKS: list[dict[str, Any]] = [
    {},
    {"extractor": "inception", "fusion": "bidirectional", "attention": "self"},
    {"extractor": "dilated", "fusion": "gated", "attention": "cbam", "head": "residual"},
    {"extractor": "multiscale", "fusion": "weighted_add", "statistics": "comprehensive"},
    {"extractor": "resnet18_gaf_light", "fields": "gasf", "statistics": "correlation_focused"},
    {"arrangement": "stacked", "fusion": "mul", "statistics_fusion": "gated"},
    {"groups": {"a": {"channels": [2, 0]}}, "statistics_fusion": "attention", "head": "simple"},
]


def windows(n: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(n)
    gasf, gadf = torch.rand(2, n, 3, 24, 24, generator=generator) * 2 - 1
    return gasf, gadf, torch.randn(n, 3, 24, generator=generator)


@pytest.mark.parametrize("options", first(NETWORKS, 2), ids=",".join)
def test_an_exported_network_takes_any_batch(options: dict[str, Any]) -> None:
    net = DualGAFNet(3, 4, width=8, **options).eval()
    batch = {0: torch.export.Dim("batch")}
    program = torch.export.export(net, windows(2), dynamic_shapes=(batch, batch, batch))
    with torch.no_grad():
        for n in (1, 5):
            torch.testing.assert_close(program.module()(*windows(n)), net(*windows(n)))


@pytest.mark.parametrize("options", first(NETWORKS, 2), ids=",".join)
def test_a_compiled_network_is_one_graph_and_trains(options: dict[str, Any]) -> None:
    # aot_eager captures forward and backward as inductor does, and needs no C++ compiler.
    torch.compiler.reset()
    net = DualGAFNet(3, 4, width=8, dropout=0.0, **options)
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*windows(4)), net(*windows(4)))
    compiled(*windows(4)).square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("options", first(NETWORKS, 2), ids=",".join)
def test_a_traced_network_takes_any_batch_of_its_image_size(options: dict[str, Any]) -> None:
    net = DualGAFNet(3, 4, width=8, **options).eval()
    with torch.no_grad():
        traced = torch.jit.trace(net, windows(2))
        torch.testing.assert_close(traced(*windows(5)), net(*windows(5)))
