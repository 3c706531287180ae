"""What comes in: series from arrays, tables, the UCR/UEA archive or the simulator, and splits.

Sources that need polars or aeon are loaded when they are first named, so that this package stays as
light as NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dualgaf.series.series import Origin, SeriesSet
from dualgaf.series.source import ArraySource, Source
from dualgaf.series.splits import SplitSettings, split_series

if TYPE_CHECKING:
    from dualgaf.series.archive import ArchiveSource
    from dualgaf.series.simulate import SimulatedSource
    from dualgaf.series.tables.energyplus import EnergyPlusSource
    from dualgaf.series.tables.frames import FrameSource
    from dualgaf.series.tables.source import TableSource
    from dualgaf.series.tables.sql import SQLSource

__all__ = [
    "ArchiveSource",
    "ArraySource",
    "EnergyPlusSource",
    "FrameSource",
    "Origin",
    "SQLSource",
    "SeriesSet",
    "SimulatedSource",
    "Source",
    "SplitSettings",
    "TableSource",
    "split_series",
]

_LATER = {
    "ArchiveSource": "dualgaf.series.archive",
    "EnergyPlusSource": "dualgaf.series.tables.energyplus",
    "FrameSource": "dualgaf.series.tables.frames",
    "SQLSource": "dualgaf.series.tables.sql",
    "SimulatedSource": "dualgaf.series.simulate",
    "TableSource": "dualgaf.series.tables.source",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
