"""Draws docs/architecture.svg: the rooms of the package and who imports whom.

    python docs/draw_architecture.py

Floors come from the layers of pyproject.toml, arrows from the import statements of src. An arrow
that follows from others is left out: where a room imports one and that one a third, the way to the
third goes through both.
"""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "dualgaf"
PICTURE = ROOT / "docs" / "architecture.svg"
WIDTH, FLOOR, BOX, HIGH = 760, 64, 120, 34
ASIDE = {"series": 80, "imaging": 215}  # so that no arrow hides behind a room


def floors() -> list[list[str]]:
    """Rooms by floor, the highest first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (layers,) = (
        contract["layers"]
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    )
    return [layer.split(" | ") for layer in layers if layer != "__main__"]


def imports() -> dict[str, set[str]]:
    """Room -> rooms that it imports."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room.startswith("__"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dualgaf."):
                found.setdefault(room, set()).add(str(node.module).split(".")[1])
            elif isinstance(node, ast.ImportFrom) and node.module == "dualgaf":
                names = {name.name for name in node.names}
                rooms = {one.stem for one in PACKAGE.iterdir()}
                found.setdefault(room, set()).update(names & rooms)
        found.setdefault(room, set())
    return {room: others - {room} for room, others in found.items()}


def reduced(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The graph without arrows that follow from others."""

    def reach(room: str) -> set[str]:
        return graph[room] | {far for near in graph[room] for far in reach(near)}

    return {
        room: {one for one in near if not any(one in reach(other) for other in near - {one})}
        for room, near in graph.items()
    }


def drawing() -> str:
    """The picture as SVG."""
    rows = floors()
    places = {
        room: (ASIDE.get(room, WIDTH * (k + 0.5) / len(row)), FLOOR * (n + 0.7))
        for n, row in enumerate(rows)
        for k, room in enumerate(row)
    }
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {FLOOR * len(rows) + 20}" '
        'font-family="sans-serif" font-size="15">',
        "<title>Rooms of dualgaf; an arrow leads to what is imported</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#5b6770"/></marker></defs>',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for room, others in sorted(reduced(imports()).items()):
        x, y = places[room]
        for other in sorted(others):
            to_x, to_y = places[other]
            lines.append(
                f'<path d="M{x:.0f} {y + HIGH / 2:.0f}L{to_x:.0f} {to_y - HIGH / 2:.0f}" '
                'stroke="#5b6770" fill="none" marker-end="url(#tip)"/>'
            )
    for room, (x, y) in places.items():
        lines += [
            f'<rect x="{x - BOX / 2:.0f}" y="{y - HIGH / 2:.0f}" width="{BOX}" height="{HIGH}" '
            'rx="5" fill="#e8f0f6" stroke="#1f4e79"/>',
            f'<text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle" fill="#12283a">{room}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(drawing())
