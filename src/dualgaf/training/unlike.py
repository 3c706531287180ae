"""What of the val and the test split is unlike the training split, told by channel.

The rule is that of a prediction of new data (`dualgaf.inference.unlike`). Beside it `outside.csv`
tells what is clipped.
"""

import logging
import math
from collections.abc import Mapping
from pathlib import Path

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.data.training_facts import TrainingFacts
from dualgaf.inference.unlike import Unlike, compare
from dualgaf.system.whole_file import write_csv

log = logging.getLogger(__name__)

COLUMNS = ("split", "channel", "windows", "windows_unlike", "training_low", "training_high")


def unlike_training(data: DualGAFDataModule) -> dict[str, Unlike]:
    """By split, what is unlike the training split.

    Args:
        data: the DataModule of a run; its images are not needed.
    """
    windowed, facts = data.windows, data.imaging_state().facts
    starts = windowed.start_times
    found = {
        split: compare(
            windowed.windows,
            rows,
            windowed.channel_names,
            facts,
            source=[windowed.sources[row] for row in rows],
            start=None if starts is None else starts[rows],
        )
        for split, rows in windowed.indices.items()
        if split != "train"
    }
    return {split: each for split, each in found.items() if each is not None}


def write_unlike(
    path: Path, found: Mapping[str, Unlike], channel_names: tuple[str, ...], facts: TrainingFacts
) -> None:
    """Write a line for each split and channel, and log those that have something unlike.

    Args:
        path: the CSV file to write; its columns are `COLUMNS`.
        found: of `unlike_training`.
        channel_names: C names.
        facts: of the training.
    """
    lines = [
        (split, name, len(unlike.codes), n, f"{low:.9g}", f"{high:.9g}")
        for split, unlike in found.items()
        for name, n, low, high in zip(
            channel_names, unlike.windows.tolist(), facts.low, facts.high, strict=True
        )
    ]
    write_csv(path, COLUMNS, lines)
    told = [f"  {s} {name}: {n} of {total} windows" for s, name, total, n, *_ in lines if n]
    if told:
        flagged = math.nan if facts.limits is None else facts.limits.flagged
        rate = "" if math.isnan(flagged) else f" (a good group: {flagged:.1%} of its windows)"
        log.info("unlike the training%s, see %s:\n%s", rate, path, "\n".join(told))
