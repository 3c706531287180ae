"""The ways to break one statement: comparison, constant, removed line, swapped arguments, check.

A break that no test could notice is no break: texts, annotations, log lines, waiting times and the
looks of a picture stay as they are, and so do arguments whose order has no meaning.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from benchmarks.mutants.statements import HEADERS, Statement

KINDS = ("comparison", "constant", "removed line", "swapped arguments")
CHECK = "check"
"""The kind of `checks`: a condition that is looked at and never holds."""

OTHER_OPERATOR = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
CLOCKS = ("monotonic", "perf_counter", "deadline")
"""Whether a time is reached or passed by nothing makes no difference."""
LOGGERS = {"log", "logger", "logging"}
UNSEEN_CALLS = {"sleep", "collect", "print", "warn", "cast", "isinstance", "issubclass"}
"""Of these no constant and no order of arguments is changed: it is text, a pause or a mere type."""
NO_EFFECT_CALLS = {"sleep", "collect"}
"""These are not removed, as little as log lines are."""
UNSEEN_KEYWORDS = {
    "stacklevel", "timeout", "indent", "prog_bar", "figsize", "dpi", "linewidth", "fontsize",
    "labelsize", "zorder", "strict", "daemon", "inplace", "non_blocking",
}  # fmt: skip
"""Looks and waits; checks of what cannot happen (``zip``); speed."""
ANY_ORDER = {
    "min", "max", "gcd", "hypot", "isclose", "allclose", "array_equal", "maximum", "minimum", "add",
    "multiply", "logical_and", "logical_or", "union", "intersection", "equal",
}  # fmt: skip

Edit = tuple[ast.expr | ast.stmt, str]
"""A node and the text that takes its place."""


def count_breaks(statement: Statement, kind: str) -> int:
    """In how many ways a statement can be broken."""
    return len(_edits(statement, kind))


@dataclass(frozen=True)
class Broken:
    """A file with one break."""

    source: bytes
    before: str
    """The statement as it was, of a block its head, on one line as `ast.unparse` writes it."""
    after: str


def broken(source: bytes, statement: Statement, kind: str, index: int) -> Broken:
    """Break a statement of this file.

    Raises:
        SyntaxError: it would not be Python.
        ValueError: it would be the same program.
    """
    edited = source
    for node, text in reversed(_edits(statement, kind)[index]):
        start, end = _span(source, node)
        edited = edited[:start] + text.encode() + edited[end:]
    module = ast.parse(edited)
    if ast.dump(module) == ast.dump(ast.parse(source)):
        raise ValueError(f"{statement.text} is what it was")
    compile(edited, statement.file, "exec", dont_inherit=True)
    place = statement.node.lineno, statement.node.col_offset
    node = next(
        node
        for node in ast.walk(module)
        if isinstance(node, ast.stmt) and (node.lineno, node.col_offset) == place
    )
    after = ast.unparse(node)
    if isinstance(node, HEADERS):
        after = after.partition("\n")[0]
    return Broken(edited, " ".join(statement.text.split()), " ".join(after.split()))


def _span(source: bytes, node: ast.expr | ast.stmt) -> tuple[int, int]:
    """Where the text of a node starts and ends, in bytes."""
    starts = [0, *accumulate(len(text) for text in source.splitlines(keepends=True))]
    last, column = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
    return starts[node.lineno - 1] + node.col_offset, starts[last - 1] + column


def _edits(statement: Statement, kind: str) -> list[list[Edit]]:
    if kind == CHECK:
        if not isinstance(statement.node, ast.If):
            return []
        condition = statement.node.test
        return [[(condition, f"({ast.unparse(condition)}) and False")]]
    if kind == "removed line":
        removable = statement.guard or _is_removable(statement.node, statement.scope)
        return [[(statement.node, "pass")]] if removable else []
    if statement.guard or isinstance(statement.node, ast.Raise):
        return []
    find = {"comparison": _comparisons, "constant": _constants, "swapped arguments": _swaps}[kind]
    return list(find(statement))


def _comparisons(statement: Statement) -> Iterator[list[Edit]]:
    timed = any(word in statement.text for word in CLOCKS)
    for node in _parts(statement.node):
        if not isinstance(node, ast.Compare) or len(node.ops) != 1:
            continue
        ordered = isinstance(node.ops[0], (ast.Lt, ast.LtE, ast.Gt, ast.GtE))
        if not (timed and ordered):
            other = OTHER_OPERATOR[type(node.ops[0])]()
            yield [(node, ast.unparse(ast.Compare(node.left, [other], node.comparators)))]


def _constants(statement: Statement) -> Iterator[list[Edit]]:
    for node in _parts(statement.node, seen_only=True):
        if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
            value = node.value
            yield [(node, repr(not value if isinstance(value, bool) else value + 1))]


def _swaps(statement: Statement) -> Iterator[list[Edit]]:
    for node in _parts(statement.node, seen_only=True):
        if not isinstance(node, ast.Call) or _name(node) in ANY_ORDER or len(node.args) < 2:
            continue
        if any(isinstance(part, ast.Starred) for part in node.args):
            continue
        for left, right in zip(node.args, node.args[1:], strict=False):
            texts = _is_text(left) and _is_text(right)
            if not texts and ast.dump(left) != ast.dump(right):
                yield [(left, ast.unparse(right)), (right, ast.unparse(left))]
                break


def _is_removable(node: ast.stmt, scope: ast.AST) -> bool:
    """Whether a line without this statement would still run, up to what the line was for."""
    if isinstance(node, (ast.Raise, ast.AugAssign)):
        return True
    if isinstance(node, ast.Expr):
        call = node.value
        return isinstance(call, ast.Call) and not (_is_log(call) or _name(call) in NO_EFFECT_CALLS)
    if not isinstance(node, ast.Assign):
        return False
    (target, *more) = node.targets
    if more or not isinstance(target, ast.Name):
        return not more and isinstance(target, (ast.Attribute, ast.Subscript))
    return _times_bound(scope)[target.id] > 1


def _times_bound(scope: ast.AST) -> Counter[str]:
    """How often a function gives a name a value; a removed line leaves the earlier one."""
    names = [part.id for part in ast.walk(scope) if isinstance(part, ast.Name)
             and isinstance(part.ctx, ast.Store)]  # fmt: skip
    return Counter([*names, *(part.arg for part in ast.walk(scope) if isinstance(part, ast.arg))])


def _parts(node: ast.AST, seen_only: bool = False) -> Iterator[ast.AST]:
    """What a statement is made of, in a fixed order, without what lies in its block."""
    if isinstance(node, ast.JoinedStr):
        return
    if seen_only and isinstance(node, ast.Call) and (_is_log(node) or _name(node) in UNSEEN_CALLS):
        return
    yield node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns"):
            continue
        for part in value if isinstance(value, list) else [value]:
            unseen = seen_only and isinstance(part, ast.keyword) and part.arg in UNSEEN_KEYWORDS
            if isinstance(part, ast.AST) and not unseen and not isinstance(part, ast.stmt):
                yield from _parts(part, seen_only)


def _is_text(node: ast.expr) -> bool:
    is_str = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return is_str or isinstance(node, ast.JoinedStr)


def _name(call: ast.Call) -> str:
    """The last name of what is called."""
    return ast.unparse(call.func).rpartition(".")[2]


def _is_log(call: ast.Call) -> bool:
    return ast.unparse(call.func).partition(".")[0].lstrip("_").lower() in LOGGERS
