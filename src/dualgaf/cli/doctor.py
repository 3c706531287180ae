"""`python -m dualgaf doctor`: what this machine offers, and what would make it faster.

`Facts.read` looks at the machine, the interpreter and the environment. Nothing is changed. `advise`
is a pure function from facts to advice. `report` prints both.
"""

import argparse

from dualgaf.cli.advice import advise
from dualgaf.cli.facts import Facts

HELP = "what this machine offers, and what would make it faster"
EXAMPLES = ("python -m dualgaf doctor",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(options: argparse.Namespace) -> int:
    """Print the report."""
    print(report(Facts.read()))
    return 0


def report(facts: Facts) -> str:
    """The facts, then the advice, as text."""
    advice = advise(facts)
    if not advice:
        return f"{facts}\n\nno setting of this machine is known to make it faster"
    head = (
        f"what would make this machine faster ({len(advice)}); measured on one virtual machine of "
        "2 CPUs,\nso the ratios carry over and the figures do not"
    )
    return "\n\n".join([str(facts), head, *map(str, advice)])
