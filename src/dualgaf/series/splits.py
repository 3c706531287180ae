"""Train, validation and test series, chosen before windows are cut.

1. Series that are marked predict, or have no label, go to predict.
2. Those of the groups that `test_groups` names are the test split, if it names any.
3. The others are dealt out by one of eight methods: as the source prescribes (`official`), by whole
   groups (`group`), by whole plants (`plant`), by whole groups in order of time (`time`), along the
   time axis of each class of a group (`within`), by label (`stratified`); or one part of whole
   groups after the other is the test split (`fold`, `leave_one_out`), see `dualgaf.series.folds`.
4. The result is checked: no row is in two splits, no group is in two splits where the method
   promises that, train knows every class.

Groups are dealt out label by label: each label's groups are shuffled; the first goes to train, one
each to the other splits as long as there are enough, and each of the rest, largest first, to the
split that is furthest from its fraction of that label's steps.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self, get_args

import numpy as np

from dualgaf.errors import ConfigError, SplitError, not_allowed, unknown_choice
from dualgaf.series.checks import check_disjoint, check_labels
from dualgaf.series.folds import FOLDS, check_fold, fold_of
from dualgaf.series.holdout import group_names, series_of_groups
from dualgaf.series.series import SeriesSet
from dualgaf.series.time_splits import later_groups, later_parts
from dualgaf.series.units import Unit, majority, members_of

SplitMethod = Literal[
    "official", "group", "plant", "time", "within", "stratified", "fold", "leave_one_out"
]
Parts = dict[str, list[int]]

log = logging.getLogger(__name__)

# Enough draws to find one with every class in train where groups hold several labels.
_DRAWS = 32


@dataclass(frozen=True)
class SplitSettings:
    """How series are dealt out to train, val and test.

    Raises:
        ConfigError: a field has a value that is not allowed.

    Example:
        >>> SplitSettings("group", test_groups=["2008-02-12"]).test_groups
        ('2008-02-12',)
    """

    method: SplitMethod = "official"
    """``official``: as the source prescribes; ``group``: whole days, runs or subjects; ``plant``:
    whole plants, so that val and test are of plants that are not learned; ``time``: as ``group``,
    the past is train, later ones are val, the last are test; ``within``: the first part of each
    class of a group is train, then val, then test; ``stratified``: by label; ``fold``: the groups
    are dealt out to ``n_folds`` parts, and part ``fold`` is test; ``leave_one_out``: group number
    ``fold`` is test, by name."""
    val_fraction: float = 0.2
    """Fraction of the series (of the official training series with ``official``); 0 = no val."""
    test_fraction: float = 0.2
    """Fraction of the series; 0 = no test. ``official`` takes its test series from the source."""
    test_groups: tuple[str, ...] = ()
    """Groups that are the test split, whatever ``test_fraction`` says: one day to leave a day out.
    A group is meant by its name or by a part of it between slashes."""
    fold: int = 0
    """Of ``fold`` and ``leave_one_out``: which part is the test split, from 0 on."""
    n_folds: int = 5
    """Of ``fold``: parts, 2 or more."""
    unit: str = "group"
    """Of ``fold`` and ``leave_one_out``: what stays whole, ``group`` or ``plant``."""

    def __post_init__(self) -> None:
        if self.method not in get_args(SplitMethod):
            raise ConfigError(
                unknown_choice("data.split.method", self.method, get_args(SplitMethod))
            )
        for option in ("val_fraction", "test_fraction"):
            value = getattr(self, option)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
                raise ConfigError(
                    not_allowed(
                        f"data.split.{option}", value, "0 to below 1", f"data.split.{option}=0.2"
                    )
                )
        check_fold(self.method, self.fold, self.n_folds, self.unit)
        object.__setattr__(self, "test_groups", group_names(self.test_groups))
        if self.test_groups and self.method == "official":
            raise ConfigError(
                "data.split.test_groups does not go with data.split.method=official, where the "
                "source says what is test; allowed: group, plant, time, stratified; type "
                "data.split.method=group"
            )
        if self.test_groups and self.method in FOLDS:
            raise ConfigError(
                f"data.split.test_groups does not go with data.split.method={self.method}, where "
                "data.split.fold says what is test; leave test_groups out, or type "
                "data.split.method=group"
            )
        is_test_fraction = not self.test_groups and self.method not in FOLDS
        if is_test_fraction and self.val_fraction + self.test_fraction >= 1:
            raise ConfigError(
                f"data.split.val_fraction={self.val_fraction} and data.split.test_fraction="
                f"{self.test_fraction} leave nothing to train; allowed: a sum below 1; "
                "type data.split.val_fraction=0.2 data.split.test_fraction=0.2"
            )

    @classmethod
    def of(cls, value: Any) -> Self:
        """Settings as they are, or built from a mapping (a configuration file).

        Example:
            >>> SplitSettings.of({"method": "time"}).method
            'time'
        """
        if isinstance(value, cls):
            return value
        allowed = [field.name for field in fields(cls)]
        if not isinstance(value, Mapping):
            raise ConfigError(
                not_allowed(
                    "data.split",
                    value,
                    f"SplitSettings or a mapping with {', '.join(allowed)}",
                    "data.split.method=group",
                )
            )
        for key in value:
            if key not in allowed:
                raise ConfigError(
                    unknown_choice("data.split", key, allowed, instead="data.split.method=...")
                )
        return cls(**value)


def split_series(series_set: SeriesSet, settings: SplitSettings, seed: int) -> dict[str, SeriesSet]:
    """The series of each split.

    Args:
        series_set: all series of a source.
        settings: method and fractions.
        seed: the same seed gives the same split.

    Returns:
        Sets under train, val, test and predict; empty ones are absent.

    Raises:
        SplitError: no labels, too few groups, an empty training split, one class only, a class
            that train lacks, or rows or groups in two splits.

    Example:
        >>> days = SeriesSet.from_arrays(np.zeros((10, 1, 4)), [0, 1] * 5)
        >>> splits = split_series(days, SplitSettings("stratified"), seed=0)
        >>> {name: len(split) for name, split in splits.items()}
        {'train': 6, 'val': 2, 'test': 2}
    """
    rng = np.random.default_rng(seed)
    official, labels = series_set.official, series_set.labels
    labelled = [
        index
        for index, mark in enumerate(official)
        if mark != "predict" and labels[index] is not None
    ]
    predict = sorted(set(range(len(series_set))) - set(labelled))
    if not labelled:
        raise SplitError(
            f"no series of {series_set.name} has a label and is meant for training, so there is "
            "nothing to train on; give labels: y, data.label=file or data.label_column=NAME"
        )
    splits = _assign(series_set, labelled, settings, rng)
    check_labels(splits)
    if predict:
        splits["predict"] = series_set.take(predict)
    whole = ("official", "group", "plant", "time", *FOLDS)
    check_disjoint(splits, whole_groups=settings.method in whole)
    return splits


def _assign(
    series_set: SeriesSet, labelled: list[int], settings: SplitSettings, rng: np.random.Generator
) -> dict[str, SeriesSet]:
    if settings.test_groups:
        left_out = series_of_groups(series_set, labelled, settings.test_groups)
        others = sorted(set(labelled) - set(left_out))
        if not others:
            raise SplitError(
                f"data.split.test_groups names every group of {series_set.name}, so nothing is "
                "left for train; name fewer"
            )
        rest = replace(settings, test_groups=(), test_fraction=0.0)
        return {
            **_assign(series_set, others, rest, rng),
            "test": series_set.take(left_out),
        }
    if settings.method in FOLDS:
        unit: Unit = "plant" if settings.unit == "plant" else "group"
        others, left_out = fold_of(
            series_set,
            members_of(series_set, labelled, unit),
            None if settings.method == "leave_one_out" else settings.n_folds,
            settings.fold,
            rng,
        )
        rest = replace(settings, method="plant" if unit == "plant" else "group", test_fraction=0.0)
        return {
            **_assign(series_set, others, rest, rng),
            "test": series_set.take(left_out),
        }
    if settings.method == "within":
        given = {"val": settings.val_fraction, "test": settings.test_fraction}
        return later_parts(series_set, labelled, given)
    fractions = _fractions(val=settings.val_fraction, test=settings.test_fraction)
    if settings.method == "official":
        parts = _official(series_set, labelled, settings, rng)
    elif settings.method == "time":
        parts = later_groups(series_set, labelled, fractions)
    else:
        units: dict[str, Unit] = {"stratified": "series", "plant": "plant"}
        whole = units.get(settings.method, "group")
        parts = _by_group(series_set, labelled, fractions, rng, whole)
    ordered = ((name, parts.get(name, [])) for name in ("train", "val", "test"))
    return {name: series_set.take(sorted(chosen)) for name, chosen in ordered if chosen}


def _fractions(**fractions: float) -> dict[str, float]:
    wanted = {name: fraction for name, fraction in fractions.items() if fraction > 0}
    return {"train": 1.0 - sum(wanted.values()), **wanted}


def _official(
    series_set: SeriesSet, labelled: list[int], settings: SplitSettings, rng: np.random.Generator
) -> Parts:
    parts: Parts = defaultdict(list)
    for index in labelled:
        mark = series_set.official[index]
        if mark is None:
            raise SplitError(
                f"data.split.method=official, but {series_set.name} prescribes no split for "
                f"{series_set.describe(index)}; allowed here: group, time, within, stratified; "
                "type data.split.method=group"
            )
        parts[mark].append(index)
    if not parts["train"]:
        raise SplitError(
            f"{series_set.name} prescribes no series for train, only "
            f"{', '.join(name for name, chosen in parts.items() if chosen)}; "
            "type data.split.method=group"
        )
    if parts["val"] or not settings.val_fraction:
        return parts
    groups = members_of(series_set, parts["train"], "group").values()
    if max(Counter(majority(series_set, group) for group in groups).values()) == 1:
        log.warning(  # the archive has such sets
            "%s has one training series for each class, or one group of them, so none is held out: "
            "there is no val split",
            series_set.name,
        )
        return parts
    fractions = _fractions(val=settings.val_fraction)
    return parts | _by_group(series_set, parts["train"], fractions, rng, "group")


def _by_group(
    series_set: SeriesSet,
    chosen: list[int],
    fractions: Mapping[str, float],
    rng: np.random.Generator,
    unit: Unit,
) -> Parts:
    """Series of ``chosen`` by split, those of a unit together."""
    members = members_of(series_set, chosen, unit)
    _check_enough(series_set, members, fractions, unit)
    classes = {series_set.labels[index] for index in chosen}
    for _ in range(_DRAWS):
        parts = _deal_groups(series_set, list(members.values()), fractions, rng)
        if {series_set.labels[index] for index in parts["train"]} == classes:
            break
    empty = [name for name in fractions if not parts[name]]
    if empty:
        counts = Counter(majority(series_set, group) for group in members.values())
        typed = " ".join(f"data.split.{name}_fraction=0" for name in empty)
        raise SplitError(
            f"no {unit} is left for {' and '.join(empty)}: {_counted(counts, unit)}, and "
            f"train needs one of each class; type {typed}, "
            "data.split.method=within, or add data"
        )
    return parts


def _deal_groups(
    series_set: SeriesSet,
    groups: Sequence[list[int]],
    fractions: Mapping[str, float],
    rng: np.random.Generator,
) -> Parts:
    strata: dict[str, list[list[int]]] = defaultdict(list)
    for group in groups:
        strata[majority(series_set, group)].append(group)
    parts: Parts = {name: [] for name in fractions}
    filled = dict.fromkeys(fractions, 0.0)
    for label in sorted(strata):
        stratum = strata[label]
        shuffled = [stratum[i] for i in rng.permutation(len(stratum))]
        sizes = [sum(series_set.values[index].shape[1] for index in group) for group in shuffled]
        # Splits that are behind over all labels come first where a label has too few groups.
        order = sorted(
            fractions, key=lambda name: (name != "train", filled[name] / fractions[name])
        )
        for name, position in _deal(sizes, fractions, order):
            parts[name] += shuffled[position]
            filled[name] += sizes[position]
    return parts


def _deal(
    sizes: Sequence[int], fractions: Mapping[str, float], order: Sequence[str]
) -> list[tuple[str, int]]:
    """(split, position) of each group of one label, given the steps in each group."""
    dealt = list(zip(order, range(len(sizes)), strict=False))
    given = dict.fromkeys(fractions, 0)
    for name, position in dealt:
        given[name] += sizes[position]
    total = sum(sizes)
    rest = sorted(range(len(dealt), len(sizes)), key=lambda position: -sizes[position])
    for position in rest:
        name = max(fractions, key=lambda split: fractions[split] * total - given[split])
        given[name] += sizes[position]
        dealt.append((name, position))
    return dealt


def _check_enough(
    series_set: SeriesSet, members: Mapping[str, Any], fractions: Mapping[str, float], unit: Unit
) -> None:
    if len(members) >= len(fractions):
        return
    names = "" if unit == "series" else f" ({', '.join(list(members)[:5])})"
    # Train needs one of each class, and the other split one more.
    classes = {majority(series_set, group) for group in members.values()}
    ways = " or data.split.method=group" if unit == "plant" else ""
    if len(members) > len(classes):
        ways += ", or data.split.val_fraction=0 or data.split.test_fraction=0"
    raise SplitError(
        f"{series_set.name} has {len(members)} {unit}(s){names} for {len(fractions)} splits "
        f"({', '.join(fractions)}); type data.split.method=within{ways}, or add data"
    )


def _counted(counts: Counter[str], unit: Unit) -> str:
    shown = [f"class {label!r} has {n}" for label, n in sorted(counts.items())[:6]]
    return f"{', '.join(shown)}{', ...' if len(counts) > 6 else ''} {unit}(s)"
