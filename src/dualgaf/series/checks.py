"""What must hold for splits, whoever made them.

No row of a file or array is in two splits; where groups are promised to stay whole, no group is in
two of train, val and test; train has two classes or more, and every class of val and test.
Windows of two splits that are equal are counted.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, compress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xxhash

from dualgaf.errors import SplitError
from dualgaf.series.arrays import Array
from dualgaf.series.series import SeriesSet

_SMALL_BYTES = 4096
"""A series up to this size is hashed as fast as one of its values is read."""
_TAIL = 32
"""Values of the last channel that say whether two windows end alike."""


class _Rows(NamedTuple):
    source: str
    first: int
    last: int
    split: str


def check_disjoint(splits: Mapping[str, SeriesSet], whole_groups: bool = False) -> None:
    """Raise unless no row, and no group if promised, is in two splits.

    Args:
        splits: sets whose origins still describe their rows (before any change of length).
        whole_groups: also check that no group is in two of train, val and test.

    Raises:
        SplitError: names the rows, or the group, and both splits.

    Example:
        >>> import numpy as np
        >>> one = SeriesSet.from_arrays(np.zeros((1, 1, 4)))
        >>> check_disjoint({"train": one, "val": one})
        Traceback (most recent call last):
        ...
        dualgaf.errors.SplitError: rows 0 to 3 of arrays are in train and in val; ...
    """
    rows = sorted(
        _Rows(origin.source, origin.first_row, origin.first_row + length, name)
        for name, split in splits.items()
        for origin, length in zip(split.origins, split.lengths, strict=True)
    )
    # The interval that reaches furthest so far, of each split: an overlap need not be a neighbour.
    furthest: dict[str, _Rows] = {}
    for own in rows:
        for other in furthest.values():
            if other.split != own.split and other.source == own.source and own.first < other.last:
                raise SplitError(
                    f"rows {own.first} to {min(own.last, other.last) - 1} of {own.source} are in "
                    f"{other.split} and in {own.split}; a row may be in one split only"
                )
        known = furthest.get(own.split)
        if known is None or known.source != own.source or known.last < own.last:
            furthest[own.split] = own
    if whole_groups:
        _check_groups(splits)


def _check_groups(splits: Mapping[str, SeriesSet]) -> None:
    home: dict[str, str] = {}
    for name in ("train", "val", "test"):
        for group in sorted(set(splits[name].groups)) if name in splits else ():
            if home.setdefault(group, name) != name:
                raise SplitError(
                    f"group {group!r} is in {home[group]} and in {name}; a group may be in one "
                    "split only; type data.split.method=group, or data.split.method=within to "
                    "cut groups"
                )


def check_labels(splits: Mapping[str, SeriesSet]) -> None:
    """Raise unless train has two classes or more and every class of val and test.

    Args:
        splits: labelled sets under train, val and test.

    Raises:
        SplitError: names the class.
    """
    if "train" not in splits:
        raise SplitError(
            "no series is left for train; make data.split.val_fraction and "
            "data.split.test_fraction smaller"
        )
    known = splits["train"].class_names
    if len(known) < 2:
        files = {Path(origin.source).name.partition(".")[0] for origin in splits["train"].origins}
        ways = "add files or rows of another class, or check where labels come from"
        if files == {known[0]}:
            ways = "it is the name of the file; type data.label_column=NAME if a column has classes"
        raise SplitError(f"train has one class only, {known[0]!r}; needed: two or more; {ways}")
    for name in ("val", "test"):
        extra = set(splits[name].class_names) - set(known) if name in splits else set()
        if extra:
            raise SplitError(
                f"{name} has class {min(extra)!r}, which train lacks (train has "
                f"{', '.join(known[:8])}{', ...' if len(known) > 8 else ''}); add training data of "
                "that class or leave it out"
            )


def equal_windows(whole: SeriesSet, window_size: int | None, stride: int | None) -> str | None:
    """How many windows of an official split are also in another one, by their values.

    A hash of each small series, or the last value of each window, says for most that no other is
    equal to them. Those that share it are compared by how they end, and those that end alike by a
    hash of all their values. What is to be predicted may be known from training.

    Args:
        whole: series that are marked with their split.
        window_size: T; None = a series is one window.
        stride: steps between two windows; None = ``window_size``.

    Returns:
        Words for a message; None where there are none.

    Example:
        >>> import numpy as np
        >>> from dualgaf.series.series import join_sets
        >>> x = np.arange(8.0).reshape(2, 1, 4)
        >>> train, val = (SeriesSet.from_arrays(x, official=name) for name in ("train", "val"))
        >>> equal_windows(join_sets([train, val], "both"), None, None)
        '2 of the 2 windows of val are equal to windows of train'
    """
    series: dict[str, list[Array]] = {}
    for one, split in zip(whole.values, whole.official, strict=True):
        if split in ("train", "val", "test"):
            series.setdefault(split, []).append(one)
    is_small = window_size is None and whole.values[0].nbytes <= _SMALL_BYTES
    keys = {
        split: _hashes(own) if is_small else _lasts(own, window_size, stride)
        for split, own in series.items()
    }
    alike = _in_two(keys.values())
    if not alike:
        return None
    windows = {
        split: _chosen(_windows(own, window_size, stride), keys[split], alike)
        for split, own in series.items()
    }
    tails = {split: [*map(_tail, own)] for split, own in windows.items()}
    alike = _in_two(tails.values())
    hashes = {
        split: [*map(_hash, _chosen(own, tails[split], alike))] for split, own in windows.items()
    }
    told = []
    for earlier, later in combinations(hashes, 2):
        known = set(hashes[earlier])
        if n_equal := sum(window in known for window in hashes[later]):
            told.append(
                f"{n_equal} of the {len(keys[later])} windows of {later} are equal to windows "
                f"of {earlier}"
            )
    return "; ".join(told) or None


def _in_two(keys: Iterable[Collection[Any]]) -> set[Any]:
    """What is in two of the collections, or in more."""
    return set().union(*(one & other for one, other in combinations(map(set, keys), 2)))


def _chosen(windows: Iterable[Array], keys: Iterable[Any], wanted: set[Any]) -> list[Array]:
    return [*compress(windows, map(wanted.__contains__, keys))]


def _hashes(series: Sequence[Array]) -> list[int]:
    return [*map(xxhash.xxh3_64_intdigest, map(np.ascontiguousarray, series))]  # type: ignore[arg-type]


def _lasts(
    series: Sequence[Array], window_size: int | None, stride: int | None
) -> list[float | None]:
    """The last value of each window, None for NaN, which is equal to no NaN."""
    if window_size is None:
        values = [one.item(-1) for one in series]
    else:
        step = stride or window_size
        values = [value for one in series for value in one[-1, window_size - 1 :: step].tolist()]
    return [value if value == value else None for value in values]


def _windows(
    series: Sequence[Array], window_size: int | None, stride: int | None
) -> Iterator[Array]:
    if window_size is None:
        yield from series
        return
    for one in series:
        for first in range(0, one.shape[1] - window_size + 1, stride or window_size):
            yield one[:, first : first + window_size]


def _tail(window: Array) -> bytes:
    return window[-1, -_TAIL:].tobytes()


def _hash(window: Array) -> bytes:
    whole = np.ascontiguousarray(window)
    return xxhash.xxh3_128_digest(f"{whole.shape}".encode() + whole.tobytes())
