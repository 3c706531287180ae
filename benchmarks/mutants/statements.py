"""Statements of a source folder, and those that two folders have in common."""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MIN_LENGTH = 20
"""Characters of a statement; shorter ones say too little to be the same thing in another file."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LEAVES = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return, ast.Raise)
HEADERS = (ast.If, ast.While, ast.For, ast.With)
UNTESTED_FUNCTIONS = ("__repr__", "__str__")
"""What they return is read by people."""


@dataclass(frozen=True)
class Statement:
    """A statement inside a function of one tree."""

    file: str
    """Relative to the tree."""
    owner: str
    """The function with its classes and outer functions."""
    function: str
    text: str
    """As `ast.unparse` writes it, so layout does not count; of a block its first line."""
    node: ast.stmt
    scope: ast.FunctionDef | ast.AsyncFunctionDef
    guard: bool
    """An ``if`` of one step and without ``else``, looked at with its body."""

    @property
    def lines(self) -> range:
        """Those that coverage may credit: of a block the lines of its head."""
        last = self.node.end_lineno or self.node.lineno
        if isinstance(self.node, HEADERS):
            last = max(self.node.lineno, self.node.body[0].lineno - 1)
        return range(self.node.lineno, last + 1)


@dataclass(frozen=True)
class Pair:
    """One statement as both trees have it."""

    old: Statement
    new: Statement


def common_statements(old: Path, new: Path) -> list[Pair]:
    """Statements that occur once in each tree's ``src`` and in functions of the same name."""
    olds, news = _unique(old), _unique(new)
    return [
        Pair(olds[key], news[key])
        for key in olds
        if key in news and olds[key].function == news[key].function
    ]


def statements(tree: Path) -> Iterator[Statement]:
    """All of a tree's ``src`` that lie in functions."""
    for path in sorted((tree / "src").rglob("*.py")):
        yield from _of_body(ast.parse(path.read_bytes()), path.relative_to(tree).as_posix(), ())


def _unique(tree: Path) -> dict[tuple[str, bool], Statement]:
    found: list[Statement] = []
    times: Counter[tuple[str, bool]] = Counter()
    for path in sorted((tree / "src").rglob("*.py")):
        module = ast.parse(path.read_bytes())
        file = path.relative_to(tree).as_posix()
        found += _of_body(module, file, ())
        times.update(key for node in ast.walk(module) for key in _keys(node))
    return {
        (statement.text, statement.guard): statement
        for statement in found
        if times[statement.text, statement.guard] == 1 and len(statement.text) >= MIN_LENGTH
    }


def _keys(node: ast.AST) -> Iterator[tuple[str, bool]]:
    if isinstance(node, LEAVES):
        yield ast.unparse(node), False
    elif isinstance(node, HEADERS):
        yield ast.unparse(node).partition("\n")[0], False
        if _is_guard(node):
            yield ast.unparse(node), True


def _is_guard(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.If)
        and len(node.body) == 1
        and not node.orelse
        and isinstance(node.body[0], (*LEAVES, ast.Continue, ast.Break))
    )


def _of_body(parent: ast.AST, file: str, owner: tuple[str, ...]) -> Iterator[Statement]:
    """Those of a module or class: of the functions in it."""
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, FUNCTIONS):
            if node.name not in UNTESTED_FUNCTIONS:
                yield from _of_function(node, file, (*owner, node.name))
        elif isinstance(node, ast.ClassDef):
            yield from _of_body(node, file, (*owner, node.name))


def _of_function(
    scope: ast.FunctionDef | ast.AsyncFunctionDef, file: str, owner: tuple[str, ...]
) -> Iterator[Statement]:
    inside: list[ast.stmt] = list(scope.body)
    while inside:
        node = inside.pop(0)
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            holder = ast.Module(body=[node], type_ignores=[])
            yield from _of_body(holder, file, owner)
            continue
        for text, guard in _keys(node):
            yield Statement(file, ".".join(owner), owner[-1], text, node, scope, guard)
        inside += [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.stmt)]
        for part in ast.iter_child_nodes(node):
            if isinstance(part, (ast.ExceptHandler, ast.match_case)):
                inside += part.body
