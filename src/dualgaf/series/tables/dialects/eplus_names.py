"""Names of EnergyPlus' output columns: ``SOUTH:Zone Air Temperature [C](TimeStep)``."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

FREQUENCIES = ("Each Call", "TimeStep", "Hourly", "Daily", "Monthly", "RunPeriod", "Annual")
"""How often EnergyPlus writes a column, the finest first."""
AMOUNTS = ("J",)
"""Units of columns that are amounts in a step, not means over it."""
_WRITTEN = re.compile(r"\s*(?P<name>.*\S)\s*\[(?P<unit>[^\[\]]*)\]\s*\((?P<every>[^()]*)\)\s*")
_SITE = "environment:"


@dataclass(frozen=True)
class Variable:
    """One column."""

    written: str
    """As it stands in the header."""
    name: str
    """Key and variable; without the key where it is that of the site."""
    unit: str
    """Empty where there is none."""
    every: str
    """One of `FREQUENCIES`."""

    @property
    def is_amount(self) -> bool:
        """Whether values of several steps are added up, not averaged."""
        return self.unit in AMOUNTS


def variable(written: str) -> Variable | None:
    """The parts of one name; None where it is no column of EnergyPlus.

    Example:
        >>> found = variable("SOUTH:Zone Air Temperature [C](TimeStep) ")
        >>> found.name, found.unit, found.every
        ('SOUTH:Zone Air Temperature', 'C', 'TimeStep')
        >>> variable("Environment:Site Wind Speed [m/s](Hourly)").name
        'Site Wind Speed'
    """
    found = _WRITTEN.fullmatch(written)
    if found is None:
        return None
    every = next((word for word in FREQUENCIES if found["every"].startswith(word)), None)
    if every is None:
        return None
    name = found["name"]
    if name.lower().startswith(_SITE):
        name = name[len(_SITE) :]
    return Variable(written, name, found["unit"].strip(), every)


def named(variables: Sequence[Variable]) -> dict[str, Variable]:
    """Variables by a short name of their own, in order.

    Two of one name differ in how often they are written, and then say so.

    Example:
        >>> twice = [variable(f"A:T [C]({every})") for every in ("TimeStep", "Hourly")]
        >>> list(named(twice))
        ['A:T (TimeStep)', 'A:T (Hourly)']
    """
    for name_of in (
        lambda one: one.name,
        lambda one: f"{one.name} ({one.every})",
        lambda one: one.written.strip(),
    ):
        if max(Counter(map(name_of, variables)).values(), default=1) == 1:
            break
    again = Counter(one.name for one in variables)
    return {one.name if again[one.name] == 1 else name_of(one): one for one in variables}


def short(name: str) -> str:
    """A name as a user may copy it out of a file, in the short form; others as they are.

    Example:
        >>> short("SOUTH:Zone Air Temperature [C](TimeStep)"), short("SOUTH:Zone Air Temperature")
        ('SOUTH:Zone Air Temperature', 'SOUTH:Zone Air Temperature')
    """
    found = variable(name)
    return name if found is None else found.name
