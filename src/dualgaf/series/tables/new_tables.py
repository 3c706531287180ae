"""Tables that a trained network has not seen: read as those of its training, labels or none.

A column of classes is kept where it is there and never needed. It cuts nothing, so that windows are
the same without it. Columns that the network has not learned are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from dualgaf.errors import ConfigError
from dualgaf.series.tables.classes import BY_FILE
from dualgaf.series.tables.energyplus import EnergyPlusSource, has_run
from dualgaf.series.tables.frames import FrameSource
from dualgaf.series.tables.settings import TableSettings
from dualgaf.series.tables.source import TableSource
from dualgaf.series.tables.sql import SQLSource

NOT_KEPT = frozenset(
    (
        *("root", "frames", "uri", "query", "pattern"),
        *("year", "fault_log", "split", "split_column", "ragged"),
    )
)
"""Settings of a training that say nothing of other files: which they are, of which year, how they
are dealt out."""
FIXED = ("channels", "window_size", "split", "split_column", "ragged", "scale_by")
"""What cannot be chosen any more: the network has learned it, or nothing is split."""
RUNS = "EnergyPlusSource"
TABULAR = ("TableSource", "FrameSource", "SQLSource", RUNS)
"""Sources whose settings say how tables are read."""
OF_RUNS = ("time_column", "stamps", "same_time")
"""Settings of `RUNS` that say nothing of other tables."""


@dataclass(frozen=True)
class NewTables(TableSource):
    """A folder, or one file, whose rows are to be judged.

    Example:
        >>> learned = {"source": "TableSource", "time_column": "t", "label": "file", "pattern": "2*"}
        >>> settings = as_learned(NewTables, ("sat",), 12, 6, learned, {"nan": "interpolate"})
        >>> found = NewTables("week.csv", **settings)
        >>> found.time_column, found.label, found.pattern, found.stride, found.nan
        ('t', 'auto', None, 6, 'interpolate')
    """  # noqa: E501

    is_new: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class NewFrames(FrameSource):
    """A frame, or several, whose rows are to be judged."""

    is_new: ClassVar[bool] = True


@dataclass(frozen=True)
class NewQuery(SQLSource):
    """A query whose rows are to be judged."""

    is_new: ClassVar[bool] = True


@dataclass(frozen=True)
class NewRuns(EnergyPlusSource):
    """Runs of EnergyPlus, or one of them, whose rows are to be judged."""

    is_new: ClassVar[bool] = True


def kind_of_files(root: Path, learned: Mapping[str, Any]) -> type[NewTables] | type[NewRuns]:
    """How files are read: as runs of EnergyPlus, where they are some and such were learned.

    Args:
        root: a folder or a file.
        learned: what a checkpoint tells of the source.
    """
    return NewRuns if learned.get("source") == RUNS and has_run(root) else NewTables


def as_learned(
    kind: type[TableSettings],
    channels: tuple[str, ...],
    window_size: int,
    stride: int,
    learned: Mapping[str, Any],
    typed: Mapping[str, Any],
) -> dict[str, Any]:
    """The settings of a training for new tables.

    Args:
        kind: `NewTables`, `NewRuns`, `NewFrames` or `NewQuery`.
        channels: C names that the network has learned.
        window_size: T.
        stride: steps between the starts of two windows.
        learned: what a checkpoint tells of the source; those of arrays are not used.
        typed: options that take the place of those.

    Raises:
        ConfigError: an option is not known or cannot be chosen any more.
    """
    known = {field.name for field in fields(kind)} - {"root", "frames", "uri", "stride"}
    for option in typed:
        if option in FIXED:
            raise ConfigError(
                f"data.{option} cannot be chosen for new data: the network has learned windows "
                f"of {window_size} steps of {', '.join(channels)}; leave data.{option} out"
            )
        if option == "stride":
            raise ConfigError("data.stride is --stride here; type --stride N")
        if option not in known:
            raise ConfigError(
                f"data.{option} is not known; allowed: "
                f"{', '.join(f'data.{name}' for name in sorted(known - {*FIXED}))}"
            )
    kept = learned if learned.get("source") in TABULAR else {}
    own = {name: kept[name] for name in known - NOT_KEPT if name in kept}
    if own.get("label") in BY_FILE:  # names of files of a training
        own["label"] = "auto"
    if learned.get("source") == RUNS and not issubclass(kind, EnergyPlusSource):
        own = {name: value for name, value in own.items() if name not in OF_RUNS}
    fixed = {"channels": channels, "window_size": window_size, "stride": stride}
    return {**own, **typed, **fixed}
