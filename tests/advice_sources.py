"""Every message in the source that says what to type, as a template with {} for what varies."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import dualgaf

SOURCE = Path(dualgaf.__file__).parent
_ADVICE = re.compile(r"\btype (?=\S)|\btype $")


def templates() -> Iterator[tuple[str, str]]:
    """(module and line, template) of each text that has advice; docstrings are none."""
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        for node in _texts(tree):
            text = _template(node)
            if _ADVICE.search(text):
                yield f"{path.relative_to(SOURCE).as_posix()}:{node.lineno}", text


def _texts(tree: ast.AST) -> Iterator[ast.expr]:
    """Whole texts: parts of an f-string are not looked at again, nor are docstrings."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if isinstance(child, ast.JoinedStr) or (
            isinstance(child, ast.Constant) and isinstance(child.value, str)
        ):
            yield child
        else:
            yield from _texts(child)


def _template(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.JoinedStr)
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
    )
