"""What a split keeps whole: series, groups or plants."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal

from dualgaf.errors import SplitError
from dualgaf.series.series import SeriesSet

Unit = Literal["series", "group", "plant"]
"""What is dealt out whole."""


def members_of(series_set: SeriesSet, chosen: Sequence[int], unit: Unit) -> dict[str, list[int]]:
    """Series of each unit, by its name.

    Raises:
        SplitError: plants are asked for, and a series has none.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for index in chosen:
        plant = series_set.plants[index]
        if unit == "plant" and plant is None:
            raise SplitError(
                f"data.split.method=plant leaves plants out, and {series_set.name} does not say "
                "which plant a series is of; type data.plant_column=NAME, or "
                "data.split.method=group"
            )
        names = {"series": f"{index}", "group": series_set.groups[index], "plant": f"{plant}"}
        members[names[unit]].append(index)
    return members


def majority(series_set: SeriesSet, group: Sequence[int]) -> str:
    """Label with most steps in a group, the first by alphabet among equals."""
    steps: Counter[str] = Counter()
    for index in group:
        steps[str(series_set.labels[index])] += series_set.values[index].shape[1]
    return min(steps, key=lambda label: (-steps[label], label))
