"""The file of results, written after each mutant, and its table."""

import json
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.mutants.breaks import CHECK, KINDS
from benchmarks.mutants.draw import Mutant

SHARE = 0.9
"""Of the mutants, 54 of 60 in all, are to be caught."""
TREES = {"old": "before", "new": "after"}
"""Names of the trees, and what the table calls them."""


@dataclass
class Results:
    """All mutants and what came of them.

    Attributes:
        path: of the file.
        settings: seed, number, which tests, and whether checks; another draw has others.
        trees: commit and source of each; of checks the new one alone.
        seconds: of all calls together.
        sound: of each tree, whether a test that caught something passes without a broken line.
        fired: of checks, how many there are, and which no test fires.
        mutants: in the order of their kinds.
    """

    path: Path
    settings: dict[str, Any]
    trees: dict[str, dict[str, str]]
    seconds: float = 0.0
    sound: dict[str, dict[str, bool]] = field(default_factory=lambda: {name: {} for name in TREES})
    fired: dict[str, Any] = field(default_factory=dict)
    mutants: list[Mutant] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)
    """Up to when ``seconds`` count, on the monotonic clock."""

    @classmethod
    def read(cls, path: Path) -> "Results | None":
        """What is there; None where there is nothing."""
        if not path.is_file():
            return None
        told = json.loads(path.read_text())
        mutants = [Mutant(**mutant) for mutant in told.pop("mutants")]
        return cls(path, mutants=mutants, **told)

    def save(self) -> None:
        """Write the file anew, whole or not at all."""
        now = time.monotonic()
        self.seconds = self.seconds + now - self.since
        self.since = now
        told = {
            "settings": self.settings,
            "trees": self.trees,
            "seconds": round(self.seconds, 1),
            "sound": self.sound,
            "fired": self.fired,
            "mutants": [asdict(mutant) for mutant in self.mutants],
        }
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(told, indent=1))
        part.replace(self.path)

    def go_on(self, before: "Results") -> None:
        """Take what an earlier call for the same draw has found."""
        self.seconds, self.mutants = before.seconds, before.mutants
        for name in self.trees:
            if self.trees[name] == before.trees[name]:
                self.sound[name] = before.sound[name]

    def unchecked(self, name: str) -> set[str]:
        """Tests that caught something and may fail without a broken line, too."""
        runs = [mutant.runs[name] for mutant in self.mutants if name in mutant.runs]
        by = {run["by"] for run in runs if run["how"] in ("test fails", "process ends")}
        return by - self.sound[name].keys()

    def is_of(self, other: "Results") -> bool:
        """Whether the draw is the same: same settings, same sources."""
        sources = [{name: one.trees[name]["src"] for name in one.trees} for one in (self, other)]
        return self.settings == other.settings and sources[0] == sources[1]

    def left(self, mutant: Mutant) -> list[str]:
        """Trees in which a mutant is still to be tried.

        What was caught by a sound test stays so while the source is the same. What survived is
        tried again at another commit: there may be a test for it.
        """
        found = []
        for name in self.trees:
            run, tree = mutant.runs.get(name, {}), self.trees[name]
            holds = run.get("src") == tree["src"] and self.sound[name].get(run["by"], True)
            if holds and run["outcome"] != "caught":
                holds = run["commit"] == tree["commit"]
            if not holds:
                found.append(name)
        return found

    def caught(self, name: str, kind: str | None = None) -> int:
        """Mutants that the tests of a tree caught."""
        return sum(
            mutant.runs.get(name, {}).get("outcome") == "caught"
            for mutant in self.mutants
            if kind in (None, mutant.kind)
        )

    def is_good(self) -> bool:
        """All tried; nine of ten caught, and as many as before. Of checks all are to be caught."""
        if not self.mutants or any(self.left(mutant) for mutant in self.mutants):
            return False
        new = self.caught("new")
        if self.is_of_checks:
            return new == len(self.mutants)
        return new >= math.ceil(SHARE * self.settings["count"]) and new >= self.caught("old")

    @property
    def is_of_checks(self) -> bool:
        """Whether conditions of checks are what is broken."""
        return bool(self.settings.get("checks"))

    def table(self) -> str:
        """By kind what was caught before and after; who survived; how long it took."""
        when_of = {name: TREES[name] for name in self.trees}
        lines = []
        if self.fired:
            lines = [
                "{checks} checks, {touched} touched, {fired} fired by the tests; not fired:".format(
                    **self.fired
                ),
                *(f"  {place}" for place in self.fired["not_fired"]),
                "",
            ]
        lines.append(
            "kind".ljust(20) + "".join(f"{word:>8}" for word in ("mutants", *when_of.values()))
        )
        for kind in (*((CHECK,) if self.is_of_checks else KINDS), None):
            number = sum(kind in (None, mutant.kind) for mutant in self.mutants)
            caught = "".join(f"{self.caught(name, kind):>8}" for name in when_of)
            lines.append(f"{kind or 'all':<20}{number:>8}{caught}")
        for name, when in when_of.items():
            for mutant in self.mutants:
                run = mutant.runs.get(name)
                if run is not None and run["outcome"] != "caught":
                    lines += ["", f"survived {when}: {described(mutant, name)} ({run['how']})"]
                    lines += [f"  - {mutant.before}", f"  + {mutant.after}"]
        tried = sum(len(self.trees) - len(self.left(mutant)) for mutant in self.mutants)
        whole = len(self.trees) * len(self.mutants)
        lines += ["", f"{tried} of {whole} trials, {self.seconds:.0f} s"]
        return "\n".join(lines)


def described(mutant: Mutant, name: str) -> str:
    """Where a mutant is in a tree, and its kind."""
    file, line = mutant.file, mutant.line
    if name == "old":
        file, line = mutant.old_file, mutant.old_line
    return f"{file}:{line} {mutant.function}, {mutant.kind}"
