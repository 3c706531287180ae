"""Reader of ``.ts`` files, the format of the UEA and UCR archive.

    # a comment
    @problemName Toy
    @timeStamps false
    @univariate false
    @equalLength true
    @classLabel true A a
    @data
    1,2,3:4,5,6:A

A line is a case: its channels and then its class, with colons between them, the steps of a channel
with commas. With time stamps a step is ``(time,value)``. ``?`` and NaN are missing values.

The reader of aeon writes everything in small letters, so that the classes ``A`` and ``a`` are one,
keeps the blank of ``: A``, takes classes that the header does not list, and loses signs and whole
numbers behind time stamps: that is why there is one here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from dualgaf.errors import SourceError
from dualgaf.series.arrays import Array
from dualgaf.series.labels import is_missing

_TRUTHS = {"true": True, "false": False}
_TUPLE = re.compile(r"\(([^()]*)\)\s*(?:,\s*(?=\()|$)")
_SAME_STEP = 1e-6


@dataclass(frozen=True)
class _Header:
    tags: Mapping[str, bool]
    """In small letters."""
    classes: tuple[str, ...] | None
    """As they are written; None where the header does not list them."""

    @property
    def is_classes(self) -> bool:
        """Whether a case ends with a class."""
        return self.tags.get("classlabel", True) and not self.tags.get("targetlabel", False)


def read_ts(path: Path) -> tuple[list[Array], list[str] | None]:
    r"""Cases and classes of a file.

    Returns:
        One (C, L_i) float64 array a case, NaN where a value is missing; and its class as it is
        written, which may be one that `is_missing`. None instead of the classes where a case ends
        with a number, or with none.

    Raises:
        SourceError: a line is not of the format, or has a class that the header does not list;
            names file and line.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = Path(folder.name, "Toy_TRAIN.ts")
        >>> _ = path.write_text("@classLabel true A a\n@data\n1,2,3 : A\n4,5,6:a\n")
        >>> cases, classes = read_ts(path)
        >>> classes, cases[1].tolist()
        (['A', 'a'], [[4.0, 5.0, 6.0]])
        >>> folder.cleanup()
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path.name} cannot be read: {error}") from error
    lines = enumerate(text.splitlines(), 1)
    header = _header(lines, path.name)
    if not header.is_classes:
        return [], None
    cases: list[Array] = []
    classes: list[str] = []
    for number, line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        where = f"{path.name}, line {number}"
        case, label = _case(line.strip(), header, where)
        if cases:
            _check_like_first(cases[0], case, header, where)
        cases.append(case)
        classes.append(_listed(label, header, where))
    if not cases:
        raise SourceError(f"{path.name} has no case below @data; needed: one a line")
    return cases, classes


def _header(lines: Iterator[tuple[int, str]], file: str) -> _Header:
    tags: dict[str, bool] = {}
    classes: tuple[str, ...] | None = None
    for number, line in lines:
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"{file}, line {number}"
        if not words[0].startswith("@"):
            raise SourceError(
                f"{where} is {line.strip()[:60]!r}, and there is no @data above it; needed: lines "
                "with @ and then @data"
            )
        tag = words[0][1:].lower()
        if tag == "data":
            return _Header(tags, classes)
        value = _TRUTHS.get(words[1].lower()) if len(words) > 1 else None
        if tag == "classlabel":
            if value is None or (value and len(words) == 2):
                raise SourceError(
                    f"{where} is {line.strip()[:60]!r}; needed: @classLabel true and the names of "
                    "the classes, or @classLabel false"
                )
            classes = tuple(words[2:]) if value else None
        if tag in ("timestamps", "univariate", "equallength", "targetlabel") and value is None:
            raise SourceError(f"{where} is {line.strip()[:60]!r}; needed: {words[0]} true or false")
        if value is not None:
            tags[tag] = value
    raise SourceError(f"{file} has no line @data; needed: a header, @data and the cases")


def _case(line: str, header: _Header, where: str) -> tuple[Array, str]:
    """(C, L) values, and the class as it is written."""
    stamped = header.tags.get("timestamps", False)
    if stamped:
        *channels, label = re.split(r"(?<=\))\s*:", line)
    else:
        *channels, label = line.split(":")
    if not channels:
        raise SourceError(
            f"{where} is {line[:60]!r}, which has no colon; needed: the values, a colon and the "
            "class"
        )
    read = [
        _numbers(_behind_stamps(text, where) if stamped else text.split(","), where, number)
        for number, text in enumerate(channels, 1)
    ]
    lengths = [len(values) for values in read]
    if len(set(lengths)) > 1:
        raise SourceError(
            f"{where}: its channels have {', '.join(map(str, lengths))} steps; all channels of a "
            "case need the same number"
        )
    return np.stack(read), label.strip()


def _numbers(cells: list[str], where: str, channel: int) -> Array:
    known = ["nan" if cell.strip() == "?" else cell for cell in cells]
    try:
        return np.array(known, dtype=np.float64)
    except ValueError:
        stray = next(cell for cell in known if not _is_number(cell))
        file, line = where.split(", ")
        raise SourceError(
            f"{file} cannot be read: could not convert {stray.strip()!r} to a number ({line}, "
            f"channel {channel}); write ? where a value is missing"
        ) from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _behind_stamps(text: str, where: str) -> list[str]:
    """The values of ``(0,1.5),(1,2.5)``, whose times must be evenly spaced."""
    text = text.strip()
    pairs = [found[1].rpartition(",") for found in _TUPLE.finditer(text)]
    if not pairs or _TUPLE.sub("", text):
        raise SourceError(
            f"{where} has {text[:60]!r}; needed with @timeStamps true: (time,value) with commas "
            "between them"
        )
    try:
        times = np.array([float(time) for time, _, _ in pairs])
    except ValueError:
        try:
            dates = np.array([time.strip().replace("/", "-") for time, _, _ in pairs], "M8[us]")
        except ValueError:
            raise SourceError(
                f"{where}: {pairs[0][0]!r} is no time; needed: numbers or ISO dates"
            ) from None
        times = dates.astype(np.float64)
    steps = np.diff(times)
    uneven = [k for k, (a, b) in enumerate(pairwise(steps)) if abs(b - a) > _SAME_STEP * abs(a)]
    if uneven or (steps <= 0).any():
        raise SourceError(
            f"{where}: its times are not evenly spaced, {pairs[0][0]!r}, {pairs[1][0]!r} and so "
            "on, and a series here is; resample it first"
        )
    return [value for _, _, value in pairs]


def _check_like_first(first: Array, case: Array, header: _Header, where: str) -> None:
    if len(case) != len(first):
        raise SourceError(
            f"{where} has {len(case)} channels, the first case has {len(first)}; all cases need "
            "the same"
        )
    if header.tags.get("equallength", False) and case.shape != first.shape:
        raise SourceError(
            f"{where} has {case.shape[1]} steps, the first case has {first.shape[1]}, and the "
            "header says @equalLength true; mend the line, or write @equalLength false"
        )


def _listed(label: str, header: _Header, where: str) -> str:
    """The class as the header writes it; numbers may be written in another way."""
    if is_missing(label) or header.classes is None or label in header.classes:
        return label
    if _is_number(label):
        same = [c for c in header.classes if _is_number(c) and float(c) == float(label)]
        if len(same) == 1:
            return same[0]
    raise SourceError(
        f"{where}: class {label!r} is none of those that the header lists (@classLabel true "
        f"{' '.join(header.classes)[:120]}); write it there, or mend the line"
    )
