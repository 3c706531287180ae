"""Checks of one tree: an ``if`` whose body ends with a ``raise``, and which of them tests fire."""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.mutants.statements import Pair, Statement, statements
from benchmarks.mutants.touched import Line, Touched


def checks(tree: Path, leave_out: Sequence[str] = ()) -> list[Pair]:
    """All checks of a tree's ``src``, each as a pair of itself.

    Args:
        tree: a copy.
        leave_out: beginnings of paths.
    """
    found = (
        statement
        for statement in statements(tree)
        if _is_check(statement.node) and not statement.file.startswith(tuple(leave_out))
    )
    # a check of one step is seen twice, as a head and with its body; its whole text names it
    whole = {
        (one.file, one.node.lineno, one.node.col_offset): replace(
            one, text=ast.unparse(one.node), guard=True
        )
        for one in found
    }
    return [Pair(one, one) for one in whole.values()]


def fired(pairs: Iterable[Pair], touched: Touched) -> dict[str, Any]:
    """How many checks there are, tests reach, tests fire; and the places of those not fired."""
    all_of = [pair.new for pair in pairs]
    raises = {one: (one.file, _raise_of(one).lineno) for one in all_of}
    lines = touched.lines({*raises.values(), *(_head(one) for one in all_of)})
    not_fired = [one for one in all_of if raises[one] not in lines]
    return {
        "checks": len(all_of),
        "touched": sum(_head(one) in lines for one in all_of),
        "fired": len(all_of) - len(not_fired),
        "not_fired": [f"{one.file}:{one.node.lineno} {one.owner}" for one in not_fired],
    }


def _is_check(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise)


def _raise_of(statement: Statement) -> ast.stmt:
    assert isinstance(statement.node, ast.If)
    return statement.node.body[-1]


def _head(statement: Statement) -> Line:
    return statement.file, statement.node.lineno
