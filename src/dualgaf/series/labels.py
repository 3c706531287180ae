"""Class labels as text: integers become their text, strings stay, None means unlabelled."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dualgaf.errors import SeriesError
from dualgaf.series.arrays import as_numpy


def text_labels(y: Any, name: str) -> tuple[str | None, ...]:
    """One text a label.

    Args:
        y: N whole numbers, strings or None as list, array or tensor. 1.0 becomes "1".
        name: name of the arrays, for messages.

    Returns:
        N texts; None where there was None.

    Raises:
        SeriesError: not one value a series, or a value that is no class.

    Example:
        >>> text_labels([0, 1], "train"), text_labels(["walking", None], "train")
        (('0', '1'), ('walking', None))
    """
    values = as_numpy(y, f"{name}: y")
    if values.ndim != 1:
        raise SeriesError(
            f"{name}: y has shape {values.shape}; needed: (N,), one label a series (for one-hot "
            "rows type y.argmax(axis=1))"
        )
    # NumPy turns a list that mixes types into text, so the items of a list are read one by one.
    items = y if isinstance(y, list | tuple) else values.tolist()
    return tuple(_text(item, index, name) for index, item in enumerate(items))


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
    if plain is None or isinstance(plain, str):
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
