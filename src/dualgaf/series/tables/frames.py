"""`FrameSource`: frames in memory, read as the same tables in files would be."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any, ClassVar

import polars as pl

from dualgaf.errors import ConfigError, DualGAFError, SourceError, unknown_choice
from dualgaf.series.contents import Contents
from dualgaf.series.doors import ARRAYS, in_python, worded
from dualgaf.series.inspection import Refuse
from dualgaf.series.series import SPLITS, SeriesSet
from dualgaf.series.splits import SplitSettings
from dualgaf.series.tables.columns import LABEL_NAMES, find_column, need_own_names
from dualgaf.series.tables.dialects.faultlog import FaultTable
from dualgaf.series.tables.frame_kinds import KINDS, Frame, as_table, clock_name, is_tabular
from dualgaf.series.tables.needed import unread, with_all_names
from dualgaf.series.tables.notes import Notes
from dualgaf.series.tables.table import NO_UNITS, Table
from dualgaf.series.tables.tabular import Tabular

ONE = "frame"
"""What a frame without a name is called."""
SPLIT = "dualgaf_split"
"""The column that says which split a frame is."""


@dataclass(frozen=True, eq=False)
class FrameSource(Tabular):
    """A frame, or several by name; its further fields are those of `TableSettings`.

    Rows are times and columns have names, as in a file; times may be the index of a pandas frame.
    What a file of the same cells would be refused for is refused here, too, in words for Python.

    Raises:
        ConfigError: a setting has a value that is not allowed.
        SourceError: there is no frame, or a frame cannot be read.

    Example:
        >>> import polars as pl
        >>> rows = pl.DataFrame({"step": [1, 2, 3, 4], "flow": [0.5, 0.6, 0.7, 0.8]})
        >>> frames = {"good": rows, "stuck": rows.with_columns(flow=1.0)}
        >>> source = FrameSource(frames, window_size=2)
        >>> found = source.load()
        >>> found.labels, found.channel_names
        (('good', 'stuck'), ('flow',))
    """

    frames: Any
    """A frame of pandas or polars, also a lazy one, a table of pyarrow, or anything that Arrow can
    stream; or a mapping of names to frames. A name is what the name of a file is."""
    fault_log: Any = field(default=None, kw_only=True)
    """A frame with the columns start, end and class, one row a fault."""

    kind: ClassVar[str] = "frames"
    door: ClassVar[str] = ARRAYS
    """How its options are typed."""

    def __post_init__(self) -> None:
        with worded(ARRAYS):
            super().__post_init__()
        given = self.frames if isinstance(self.frames, Mapping) else {ONE: self.frames}
        if not given:
            raise SourceError("frames is empty; give a frame, or a mapping of names to frames")
        clock = clock_name(self.time_column)
        # A stream can be read once, and what it gives may change: it is read here.
        tables = {str(name): as_table(frame, str(name), clock) for name, frame in given.items()}
        object.__setattr__(self, "frames", tables)
        if self.fault_log is not None:
            object.__setattr__(self, "fault_log", as_table(self.fault_log, "fault_log"))

    def contents(self) -> str:
        """Hash of the cells, the names and the settings; a lazy frame is collected for it."""
        found = Contents(self, leave_out=("frames", "fault_log"))
        for name, frame in self.frames.items():
            found.add_frame(name, _collected(frame))
        if self.fault_log is not None:
            found.add_frame("fault_log", _collected(self.fault_log))
        return found.hexdigest()

    @property
    def columns(self) -> set[str]:
        """Names of columns that are in some frame."""
        return {name.strip() for frame in self.frames.values() for name in frame.collect_schema()}

    @property
    def place(self) -> str:
        """What messages call all frames."""
        names = list(self.frames)
        return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")

    @property
    def set_name(self) -> str:
        """What the set is called."""
        return "frames" if len(self.frames) > 1 else next(iter(self.frames))

    @property
    def log_name(self) -> str | None:
        """What messages call the fault log."""
        return None if self.fault_log is None else "fault_log"

    @property
    def names_tell(self) -> bool:
        """Whether a name may be a class: that of a frame alone, or of a split, is none."""
        return not {ONE, *SPLITS} & {*self.frames}

    def tables(self, notes: Notes) -> Mapping[str, Table]:
        """The frames by name."""
        return {name: FrameTable(frame, name, self) for name, frame in self.frames.items()}

    def fault_table(self, notes: Notes) -> FaultTable | None:
        """The fault log."""
        if self.fault_log is None:
            return None
        return FaultTable("fault_log", _collected(self.fault_log))

    def understand(self, refuse: Refuse) -> SeriesSet:
        """See `Tabular.understand`; messages are in words for Python."""

        def refuse_in_python(error: DualGAFError) -> None:
            refuse(type(error)(in_python(str(error))))

        with worded(ARRAYS):
            found = super().understand(refuse_in_python)
        if found.facts is None:
            return found
        notes = tuple(in_python(note) for note in found.facts.notes)
        return replace(found, facts=replace(found.facts, notes=notes))

    def _check_log(self) -> None:
        if self.fault_log is not None and not is_tabular(self.fault_log):
            kind = type(self.fault_log).__name__
            raise SourceError(f"fault_log is a {kind}; allowed: {KINDS}; type fault_log=None")


@dataclass(frozen=True, eq=False)
class FrameTable:
    """A frame that is not looked at yet.

    Example:
        >>> frame = pl.DataFrame({" flow ": [1.0]})
        >>> table = FrameTable(frame, "pump", FrameSource(frame))
        >>> table.read(Notes()).columns, table.most_rows()
        (['flow'], 1)
    """

    frame: Frame
    """Its cells."""
    name: str
    """What messages call it."""
    settings: FrameSource
    """Which columns are needed."""

    header_line: ClassVar[int | None] = None
    named_units: ClassVar[Mapping[str, str]] = NO_UNITS

    def read(self, notes: Notes) -> pl.DataFrame:
        """The columns that something looks at; of the others the names."""
        schema = self.frame.collect_schema()
        names = [name.strip() for name in schema]
        need_own_names(names, self.name)
        out = unread(schema, self.settings, self.name)
        kept = [name for name in schema if name not in out] or list(schema)
        try:
            table = _collected(self.frame.select(kept))
        except pl.exceptions.PolarsError as error:
            raise SourceError(f"{self.name} cannot be read: {error}") from error
        if table.height == 0:
            raise SourceError(f"{self.name} has no row")
        return with_all_names(table, schema).rename(dict(zip(schema, names, strict=True)))

    def most_rows(self) -> int | None:
        """The rows of a frame that is not lazy."""
        return self.frame.height if isinstance(self.frame, pl.DataFrame) else None


def _collected(frame: Frame) -> pl.DataFrame:
    return frame.collect() if isinstance(frame, pl.LazyFrame) else frame


def frame_source(train: Any, val: Any = None, test: Any = None, **options: Any) -> FrameSource:
    """Frames as one source, split already or not.

    Args:
        train: a frame, or a mapping of names to frames.
        val: likewise; with neither ``val`` nor ``test``, ``train`` is dealt out as ``split`` says.
        test: likewise.
        **options: fields of `FrameSource`.

    Raises:
        ConfigError: an option is not known, or has a value that is not allowed.
        SourceError: a frame cannot be read.

    Example:
        >>> rows = pl.DataFrame({"step": [1, 2], "flow": [0.5, 0.6], "fault": ["a", "a"]})
        >>> frame_source(rows).split.method, frame_source(rows, test=rows).split.method
        ('group', 'official')
    """
    known = sorted({field.name for field in fields(FrameSource)} - {"frames"})
    for option in options:
        if option not in known:
            (close,) = get_close_matches(option, known, n=1, cutoff=0.0)
            raise ConfigError(unknown_choice("option", option, known, instead=f"{close}=..."))
    if val is None and test is None:
        return FrameSource(train, **options)
    return split_frames({"train": train, "val": val, "test": test}, **options)


def split_frames(given: Mapping[str, Any], **options: Any) -> FrameSource:
    """Frames that are split already, as one source.

    Args:
        given: ``train``, ``val``, ``test``: a frame, a mapping of names to frames, or None.
        **options: fields of `FrameSource`.

    Raises:
        ConfigError: an option also says how rows are split.
        SourceError: a frame cannot be read.

    Example:
        >>> rows = pl.DataFrame({"step": [1, 2], "flow": [0.5, 0.6], "fault": ["a", "a"]})
        >>> split_frames({"train": rows, "test": rows[:1]}).load().official
        ('train', 'test')
    """
    for option in ("split", "split_column"):
        if option in options:
            raise ConfigError(
                f"{option} says how rows are split, and so do val and test; leave {option} out, or "
                "give all rows as train"
            )
    clock = clock_name(options.get("time_column", "auto"))
    frames: dict[str, Frame] = {}
    for split, one in given.items():
        named = one if isinstance(one, Mapping) else {} if one is None else {"": one}
        for name, frame in named.items():
            file = f"{split}/{name}" if name else split
            table = as_table(frame, file, clock)
            frames[file] = table.with_columns(pl.lit(split).alias(SPLIT))
    official = SplitSettings("official", val_fraction=0.0)
    told = {**options, "split": official, "split_column": SPLIT}
    source = FrameSource(frames, **told)
    has_column = source.label_column or find_column([*source.columns], LABEL_NAMES)
    if source.label == "auto" and source.names_tell and not (has_column or source.log_name):
        return replace(source, label="name")  # train and test have frames of one name
    return source
