"""What of the val and the test split is outside of the training range, told by channel.

With ``scaling=train`` such a value is drawn as the edge of the range: two of them look alike. A run
says how many there are, in ``outside.csv``, in ``metrics.json`` and in its log.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.imaging.bounds import Outside, count_outside
from dualgaf.system.whole_file import write_csv

log = logging.getLogger(__name__)

COLUMNS = ("split", "channel", "windows", "windows_outside", "values_outside", "values_clipped")


def outside_training(data: DualGAFDataModule) -> dict[str, Outside]:
    """By split, what is outside; empty where images are not scaled by the training split.

    Args:
        data: the DataModule of a run; its images are not needed.
    """
    state = data.imaging_state()
    if state.bounds is None:
        return {}
    windowed = data.windows
    return {
        split: count_outside(windowed.windows, rows, state.recipe, state.bounds)
        for split, rows in windowed.indices.items()
        if split != "train"
    }


def write_outside(path: Path, found: Mapping[str, Outside], channel_names: tuple[str, ...]) -> None:
    """Write a line for each split and channel, and log those that have something outside.

    Args:
        path: the CSV file to write; its columns are `COLUMNS`.
        found: of `outside_training`.
        channel_names: C names.
    """
    lines = [
        (split, name, outside.total, *counts)
        for split, outside in found.items()
        for name, *counts in zip(
            channel_names,
            outside.windows.tolist(),
            outside.values.tolist(),
            outside.clipped.tolist(),
            strict=True,
        )
    ]
    write_csv(path, COLUMNS, lines)
    told = [
        f"  {split} {name}: {windows} of {total} windows, {values} values ({clipped} clipped)"
        for split, name, total, windows, values, clipped in lines
        if windows
    ]
    if told:
        log.info("outside of the training range, see %s:\n%s", path, "\n".join(told))
