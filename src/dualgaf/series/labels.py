"""Class labels as text: integers become their text, strings stay, None means unlabelled."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from dualgaf.errors import SeriesError, SeriesWarning
from dualgaf.given import as_numpy, is_absent

MISSING_TEXTS = frozenset({"", "?", "nan", "nat", "<na>"})
"""Texts that stand for a label that is missing, in small letters without blanks around them."""


def is_missing(label: Any) -> bool:
    """Whether one label is missing: None, NaN, NaT, masked, or one of `MISSING_TEXTS`.

    Example:
        >>> [is_missing(label) for label in (None, float("nan"), " ", "NaN", "?", 0, "None")]
        [True, True, True, True, True, False, False]
    """
    if isinstance(label, bytes):
        return label.strip().lower() in {text.encode() for text in MISSING_TEXTS}
    if isinstance(label, str):
        return label.strip().lower() in MISSING_TEXTS
    return is_absent(label)


def text_labels(y: Any, name: str) -> tuple[str | None, ...]:
    """One text a label.

    Args:
        y: N whole numbers, strings or None as list, array, tensor or column. 1.0 becomes "1".
        name: name of the arrays, for messages.

    Returns:
        N texts; None where the label `is_missing`. Where a value that is not None is taken for
        that, a `SeriesWarning` says so.

    Raises:
        SeriesError: not one value a series, or a value that is no class.

    Example:
        >>> text_labels([0, 1], "train"), text_labels(["walking", None], "train")
        (('0', '1'), ('walking', None))
    """
    # NumPy turns a list that mixes types into text, so the items of a list are read one by one.
    if isinstance(y, list | tuple):
        items = [None if item is np.ma.masked else item for item in y]
        shape = as_numpy(y, f"{name}: y").shape
    else:
        shape = as_numpy(y, f"{name}: y").shape
        # By its own means: a column of whole numbers with a gap would become float64 in NumPy.
        means = ("to_pylist", "to_list", "tolist")
        read = next((getattr(y, mean) for mean in means if hasattr(y, mean)), lambda: [y])
        items = list(read()) if shape else [y]
    if len(shape) != 1:
        raise SeriesError(
            f"{name}: y has shape {shape}; needed: (N,), one label a series (for one-hot "
            "rows type y.argmax(axis=1))"
        )
    missing = [index for index, item in enumerate(items) if is_missing(item)]
    if any(items[index] is not None for index in missing):
        _tell_missing(items, missing, name)
    gone = set(missing)
    return tuple(
        None if index in gone else _text(item, index, name) for index, item in enumerate(items)
    )


def sorted_classes(labels: Sequence[str | None]) -> tuple[str, ...]:
    """Labels without None, each once: by value where all are numbers, else by alphabet.

    Example:
        >>> sorted_classes(["10", "2", None, "2"]), sorted_classes(["b", "10"])
        (('2', '10'), ('10', 'b'))
    """
    names = sorted({label for label in labels if label is not None})
    try:
        numbers = {name: float(name) for name in names}
    except ValueError:
        return tuple(names)
    if not np.isfinite(list(numbers.values())).all():
        return tuple(names)
    return tuple(sorted(names, key=lambda name: (numbers[name], name)))


def _text(item: Any, index: int, name: str) -> str | None:
    plain = item.item() if hasattr(item, "item") else item
    if isinstance(plain, str):
        return plain
    if isinstance(plain, bytes):
        return plain.decode()
    if isinstance(plain, bool | int):
        return str(plain)
    if isinstance(plain, float) and plain.is_integer():
        return str(int(plain))
    raise SeriesError(
        f"{name}: label {index} is {plain!r}; allowed: whole numbers and strings (None where a "
        "series has no label)"
    )


def _tell_missing(items: Sequence[Any], missing: Sequence[int], name: str) -> None:
    first = next(index for index in missing if items[index] is not None)
    warnings.warn(
        f"{name}: {len(missing)} of {len(items)} labels are missing (label {first} is "
        f"{items[first]!r}), so their series are not trained on; if that is a class, give it "
        "another name, e.g. normal",
        SeriesWarning,
        stacklevel=3,
    )
