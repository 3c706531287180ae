"""Which series belong to the groups that ``data.split.test_groups`` names, days for instance."""

from collections.abc import Sequence
from difflib import get_close_matches

from dualgaf.errors import ConfigError, SplitError, clock_meant, not_allowed, typed_option
from dualgaf.series.series import SeriesSet


def group_names(value: object) -> tuple[str, ...]:
    """Names of groups as a tuple of texts; a number stands for its text.

    Raises:
        ConfigError: it is not a list of names.

    Example:
        >>> group_names(["2008-02-12", 7])
        ('2008-02-12', '7')
    """
    if not isinstance(value, list | tuple) or not all(
        isinstance(item, str | int) and not isinstance(item, bool) for item in value
    ):
        raise ConfigError(
            not_allowed(
                "data.split.test_groups",
                value,
                "a list of names of groups",
                "data.split.test_groups=[2008-02-12], or [] for a fraction of the groups",
            )
        )
    return tuple(str(item) for item in value)


def series_of_groups(
    series_set: SeriesSet, indices: Sequence[int], names: Sequence[str]
) -> list[int]:
    """Those of the series whose group is named.

    Args:
        series_set: all series.
        indices: series that may be chosen.
        names: a group is meant by its whole name, or by a part of it between slashes: the day of
            ``plant.csv/2008-02-12``, or the file.

    Returns:
        Indices, in the order in which they came.

    Raises:
        SplitError: a name that no group has; lists the closest ones.

    Example:
        >>> import numpy as np
        >>> days = SeriesSet.from_arrays(np.zeros((3, 1, 4)), groups=["a/1", "a/2", "b/1"])
        >>> series_of_groups(days, [0, 1, 2], ["1"]), series_of_groups(days, [0, 1, 2], ["a/2"])
        ([0, 2], [1])
    """
    meant = {group: {group, *group.split("/")} for group in series_set.groups}
    for name in names:
        if not any(name in meant[series_set.groups[index]] for index in indices):
            known = list(dict.fromkeys(series_set.groups[index] for index in indices))
            plants = {series_set.plants[index] for index in indices} - {None}
            parts = sorted(map(str, plants))
            parts += list(dict.fromkeys(group.rpartition("/")[2] for group in known))
            close = get_close_matches(name, parts, n=len(parts), cutoff=0.3)
            listed = [*close, *(part for part in parts if part not in close)]
            shown = ", ".join(listed[:8]) + (", ..." if len(listed) > 8 else "")
            clock = clock_meant(int(name)) if name.isdecimal() else None
            meant_clock = f", which YAML makes of {clock} without quotes" if clock in parts else ""
            likely = str(clock) if meant_clock else listed[0]
            raise SplitError(
                f"no group is called {name!r} (data.split.test_groups){meant_clock}; there are: "
                f"{shown}; type {typed_option('data.split.test_groups', [likely])}"
            )
    wanted = set(names)
    return [index for index in indices if wanted & meant[series_set.groups[index]]]
