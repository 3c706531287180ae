"""Folds: parts of whole groups, each of which is the test split of one training.

``fold`` deals the groups out to as many parts as are asked for, label by label: the largest group
first, each to the part that has least of that label. The same seed makes the same parts, so each
group is tested once where the parts are tested in turn:
``python train.py -m sweep=folds data.split.method=fold``.
``leave_one_out`` tests a group at a time.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from dualgaf.errors import ConfigError, SplitError, check_whole, unknown_choice
from dualgaf.series.series import SeriesSet
from dualgaf.series.units import majority

FOLDS = ("fold", "leave_one_out")
"""Methods of splitting that test one part after the other."""

log = logging.getLogger(__name__)


def check_fold(method: str, fold: int, n_folds: int, unit: str) -> None:
    """Refuse folds that there cannot be.

    Raises:
        ConfigError: a number is none, or too large; a unit is not known.
    """
    check_whole("data.split.fold", fold, 0, 0)
    check_whole("data.split.n_folds", n_folds, 2, 5)
    if unit not in ("group", "plant"):
        raise ConfigError(unknown_choice("data.split.unit", unit, ("group", "plant")))
    if method == "fold" and fold >= n_folds:
        raise ConfigError(
            f"data.split.fold={fold} is not allowed; allowed: 0 to {n_folds - 1}, for "
            f"data.split.n_folds={n_folds}; type data.split.fold=0"
        )


def fold_of(
    series_set: SeriesSet,
    members: Mapping[str, list[int]],
    n_folds: int | None,
    fold: int,
    rng: np.random.Generator,
) -> tuple[list[int], list[int]]:
    """The series that are learned, and those of one fold.

    Args:
        series_set: all series.
        members: series of each group, which stays whole.
        n_folds: parts; None makes each group one, in order of their names.
        fold: which one is tested.
        rng: what draws among groups of one size.

    Returns:
        Indices of the others and of the fold, each in order.

    Raises:
        SplitError: there are fewer groups than folds, or no such fold.

    Example:
        >>> days = SeriesSet.from_arrays(np.zeros((6, 1, 4)), [0, 1] * 3)
        >>> by_day = {name: [n] for n, name in enumerate("abcdef")}
        >>> draws = (np.random.default_rng(0) for _ in range(3))
        >>> tested = [fold_of(days, by_day, 3, k, rng)[1] for k, rng in enumerate(draws)]
        >>> sorted(sum(tested, [])), [len({days.labels[n] for n in own}) for own in tested]
        ([0, 1, 2, 3, 4, 5], [2, 2, 2])
    """
    if n_folds is None:
        parts = [members[name] for name in sorted(members)]
    else:
        parts = _deal(series_set, list(members.values()), n_folds, rng)
    if fold >= len(parts):
        names = ", ".join(sorted(members)[:4])
        raise SplitError(
            f"data.split.fold={fold} is not there: {series_set.name} has {len(parts)} groups "
            f"({names}{', ...' if len(members) > 4 else ''}); allowed: 0 to {len(parts) - 1}; "
            "type data.split.fold=0"
        )
    tested = sorted(parts[fold])
    return sorted(n for part in parts for n in part if n not in {*tested}), tested


def _deal(
    series_set: SeriesSet, groups: Sequence[list[int]], n_folds: int, rng: np.random.Generator
) -> list[list[int]]:
    if len(groups) < n_folds:
        instead = (
            f"data.split.n_folds={len(groups)}" if len(groups) > 1 else "data.split.method=within"
        )
        raise SplitError(
            f"{series_set.name} has {len(groups)} group(s) for data.split.n_folds={n_folds}, and "
            f"no group is cut; type {instead}, or add data"
        )
    steps = [sum(series_set.values[n].shape[1] for n in group) for group in groups]
    labels = [majority(series_set, group) for group in groups]
    drawn = rng.permutation(len(groups))
    parts: list[list[int]] = [[] for _ in range(n_folds)]
    filled = [0] * n_folds
    for label in sorted({*labels}):
        own = [0] * n_folds
        for position in sorted((n for n in drawn if labels[n] == label), key=lambda n: -steps[n]):
            to = min(range(n_folds), key=lambda k: (own[k], filled[k], k))
            parts[to] += groups[position]
            own[to] += steps[position]
            filled[to] += steps[position]
    counts = Counter(labels)
    few = [f"{label!r} ({n})" for label, n in sorted(counts.items()) if n < n_folds]
    if few:
        log.warning(
            "of %d folds some have no group of a class, because it has fewer: %s",
            n_folds,
            ", ".join(few),
        )
    return parts
