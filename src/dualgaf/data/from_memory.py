"""What is in memory already, arrays and frames: DataModules, and `inspect_frame`."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Self, cast

from dualgaf.data.checkpointed import CheckpointedDataModule
from dualgaf.data.inspection import Inspection, inspect_source
from dualgaf.series.source import ArraySource, Overlap, Source
from dualgaf.series.splits import SplitSettings
from dualgaf.series.tables.frames import FrameSource, frame_source


class FromMemory(CheckpointedDataModule):
    """The ways to a DataModule that need no source."""

    @classmethod
    def from_arrays(  # noqa: D417
        cls,
        train: tuple[Any, Any],
        val: tuple[Any, Any] | None = None,
        test: tuple[Any, Any] | None = None,
        predict: Any = None,
        *,
        overlap: Overlap = "warn",
        nan: str = "error",
        ragged: str = "error",
        window_size: int | None = None,
        stride: int | None = None,
        channel_names: Sequence[str] | None = None,
        **settings: Any,
    ) -> Self:
        """A DataModule of windows that are in memory.

        Args:
            train: (x, y): x (N, C, T) array or tensor, or a list of N frames, whose rows are times
                and whose columns are channels; y N integers or strings.
            val: likewise; without it there is no validation.
            test: likewise.
            predict: x alone.
            overlap: as `ArraySource` has it; so are ``nan`` to ``channel_names``.
            **settings: as for the class.

        Raises:
            SeriesError: a shape, a type or a length does not fit.
            ConfigError: a setting has a value that is not allowed.
        """
        given = SplitSettings("official", val_fraction=0.0)
        source = ArraySource(
            *(train, val, test, predict, channel_names),
            *(nan, ragged, window_size, stride),
            split=given,
            overlap=overlap,
        )
        return cls._of(source, settings)

    @classmethod
    def from_frame(cls, train: Any, val: Any = None, test: Any = None, **options: Any) -> Self:
        """A DataModule of frames that are in memory: rows are times, columns have names.

        Args:
            train: a frame, or a mapping of names to frames, as `FrameSource` has it.
            val: likewise; with neither ``val`` nor ``test``, ``train`` is dealt out by days or
                other groups, as ``split`` says.
            test: likewise.
            **options: fields of `FrameSource`, and settings as for the class.

        Raises:
            SourceError, SeriesError: a frame cannot be read, or its cells are not those needed.
            ConfigError: an option is not known, or has a value that is not allowed.

        Example:
            >>> import polars as pl
            >>> from dualgaf import DualGAFDataModule
            >>> rows = pl.DataFrame({"step": range(40), "flow": [0.5, 0.7] * 20})
            >>> rows = rows.with_columns(fault=pl.col("step") // 20)
            >>> data = DualGAFDataModule.from_frame(rows, test=rows[5:35], window_size=5)
            >>> data.windows.indices["test"].shape
            (6,)
        """
        own = {field.name for field in fields(FrameSource)} - {"frames"}
        told = {name: options.pop(name) for name in own & {*options}}
        return cls._of(frame_source(train, val, test, **told), options)

    @classmethod
    def _of(cls, source: Source, settings: dict[str, Any]) -> Self:
        build: Any = cls  # the class of the DataModule, which takes a source first
        return cast(Self, build(source, **settings))


def inspect_frame(
    train: Any, val: Any = None, test: Any = None, *, seed: int = 0, **options: Any
) -> Inspection:
    """`inspect_source` of frames that are in memory.

    Args:
        train: a frame, or a mapping of names to frames, as `FrameSource` has it.
        val: likewise; as for `DualGAFDataModule.from_frame`.
        test: likewise.
        seed: of the split.
        **options: fields of `FrameSource`.

    Raises:
        ConfigError: an option is not known, or has a value that is not allowed.
        SourceError: it is no frame, or cannot be looked at.

    Example:
        >>> import polars as pl
        >>> rows = pl.DataFrame({"step": range(40), "flow": [0.5, 0.7] * 20})
        >>> rows = rows.with_columns(fault=pl.col("step") // 20)
        >>> found = inspect_frame(rows, test=rows[5:35], window_size=5)
        >>> found.as_json()["windows_by_split"], found.problems
        ({'train': 8, 'test': 6}, ())
    """
    return inspect_source(frame_source(train, val, test, **options), seed)
