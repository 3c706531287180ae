"""What leaves Python: `torch.export` with any batch size, `torch.compile` without a break, and a
trace of TorchScript, which torch itself gives up for the two. `torch.jit.script` reads none of
these networks: the shape check raises with values in its text, and parts are chosen from
dictionaries.
"""

from typing import Any

import pytest
import torch

from dualgaf.models.net import DualGAFNet
from few_kernels import few_kernels

# With each commit: the default with a few kernels, and a network that holds most other parts. The
# others hold nearly every module of the package; one ResNet stands for its family, and one branch
# of kernels for all.
NETWORKS: list[dict[str, Any]] = [
    {"use_minirocket": True},
    {
        "extractor": "dilated",
        "groups": {"a": {"channels": [2, 0]}},
        "fusion": "bidirectional",
        "attention": "cbam",
        "statistics": "comprehensive",
        "statistics_fusion": "attention",
        "head": "residual",
    },
]
MORE: list[dict[str, Any]] = [
    {"extractor": "inception", "fusion": "bidirectional", "attention": "self"},
    {"extractor": "dilated", "fusion": "gated", "attention": "cbam", "head": "residual"},
    {"extractor": "multiscale", "fusion": "weighted_add", "statistics": "comprehensive"},
    {"extractor": "resnet18_gaf_light", "fields": "gasf", "statistics": "correlation_focused"},
    {"arrangement": "stacked", "fusion": "mul", "statistics_fusion": "gated"},
    {"groups": {"a": {"channels": [2, 0]}}, "statistics_fusion": "attention", "head": "simple"},
]
networks = pytest.mark.parametrize(
    "options",
    [*NETWORKS, *(pytest.param(options, marks=pytest.mark.slow) for options in MORE)],
    ids=",".join,
)


def built(options: dict[str, Any]) -> DualGAFNet:
    torch.manual_seed(0)
    net = DualGAFNet(3, 4, **{"width": 8, "dropout": 0.0, "use_minirocket": False, **options})
    if net.minirocket is not None:
        net.minirocket.fit(torch.randn(12, 3, 24), torch.arange(12) % 4)
    return net


@pytest.fixture(autouse=True)
def _few_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    few_kernels(monkeypatch, dilations=2)


def windows(n: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(n)
    gasf, gadf = torch.rand(2, n, 3, 24, 24, generator=generator) * 2 - 1
    return gasf, gadf, torch.randn(n, 3, 24, generator=generator)


@networks
def test_an_exported_network_takes_any_batch(options: dict[str, Any]) -> None:
    net = built(options).eval()
    batch = {0: torch.export.Dim("batch")}
    program = torch.export.export(net, windows(2), dynamic_shapes=(batch, batch, batch))
    with torch.no_grad():
        for n in (1, 5):
            torch.testing.assert_close(program.module()(*windows(n)), net(*windows(n)))


@networks
def test_a_compiled_network_is_one_graph_and_trains(options: dict[str, Any]) -> None:
    # aot_eager captures forward and backward as inductor does, and needs no C++ compiler.
    torch.compiler.reset()
    net = built(options)
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*windows(4)), net(*windows(4)))
    found = []
    for called in (compiled, net):
        net.zero_grad()
        called(*windows(4)).square().sum().backward()
        found.append([p.grad.clone() for p in net.parameters()])  # type: ignore[union-attr]
    for got, wanted in zip(*found, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-3)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@networks
def test_a_traced_network_takes_any_batch_of_its_image_size(options: dict[str, Any]) -> None:
    net = built(options).eval()
    with torch.no_grad():
        traced = torch.jit.trace(net, windows(2))
        torch.testing.assert_close(traced(*windows(5)), net(*windows(5)))
