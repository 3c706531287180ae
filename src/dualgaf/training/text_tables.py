"""Tables as text: aligned for a screen, or Markdown; and what stands in a cell."""

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
    r"""A table of Markdown.

    Args:
        head: names of the columns.
        lines: cells of each line.
        texts: columns that are aligned left.

    Example:
        >>> print(markdown(["set", "accuracy"], [["a|b", "0.5"]], texts=(0,)), end="")
        | set | accuracy |
        | --- | ---: |
        | a\|b | 0.5 |
    """
    rule = ["---" if column in texts else "---:" for column in range(len(head))]
    safe = [[cell.replace("|", r"\|") for cell in line] for line in (head, *lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (safe[0], rule, *safe[1:])) + "\n"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of a table, its head first, with columns below each other.

    Example:
        >>> print(aligned([["job", "acc"], ["10", "0.5"]]))
          job  acc
          10   0.5
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True))
        for line in lines
    )
    return "\n".join(f"  {line}".rstrip() for line in padded)
