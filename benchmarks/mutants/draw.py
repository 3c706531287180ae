"""Which statements are broken: by a seed, as many of each kind, at most one in a function."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.mutants.breaks import KINDS, Broken, broken, count_breaks
from benchmarks.mutants.statements import Pair, Statement
from benchmarks.mutants.touched import Line

Key = tuple[str, bool]
"""Names a pair: its text, and whether it is looked at as a guard."""


@dataclass
class Mutant:
    """One break of both trees; file, line and the texts are those of the new one.

    Attributes:
        function: with its class.
        kind: of `KINDS`, or `CHECK`.
        index: which of the breaks of this kind in the statement.
        text: the statement as both trees have it.
        old_file: and ``old_line``: where the old tree has it.
        runs: what came of it, by the name of the tree.
    """

    file: str
    line: int
    function: str
    kind: str
    before: str
    after: str
    index: int
    text: str
    guard: bool
    old_file: str
    old_line: int
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        return self.text, self.guard

    @property
    def name(self) -> tuple[Any, ...]:
        """The same break has the same name in another draw."""
        return self.kind, self.index, self.text, self.guard


@dataclass(frozen=True)
class _Candidate:
    pair: Pair
    kind: str
    index: int

    @property
    def function(self) -> tuple[str, str]:
        return self.pair.new.file, self.pair.new.owner

    @property
    def room(self) -> str:
        """The folder of the package; one for all modules that lie in none."""
        _, _, *folders, _ = self.pair.new.file.split("/")
        return folders[0] if folders else ""

    def order(self, seed: int) -> str:
        """A number drawn for this candidate alone: others that come or go do not change it."""
        new = self.pair.new
        text = f"{seed}\n{self.kind}\n{self.index}\n{new.function}\n{new.text}"
        return sha256(text.encode()).hexdigest()


def lines_of(statements: Iterable[Statement]) -> set[Line]:
    """Lines that a test may touch, of some statements."""
    return {(statement.file, line) for statement in statements for line in statement.lines}


def touched_pairs(pairs: Iterable[Pair], old: set[Line], new: set[Line]) -> list[Pair]:
    """Those of which tests of both trees touch a line."""
    return [
        pair
        for pair in pairs
        if not old.isdisjoint(lines_of([pair.old])) and not new.isdisjoint(lines_of([pair.new]))
    ]


def draw(
    pairs: Iterable[Pair],
    trees: tuple[Path, Path],
    seed: int,
    count: int,
    kinds: Sequence[str] = KINDS,
) -> list[Mutant]:
    """Draw the mutants.

    Args:
        pairs: that tests touch.
        trees: folders of the old and the new one.
        seed: of the draw.
        count: how many; a kind of which there are too few is made up for by the others.
        kinds: of breaks.

    Returns:
        Kind after kind, spread over the folders of the package.
    """
    by_kind: dict[str, list[_Candidate]] = {kind: [] for kind in kinds}
    for candidate in _candidates(pairs, kinds):
        by_kind[candidate.kind].append(candidate)
    for found in by_kind.values():
        found.sort(key=lambda candidate: candidate.order(seed))
    drawn: dict[str, list[Mutant]] = {kind: [] for kind in kinds}
    rooms: Counter[str] = Counter()
    functions: set[tuple[str, str]] = set()
    each, more = divmod(count, len(kinds))
    quota = {kind: each + (place < more) for place, kind in enumerate(kinds)}
    for kind in [*sorted(kinds, key=lambda kind: len(by_kind[kind])), *kinds]:
        left = by_kind[kind]
        missing = count - sum(map(len, drawn.values()))
        wanted = min(missing, quota[kind] if not drawn[kind] else missing)
        while wanted and left:
            # The first one, by the seed, of the folders that were drawn least
            candidate = min(left, key=lambda one: rooms[one.room])
            left.remove(candidate)
            mutant = None if candidate.function in functions else _mutant(candidate, trees)
            if mutant is not None:
                drawn[kind].append(mutant)
                rooms[candidate.room] += 1
                functions.add(candidate.function)
                wanted -= 1
    return [mutant for kind in kinds for mutant in drawn[kind]]


def _candidates(pairs: Iterable[Pair], kinds: Sequence[str]) -> Iterator[_Candidate]:
    for pair in pairs:
        if pair.new.file.count("/") < 2:
            continue
        for kind in kinds:
            for index in range(count_breaks(pair.new, kind)):
                yield _Candidate(pair, kind, index)


def _mutant(candidate: _Candidate, trees: tuple[Path, Path]) -> Mutant | None:
    """None where the break is no Python or no break in one of the trees."""
    old, new = candidate.pair.old, candidate.pair.new
    try:
        texts: list[Broken] = [
            broken((tree / one.file).read_bytes(), one, candidate.kind, candidate.index)
            for tree, one in zip(trees, (old, new), strict=True)
        ]
    except (SyntaxError, ValueError):
        return None
    return Mutant(
        file=new.file,
        line=new.node.lineno,
        function=new.owner,
        kind=candidate.kind,
        before=texts[1].before,
        after=texts[1].after,
        index=candidate.index,
        text=new.text,
        guard=new.guard,
        old_file=old.file,
        old_line=old.node.lineno,
    )
