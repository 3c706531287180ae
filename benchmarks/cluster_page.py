"""docs/cluster-sizes.md: `cluster_page.md` with every figure from `benchmarks.cluster`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cluster import NODES, SIZES, Rates, duration, heading, shape, simulate, size, table
from dualgaf.bench.results import cell

TEXT = Path(__file__).with_name("cluster_page.md")


def page() -> str:
    """The whole page."""
    rates = Rates.measured()
    moved, drawn = (simulate(1e11, 8, way, rates) for way in ("one draws and sends", "shard=node"))
    alone = simulate(1e11, 1, "each draws all", rates)
    return TEXT.read_text().format(
        images=size(alone.held),
        draw=duration(alone.draw_s),
        move=duration(alone.held / (rates.network.value * 1e9)),
        own=duration(drawn.draw_s),
        sent=duration(moved.draw_s + moved.send_s),
        read=duration(simulate(1e13, 64, "shard=node", rates).read_s),
        draw64=duration(simulate(1e13, 64, "shard=node", rates).draw_s),
        shape=shape(),
        assumptions=_table([a._asdict() for a in rates.all()], texts=("name", "unit", "source")),
        tables="\n\n".join(
            f"### {heading(name, series)}\n\n{_table(table(series, NODES, rates), ('way', 'fit'))}"
            for name, series in SIZES.items()
        ),
    )


def _table(rows: Sequence[Mapping[str, Any]], texts: Sequence[str]) -> str:
    lines = [[*rows[0]], ["---" if name in texts else "---:" for name in rows[0]]]
    lines += [[cell(value) for value in row.values()] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
