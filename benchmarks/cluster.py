"""Hours on 1, 8 and 64 machines, from what was measured on one: `python -m benchmarks.cluster`.

    python -m benchmarks.cluster --series 2TB --nodes 1,4 --memory 512GB    other sizes
    python -m benchmarks.cluster --page                                    docs/cluster-sizes.md

Nothing is run on several machines. Every rate is read from `benchmarks/results`, and is printed
with its source; what is no measurement says so.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from dualgaf.bench.results import text_table

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "benchmarks/results", ROOT / "docs/cluster-sizes.md"
SIZES = {"100GB": 1e11, "469GB": 4.6875e11, "10TB": 1e13}
"""Series of the page: 2.1 TB of images, 10 TB of images, and 213 TB."""
NODES = (1, 8, 64)
CHANNELS, STEPS, SIDE, BATCH = 20, 96, 64, 64
MEASURED_SIDE = 96
"""Of the images of `benchmarks/results/loading.json`: ``image_size=auto`` was the window then."""
WAYS = ("each draws all", "shard=node", "images=on_device", "one draws and sends")


class Assumption(NamedTuple):
    """A number that the arithmetic stands on."""

    name: str
    value: float
    unit: str
    source: str


@dataclass(frozen=True)
class Rates:
    """What one machine does, and the network between them."""

    read: Assumption
    draw: Assumption
    load: Assumption
    draw_batches: Assumption
    step: Assumption
    weights: Assumption
    network: Assumption
    memory: Assumption

    @classmethod
    def measured(cls, network_gb: float = 1.25, memory: float = 256e9) -> "Rates":
        """Those of `benchmarks/results`."""
        tables, build, loading = _rows("tables"), _rows("build"), _rows("loading")
        rows = int(_result("tables")["reading"]["notes"][0].split()[0])
        series_bytes = rows * _result("tables")["size"]["n_channels"] * 4
        seconds = next(
            row["seconds"]
            for row in tables
            if row["side"] == "dualgaf, windows" and row["files"].startswith("parquet")
        )
        draw = _one(build, "threads, shared memory")["GB/s"]
        load, batches, step = (
            _one(loading, side)["windows/s"]
            for side in ("dualgaf, precomputed", "dualgaf, on_device", "training step, precomputed")
        )
        image_gb = CHANNELS * 2 * MEASURED_SIDE**2 / 1e9
        own, by_hand = "performance.md, {}: {}", "no measurement: {}"
        return cls(
            read=Assumption(
                "Parquet to windows",
                series_bytes / seconds / 1e9,
                "GB/s of series in float32",
                own.format("tables", "dualgaf, windows"),
            ),
            draw=Assumption(
                "drawing into a store",
                draw,
                "GB/s of images",
                own.format("build", "threads, shared memory"),
            ),
            load=Assumption(
                "batches from a store",
                load * image_gb,
                "GB/s of uint8 images",
                own.format("loading", "dualgaf, precomputed"),
            ),
            draw_batches=Assumption(
                "batches drawn anew",
                batches * image_gb,
                "GB/s of uint8 images",
                own.format("loading", "dualgaf, on_device"),
            ),
            step=Assumption(
                "training steps",
                step,
                f"windows/s, images of {MEASURED_SIDE} x {MEASURED_SIDE}",
                own.format("loading", "training step, precomputed"),
            ),
            weights=Assumption(
                "gradients of that network",
                parameters(),
                "numbers of 4 bytes",
                "counted when this runs: DualGAFNet(extractor=large_kernel)",
            ),
            network=Assumption(
                "network", network_gb, "GB/s", by_hand.format("the line rate of 10 GbE")
            ),
            memory=Assumption(
                "memory for images", memory / 1e9, "GB a machine", by_hand.format("as typed")
            ),
        )

    def all(self) -> tuple[Assumption, ...]:
        """In the order of the page."""
        return tuple(vars(self).values())


@dataclass(frozen=True)
class Day:
    """What one way takes on so many machines; seconds and bytes of one machine."""

    way: str
    nodes: int
    held: float
    """Bytes of images."""
    fits: bool
    read_s: float
    draw_s: float
    send_s: float
    """The images, over the link of the machine that has drawn them."""
    data_s: float
    """An epoch of batches, without a step."""
    step_s: float
    """An epoch of steps, without a batch."""
    gradients_s: float
    """An epoch of gradients over the network."""

    @property
    def first_step_s(self) -> float:
        """Until the first step."""
        return self.read_s + self.draw_s + self.send_s


def simulate(series: float, nodes: int, way: str, rates: Rates) -> Day:
    """One way on so many machines.

    Args:
        series: bytes, float32, windows that do not overlap.
        nodes: machines.
        way: one of `WAYS`.
        rates: what they do.
    """
    windows = series / (CHANNELS * STEPS * 4)
    images = windows * CHANNELS * 2 * SIDE * SIDE
    network, draws_anew = rates.network.value * 1e9, way == "images=on_device"
    share = images if way == "each draws all" else 0.0 if draws_anew else images / nodes
    drawn = images if way == "one draws and sends" else share
    sent = images * (nodes - 1) / nodes if way == "one draws and sends" else 0.0
    own = windows / nodes
    # Each machine of a ring sends and gets all gradients but its part, twice.
    gradients = 2 * (nodes - 1) / nodes * rates.weights.value * 4
    return Day(
        way=way,
        nodes=nodes,
        held=share,
        fits=share <= rates.memory.value * 1e9,
        read_s=series / (rates.read.value * 1e9),
        draw_s=drawn / (rates.draw.value * 1e9),
        send_s=sent / network,
        data_s=images / nodes / ((rates.draw_batches if draws_anew else rates.load).value * 1e9),
        step_s=own / rates.step.value,
        gradients_s=own / BATCH * gradients / network,
    )


def table(series: float, nodes: Sequence[int], rates: Rates) -> list[dict[str, Any]]:
    """A row for each number of machines and way."""
    return [
        {
            "machines": day.nodes,
            "way": day.way,
            "images a machine": size(day.held),
            "fit": "yes" if day.fits else "no",
            "reading": duration(day.read_s),
            "drawing": duration(day.draw_s),
            "network": duration(day.send_s),
            "epoch, batches": duration(day.data_s),
            "epoch, steps": duration(day.step_s),
            "epoch, gradients": duration(day.gradients_s),
        }
        for day in days(series, nodes, rates)
    ]


def days(series: float, nodes: Sequence[int], rates: Rates) -> Iterator[Day]:
    """Every way on each number of machines; one machine sends nothing and shares nothing."""
    for count in nodes:
        for way in WAYS:
            if count > 1 or way in ("each draws all", "images=on_device"):
                yield simulate(series, count, way, rates)


def size(n_bytes: float) -> str:
    """As people say it, in powers of 1000."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:.3g} {unit}"
    return f"{n_bytes:.0f} B" if n_bytes else "-"


def duration(seconds: float) -> str:
    """As people say it."""
    for unit, factor in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds:.2g} s" if seconds else "-"


@cache
def parameters() -> int:
    """Numbers that the network of `benchmarks.loading` learns."""
    from dualgaf import DualGAFNet

    net = DualGAFNet(CHANNELS, 3, extractor="large_kernel")
    return sum(weight.numel() for weight in net.parameters() if weight.requires_grad)


def report(sizes: dict[str, float], nodes: Sequence[int], rates: Rates) -> str:
    """Assumptions and tables, as text."""
    parts = [text_table([a._asdict() for a in rates.all()]), shape()]
    for name, series in sizes.items():
        parts += [heading(name, series), text_table(table(series, nodes, rates))]
    return "\n\n".join(parts)


def heading(name: str, series: float) -> str:
    """What a table is of."""
    return f"{name} of series, {size(series * factor())} of images"


def factor() -> float:
    """Bytes of images for each of the series."""
    return 2 * SIDE * SIDE / (4 * STEPS)


def shape() -> str:
    """What is drawn."""
    return (
        f"Windows of {STEPS} steps and {CHANNELS} channels that do not overlap, float32; two uint8 "
        f"images of {SIDE} x {SIDE} a channel, {factor():.3g} times the bytes; batches of {BATCH} "
        "a machine."
    )


def _rows(suite: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _result(suite)["reading"]["rows"]
    return found


@cache
def _result(suite: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{suite}.json").read_text())
    return found


def _one(rows: Sequence[dict[str, Any]], side: str) -> dict[str, Any]:
    (found,) = [row for row in rows if row["side"] == side]
    return found


def bytes_of(text: str) -> float:
    """``100GB`` or ``10TB``, in powers of 1000."""
    units = {"MB": 1e6, "GB": 1e9, "TB": 1e12}
    return float(text[:-2]) * units[text[-2:].upper()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print it, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", help="bytes of series, 2TB; left out: those of the page")
    parser.add_argument("--nodes", default=",".join(map(str, NODES)), help="machines (1,8,64)")
    parser.add_argument("--memory", type=bytes_of, default=256e9, help="a machine's (256GB)")
    parser.add_argument("--network", type=float, default=1.25, help="GB/s (1.25, 10 GbE)")
    parser.add_argument("--page", action="store_true", help="write docs/cluster-sizes.md")
    given = parser.parse_args(arguments)
    if given.page:
        from benchmarks.cluster_page import page

        PAGE.write_text(page())
        return
    sizes = SIZES if given.series is None else {given.series: bytes_of(given.series)}
    nodes = [int(count) for count in given.nodes.split(",")]
    print(report(sizes, nodes, Rates.measured(given.network, given.memory)))


if __name__ == "__main__":
    main()
