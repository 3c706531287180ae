"""Splits along the time axis: later days of a plant, or the later part of each series.

`later_groups`: the past trains, later whole groups are validation, the last are test. Groups that
overlap in time, the same day of two plants say, go together.

`later_parts`: of each class of a group the first part trains, the next is validation, the last is
test. Rows beside a cut are neighbours in time, so it is easier than anything that comes later.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dualgaf.errors import SplitError
from dualgaf.series.missing import fill_again
from dualgaf.series.series import SeriesSet


@dataclass
class _Block:
    """Groups that overlap in time."""

    groups: list[str]
    end: float
    indices: list[int]


def later_groups(
    series_set: SeriesSet, labelled: Sequence[int], fractions: Mapping[str, float]
) -> dict[str, list[int]]:
    """Series of whole groups, in order of time.

    Args:
        series_set: all series.
        labelled: those that are dealt out.
        fractions: of the steps, by split in order of time: train, then val, then test.

    Returns:
        Indices by split.

    Raises:
        SplitError: times are not known, or fewer groups than splits follow each other.

    Example:
        >>> from dataclasses import replace
        >>> days = SeriesSet.from_arrays(np.zeros((4, 1, 3)), [0, 1, 0, 1])
        >>> times = tuple(np.arange(3) + 10 * day for day in (3, 1, 2, 0))
        >>> later_groups(replace(days, times=times), range(4), {"train": 0.5, "test": 0.5})
        {'train': [3, 1], 'test': [2, 0]}
    """
    blocks = _blocks(series_set, labelled, len(fractions))
    if len(blocks) < len(fractions):
        names = ", ".join(group for block in blocks for group in block.groups[:3])
        raise SplitError(
            f"data.split.method=time needs {len(fractions)} groups that follow each other in time "
            f"({', '.join(fractions)}); {series_set.name} has {len(blocks)} ({names}"
            f"{' overlap' if any(len(b.groups) > 1 for b in blocks) else ''}); "
            f"{_other_methods(sum(len(block.groups) for block in blocks), len(fractions))}"
        )
    steps = [sum(series_set.values[k].shape[1] for k in block.indices) for block in blocks]
    ends = np.cumsum(steps) / sum(steps)
    found: dict[str, list[int]] = {}
    first, upto = 0, 0.0
    for position, (name, fraction) in enumerate(fractions.items()):
        upto += fraction
        left = len(fractions) - position - 1
        # The cut nearest to the fraction, with a block for this split and each that follows.
        cuts = range(first + 1, len(blocks) - left + 1)
        last = len(blocks) if not left else min(cuts, key=lambda cut: abs(ends[cut - 1] - upto))
        found[name] = [index for block in blocks[first:last] for index in block.indices]
        first = last
    return found


def later_parts(
    series_set: SeriesSet, labelled: Sequence[int], fractions: Mapping[str, float]
) -> dict[str, SeriesSet]:
    """The first part of each class of a group, the next, and the last.

    Args:
        series_set: all series.
        labelled: those that are cut.
        fractions: of ``val`` and ``test``; the rest is train.

    Returns:
        Sets by split, gaps filled anew from each part alone.

    Example:
        >>> whole = SeriesSet.from_arrays(np.zeros((1, 1, 10)), ["a"])
        >>> parts = later_parts(whole, [0], {"val": 0.2, "test": 0.3})
        >>> {name: part.lengths for name, part in parts.items()}
        {'train': (5,), 'val': (2,), 'test': (3,)}
    """
    pieces: dict[str, list[tuple[int, int, int]]] = {"train": [], "val": [], "test": []}
    for record in _records(series_set, labelled):
        length = sum(series_set.values[index].shape[1] for index in record)
        test_first = length - round(length * fractions["test"])
        val_first = test_first - round(length * fractions["val"])
        cuts = (0, val_first, test_first, length)
        offset = 0
        for index in record:
            own = series_set.values[index].shape[1]
            for name, first, last in zip(pieces, cuts, cuts[1:], strict=False):
                low, high = max(first - offset, 0), min(last - offset, own)
                if low < high:
                    pieces[name].append((index, low, high))
            offset += own
    return {name: fill_again(series_set.cut(chosen)) for name, chosen in pieces.items() if chosen}


def _records(series_set: SeriesSet, labelled: Sequence[int]) -> list[list[int]]:
    """Series of one class and group, in order: a gap does not make two records of one."""
    records: dict[tuple[str, str, str | None], list[int]] = defaultdict(list)
    for index in labelled:
        source = series_set.origins[index].source
        records[source, series_set.groups[index], series_set.labels[index]].append(index)
    first = [origin.first_row for origin in series_set.origins]
    return [sorted(own, key=lambda index: first[index]) for own in records.values()]


def _blocks(series_set: SeriesSet, labelled: Sequence[int], n_splits: int) -> list[_Block]:
    """Groups in order of time, those that overlap as one."""
    members: dict[str, list[int]] = defaultdict(list)
    for index in labelled:
        members[series_set.groups[index]].append(index)
    spans = []
    for group, indices in members.items():
        times = [time for index in indices if (time := series_set.times[index]) is not None]
        if len(times) < len(indices):
            raise SplitError(
                f"data.split.method=time needs times; {series_set.name} has none for group "
                f"{group!r}; {_other_methods(len(members), n_splits)}"
            )
        ends = [float(np.asarray(end).astype(np.float64)) for t in times for end in (t[0], t[-1])]
        spans.append((min(ends), max(ends), group, indices))
    blocks: list[_Block] = []
    for start, end, group, indices in sorted(spans, key=lambda span: (span[0], span[2])):
        if blocks and start <= blocks[-1].end:
            blocks[-1].groups.append(group)
            blocks[-1].indices += indices
            blocks[-1].end = max(blocks[-1].end, end)
        else:
            blocks.append(_Block([group], end, list(indices)))
    return blocks


def _other_methods(n_groups: int, n_splits: int) -> str:
    """What to type instead; whole groups in another order need as many of them."""
    typed = "type data.split.method=within to cut each series in time"
    return f"{typed}, or data.split.method=group" if n_groups >= n_splits else typed
