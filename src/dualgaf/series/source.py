"""`Source`, what every source of series offers, and `ArraySource`, series that are in memory."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, get_args

from dualgaf.errors import (
    ConfigError,
    SeriesError,
    SeriesWarning,
    SplitError,
    check_whole,
    unknown_choice,
)
from dualgaf.given import is_frame, tell_order
from dualgaf.series.checks import equal_windows
from dualgaf.series.contents import Contents
from dualgaf.series.doors import ARRAYS, FILES
from dualgaf.series.lengths import check_ragged_rule
from dualgaf.series.missing import check_nan_policy, repair_nan
from dualgaf.series.series import SeriesSet, join_sets
from dualgaf.series.splits import SplitSettings

Overlap = Literal["warn", "error", "allow"]


class Source(Protocol):
    """Where series come from and how windows are to be cut from them.

    A class that has a method ``contents`` as well, without arguments, has its windows kept in
    ``cache.dir``: it gives a text that is another one whenever `load` gives something else, or
    None. A class that inherits needs one of its own. Where there is an attribute ``units``, channel
    name -> unit, a checkpoint keeps them.

    Example:
        >>> from dualgaf import SimulatedSource
        >>> source: Source = SimulatedSource(n_windows=40, window_size=24)
        >>> source.window_size, len(source.load()) > 0
        (24, True)
    """

    @property
    def window_size(self) -> int | None:
        """T, steps in a window; None = each series is one window."""

    @property
    def stride(self) -> int | None:
        """Steps between the starts of two windows; None = ``window_size``."""

    @property
    def split(self) -> SplitSettings:
        """How series are dealt out to train, val and test."""

    @property
    def ragged(self) -> str:
        """Rule for series of unequal length where ``window_size`` is None."""

    def load(self) -> SeriesSet:
        """All series, with gaps repaired, not yet split or cut into windows."""


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Windows in memory, split already.

    Raises:
        ConfigError: a setting has a value that is not allowed.

    Example:
        >>> import numpy as np
        >>> x, y = np.zeros((8, 3, 20)), [0, 1] * 4
        >>> len(ArraySource(train=(x, y), predict=x).load())
        16
    """

    train: tuple[Any, Any]
    """(x, y): (N, C, T) array or tensor, or a list of (C, L_i) arrays, or a list of frames, whose
    rows are times and whose columns are channels; N integers or strings."""
    val: tuple[Any, Any] | None = None
    """As ``train``; None = ``data.split.val_fraction`` of train, by label."""
    test: tuple[Any, Any] | None = None
    """As ``train``; None = no test."""
    predict: Any = None
    """x without labels."""
    channel_names: Sequence[str] | None = None
    """C names; None = the columns of frames, else channel_0, channel_1, ..."""
    nan: str = "error"
    """``error`` or ``interpolate``, see `dualgaf.series.missing`."""
    ragged: str = "error"
    """``resample``, ``pad``, ``truncate`` or ``error``, see `dualgaf.series.lengths`."""
    window_size: int | None = None
    """T; None = windows as they are given."""
    stride: int | None = None
    """Steps between windows; None = ``window_size``."""
    split: SplitSettings = field(default_factory=SplitSettings)
    """``official``: the splits as given."""
    overlap: Overlap = "warn"
    """Where windows of two splits are equal: ``warn``, ``error`` or ``allow``."""
    door: ClassVar[str] = ARRAYS
    """How its options are typed."""

    def __post_init__(self) -> None:
        for option in ("train", "val", "test"):
            pair = getattr(self, option)
            needed = option == "train" or pair is not None
            if needed and not (isinstance(pair, tuple | list) and len(pair) == 2):
                raise ConfigError(
                    f"{option} is {_kind(pair)}; needed: a pair (x, y); type {option}=(x, y)"
                )
        check_nan_policy(self.nan, self.door)
        check_ragged_rule(self.ragged, self.door)
        check_window(self.window_size, self.stride, self.door)
        if self.overlap not in get_args(Overlap):
            raise ConfigError(unknown_choice("overlap", self.overlap, get_args(Overlap)))
        object.__setattr__(self, "split", SplitSettings.of(self.split))

    def load(self) -> SeriesSet:
        """All series in one set, marked with their split.

        Returns:
            The set; arrays of the right type are not copied.

        Raises:
            SeriesError: shapes, types, labels or values do not fit, or splits do not agree in
                their channels or steps.
            SplitError: ``overlap="error"`` and windows of two splits are equal.

        A `SeriesWarning` says where windows of two splits are equal, where a label is taken for
        missing, and where there are so many more channels than steps that the order of the axes
        may be wrong.
        """
        given = {"train": self.train, "val": self.val, "test": self.test}
        pairs = {name: pair for name, pair in given.items() if pair is not None}
        if self.predict is not None:
            pairs["predict"] = (self.predict, None)
        parts = []
        for name, (x, y) in pairs.items():
            if y is None and name != "predict":
                raise SeriesError(f"{name}: y is None; give one label a series: {name}=(x, y)")
            part = SeriesSet.from_arrays(
                x, y, channel_names=self.channel_names, official=name, name=name
            )
            parts.append(repair_nan(part, self.nan, door=self.door))
        self._check_shapes(parts)
        self._tell_order(parts[0])
        whole = join_sets(parts, "arrays")
        self._tell_overlap(whole)
        return whole

    def contents(self) -> str:
        """Hash of the arrays and settings: equal, equal windows."""
        found = Contents(self, leave_out=("train", "val", "test", "predict"))
        for name in ("train", "val", "test"):
            if (pair := getattr(self, name)) is not None:
                found.add_series(name, pair[0])
                found.add_labels(name, pair[1])
        if self.predict is not None:
            found.add_series("predict", self.predict)
        return found.hexdigest()

    def _tell_order(self, train: SeriesSet) -> None:
        """Warn of axes that may be the other way, where no names say what is a channel."""
        x = self.train[0]
        is_list = isinstance(x, list | tuple)
        if self.channel_names is None and not (is_list and is_frame(x[0])):
            typed = "[series.T for series in x]" if is_list else "np.swapaxes(x, 1, 2)"
            tell_order(train.n_channels, max(train.lengths), "train: x", typed)

    def _tell_overlap(self, whole: SeriesSet) -> None:
        """Warn, or raise, where windows of two splits are equal."""
        if self.overlap == "allow":
            return
        told = equal_windows(whole, self.window_size, self.stride)
        if told is None:
            return
        told += ", so what is measured on them is too good; give each window to one split, or type "
        if self.overlap == "error":
            raise SplitError(f'{told}overlap="allow"')
        warnings.warn(
            f'{told}overlap="allow" to be told nothing, overlap="error" to have it refused',
            SeriesWarning,
            stacklevel=3,
        )

    def _check_shapes(self, parts: list[SeriesSet]) -> None:
        first = parts[0]
        for part in parts[1:]:
            if part.n_channels != first.n_channels:
                raise SeriesError(
                    f"{part.name} has {part.n_channels} channels, {first.name} has "
                    f"{first.n_channels}; all splits need the same channels"
                )
            lengths = set(part.lengths) | set(first.lengths)
            if self.ragged == "error" and self.window_size is None and len(lengths) > 1:
                raise SeriesError(
                    f"{part.name} has {_span(part)} steps, {first.name} has {_span(first)}; all "
                    'splits need the same number; type ragged="resample", "pad" or "truncate", '
                    "or give window_size"
                )


def check_window(window_size: object, stride: object, door: str = FILES) -> None:
    """Raise ConfigError unless both are whole numbers of an allowed size, or None.

    Example:
        >>> check_window(96, None)
    """
    for option, value, least in (("window_size", window_size, 2), ("stride", stride, 1)):
        if value is not None:
            check_whole(f"{door}{option}", value, least, 96)


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _span(part: SeriesSet) -> str:
    low, high = min(part.lengths), max(part.lengths)
    return str(low) if low == high else f"{low} to {high}"
