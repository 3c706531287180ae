"""Tables of Markdown, and what stands in a cell."""

import statistics
from collections.abc import Sequence


def summary(values: Sequence[float]) -> str:
    """Mean, standard deviation (of the sample) and number.

    Example:
        >>> summary([0.9, 1.0]), summary([0.5]), summary([])
        ('0.950 ± 0.071 (2)', '0.500 (1)', '-')
    """
    if not values:
        return "-"
    mean = f"{statistics.fmean(values):.3f}"
    if len(values) == 1:
        return f"{mean} (1)"
    return f"{mean} ± {statistics.stdev(values):.3f} ({len(values)})"


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]], texts: Sequence[int]) -> str:
    """A table of Markdown; ``texts`` are the columns that are aligned left."""
    rule = ["---" if column in texts else "---:" for column in range(len(head))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines)) + "\n"
