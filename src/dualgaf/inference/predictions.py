"""`Prediction`: what a network says of windows, and the tables that are written of it.

``predictions.csv`` and the ``test_predictions.csv`` of a run have the same columns, a row a window.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from dualgaf.data.calibration import Calibration
from dualgaf.inference.sets import set_texts
from dualgaf.inference.unlike import Unlike
from dualgaf.series.series import clock_text
from dualgaf.system.whole_file import write_csv

if TYPE_CHECKING:  # a network that was exported judges windows without these
    import polars as pl

    from dualgaf.data.datamodule import DualGAFDataModule

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Prediction:
    """Probabilities of N windows for K classes, and which windows these are.

    Example:
        >>> found = Prediction.of_arrays(("cold", "hot"), np.array([[0.9, 0.1], [0.2, 0.8]]))
        >>> found.classes.tolist(), found.frame().columns
        (['cold', 'hot'], ['window', 'source', 'group', 'start', 'end', 'predicted', 'probability', 'p_cold', 'p_hot', 'set', 'novelty', 'unlike'])
    """  # noqa: E501

    class_names: tuple[str, ...]
    """K names, in the order of the columns of ``probabilities``."""
    probabilities: Array
    """(N, K) float64."""
    source: tuple[str, ...]
    """File or array of each window."""
    group: tuple[str, ...]
    """Its day, run or subject."""
    start: Array
    """(N,) time of its first row, datetime64[us] or a number; NaT where times are not known."""
    end: Array
    """(N,) time of its last row."""
    unlike: tuple[str, ...]
    """How it differs from all that the network has learned: ``channel: how``, the worst first;
    empty where it does not."""
    label: tuple[str | None, ...] | None = None
    """Class that the data give it; None where they give none. None as a whole: there is no label at
    all."""
    unlike_windows: Mapping[str, int] | None = None
    """Windows that are unlike the training in a channel, where there are any; None = not
    compared."""
    set: tuple[str, ...] | None = None
    """Classes that cannot be excluded, the most probable first, with semicolons between; None
    where no set can be given."""
    novelty: Array | None = None
    """(N,) the share of training windows that look less strange, 0 to 1; None where the file does
    not tell."""
    window_size: int = 1
    """T, rows of a window."""
    by_day: bool = False
    """Whether a group ends only because its day does, so that what goes on over midnight is one."""

    @classmethod
    def of_arrays(cls, class_names: tuple[str, ...], probabilities: Array, **known: Any) -> Self:
        """Of windows without times: each is its own group.

        Args:
            class_names: K names.
            probabilities: (N, K).
            **known: fields that are known all the same.
        """
        n = len(probabilities)
        none = np.full(n, np.datetime64("NaT"), dtype="datetime64[us]")
        own: dict[str, Any] = {
            "source": ("x",) * n,
            "group": tuple(f"x/{k}" for k in range(n)),
            "start": none,
            "end": none,
            "unlike": ("",) * n,
        }
        return cls(class_names, np.asarray(probabilities, dtype=np.float64), **{**own, **known})

    @classmethod
    def of_split(
        cls,
        data: "DualGAFDataModule",
        probabilities: Array,
        *,
        split: str,
        unlike: Unlike | None = None,
        calibration: Calibration | None = None,
        novelty: Array | None = None,
    ) -> Self:
        """Of the first windows of a split of a DataModule, in the order of its loader.

        Args:
            data: whose loader gave the windows.
            probabilities: (N, K), N at most the windows of the split.
            split: its name, such as ``test``.
            unlike: of all windows of the split; None = not compared.
            calibration: of the network; None = no sets.
            novelty: (N,) of these windows.

        Raises:
            ValueError: there are more probabilities than windows.
        """
        windowed = data.windows
        rows = windowed.indices[split][: len(probabilities)]
        if len(rows) < len(probabilities):
            raise ValueError(f"{len(probabilities)} probabilities of {len(rows)} {split} windows")
        names = windowed.class_names
        codes = windowed.labels[rows].tolist()
        labels = tuple(names[code] if code >= 0 else None for code in codes)
        known: dict[str, Any] = {
            "source": tuple(windowed.sources[row] for row in rows) if windowed.sources else None,
            "group": tuple(windowed.groups[row] for row in rows),
            "start": None if windowed.start_times is None else windowed.start_times[rows],
            "end": None if windowed.end_times is None else windowed.end_times[rows],
            **({} if unlike is None else unlike.told(windowed.channel_names, len(rows))),
        }
        tables = windowed.facts
        return cls.of_arrays(
            names,
            probabilities,
            label=labels if any(label is not None for label in labels) else None,
            novelty=novelty,
            set=set_texts(np.asarray(probabilities, np.float64), names, calibration),
            window_size=windowed.windows.window_size,
            by_day=tables is not None and tables.dated and not tables.group_columns,
            **{name: value for name, value in known.items() if value is not None},
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All windows of some predictions of one network, in their order.

        Example:
            >>> one = Prediction.of_arrays(("a", "b"), np.array([[0.9, 0.1]]))
            >>> Prediction.joined([one, one]).classes.tolist()
            ['a', 'a']
        """
        parts = [part for part in parts if len(part)] or [*parts[-1:]]
        first = parts[0]
        if len(parts) == 1:
            return first
        own: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("probabilities", "start", "end")
        }
        if first.novelty is not None:
            own["novelty"] = np.concatenate([part.novelty for part in parts])
        for name in ("source", "group", "unlike", "set", "label"):
            texts = [getattr(part, name) for part in parts]
            own[name] = None if None in texts else tuple(text for each in texts for text in each)
        if first.unlike_windows is not None:
            counts = Counter[str]()
            for part in parts:
                counts.update(part.unlike_windows or {})
            own["unlike_windows"] = dict(counts)
        return replace(first, **own)

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def classes(self) -> Array:
        """(N,) text: the most probable class of each window."""
        best = self.probabilities.argmax(axis=1)
        return np.array([self.class_names[k] for k in best], dtype=str)

    @property
    def row_step(self) -> float:
        """From one row to the next, in seconds or in numbers of the column of times."""
        if not self.has_times or self.window_size < 2 or not len(self):
            return 0.0
        long = self.end - self.start
        numbers = long / np.timedelta64(1, "s") if self.dated else long.astype(np.float64)
        return float(np.median(numbers)) / (self.window_size - 1)

    @property
    def has_times(self) -> bool:
        """Whether the times of windows are known."""
        return not bool(np.isnat(self.start).all()) if self.start.dtype.kind == "M" else True

    @property
    def dated(self) -> bool:
        """Whether they are dates."""
        return self.start.dtype.kind == "M" and self.has_times

    def frame(self) -> "pl.DataFrame":
        """The columns of ``predictions.csv``, a row a window; times are dates where they are."""
        import polars as pl

        known = self.probabilities.max(axis=1, initial=0.0)
        columns: dict[str, Any] = {
            "window": np.arange(len(self)),
            "source": pl.Series(self.source, dtype=pl.String),
            "group": pl.Series(self.group, dtype=pl.String),
            "start": self.start,
            "end": self.end,
        }
        if self.label is not None:
            columns["label"] = pl.Series(self.label, dtype=pl.String)
        columns |= {"predicted": pl.Series(self.classes, dtype=pl.String), "probability": known}
        for name, scores in zip(self.class_names, self.probabilities.T, strict=True):
            columns[f"p_{name}"] = scores
        none = [None] * len(self)
        columns["set"] = pl.Series(none if self.set is None else self.set, dtype=pl.String)
        novelty = none if self.novelty is None else self.novelty
        columns["novelty"] = pl.Series(novelty, dtype=pl.Float64)
        return pl.DataFrame({**columns, "unlike": pl.Series(self.unlike, dtype=pl.String)})


def write_predictions(path: Path, found: Prediction) -> None:
    """Write a row a window; times to the microsecond where they have any.

    Args:
        path: the CSV file to write; it is there whole, or not at all.
        found: what is written.
    """
    frame = found.frame()
    write_csv(path, frame.columns, _texts(found, frame))


def _texts(found: Prediction, frame: "pl.DataFrame") -> Iterator[list[object]]:
    places = {name: frame.columns.index(name) for name in ("start", "end")}
    times = {"start": found.start, "end": found.end}
    for k, row in enumerate(frame.iter_rows()):
        cells = [f"{cell:.6f}" if isinstance(cell, float) else cell for cell in row]
        for name, place in places.items():
            time = times[name][k]
            cells[place] = clock_text(time) if found.has_times else ""
        yield ["" if cell is None else cell for cell in cells]
