"""Data that a trained network has not seen, cut into windows as those of its training.

Only its checkpoint is known: channels, length of a window, stride, sampling step, and how tables
were read. Channels are found by name. What does not fit is an error, never a guess.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from dualgaf.data.compatibility import SAME_STEP
from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.plants import PlantScalers, scaled_by_plant
from dualgaf.data.windowed import window_ends
from dualgaf.errors import ConfigError, DualGAFError, OtherDataError, SeriesError, SourceError
from dualgaf.imaging.windows import Windows, window_starts
from dualgaf.inference.new_arrays import NewWindows
from dualgaf.series.doors import ARRAYS, worded
from dualgaf.series.inspection import TableFacts, duration_text, refuse_at_once, tell_notes
from dualgaf.series.series import SeriesSet
from dualgaf.series.tables.new_tables import NewFrames, NewQuery, as_learned, kind_of_files
from dualgaf.series.tables.settings import TableSettings
from dualgaf.series.tables.tabular import Tabular

Array = npt.NDArray[Any]

log = logging.getLogger(__name__)


def read_tables(
    root: str | Path, trained: ImagingState, stride: int | None, typed: Mapping[str, Any]
) -> NewWindows:
    """Read and cut a folder of tables, or one file.

    Args:
        root: where they are.
        trained: of the checkpoint.
        stride: steps between the starts of two windows; None = that of the training.
        typed: ``data.`` options that take the place of those of the training.

    Raises:
        ConfigError: an option is not allowed, or rows are at another step than those of training.
        SourceError, SeriesError: the tables cannot be read, or no window is whole.
    """
    path = Path(root).expanduser()
    if not path.exists():
        raise SourceError(f"there is no folder or file {root}; type --data FILE_OR_FOLDER")
    kind = kind_of_files(path, {} if trained.facts is None else trained.facts.source)
    source = kind(path, **_settings(kind, trained, stride, typed))
    try:
        return _read(source, trained)
    except DualGAFError as error:
        raise type(error)(str(error).replace("data.root=", "--data ")) from error


def read_query(
    uri: str, trained: ImagingState, stride: int | None, typed: Mapping[str, Any]
) -> NewWindows:
    """Read and cut the rows of a query.

    Args:
        uri: of the database.
        trained: of the checkpoint.
        stride: as for `read_tables`.
        typed: likewise, and ``query``.

    Raises:
        ConfigError, SourceError, SeriesError: as `read_tables`.
    """
    if "query" not in typed:
        raise ConfigError(
            "a database needs a query that says what is read; type "
            "'data.query=\"SELECT * FROM TABLE\"'"
        )
    try:
        return _read(NewQuery(uri, **_settings(NewQuery, trained, stride, typed)), trained)
    except DualGAFError as error:
        told = str(error).replace("data.uri=", "--data ").replace("data.uri", "--data")
        raise type(error)(told) from None


def _read(source: Tabular, trained: ImagingState) -> NewWindows:
    series_set = source.understand(refuse_at_once)
    facts = series_set.facts
    assert facts is not None
    if trained.plants is not None:
        series_set = _scaled(series_set, trained.plants)
    _tell(facts)
    if trained.facts is not None:
        _check_step(facts, source, trained.facts.step, trained.facts.clock)
    by_day = facts.dated and not facts.group_columns and source.group_columns is not None
    new = _cut(series_set, trained, source.stride or trained.window_size, by_day, facts)
    if source.step is not None:
        _check_resampled(new.known, trained, series_set.name)
    return new


def read_frame(
    frame: Any, trained: ImagingState, stride: int | None, typed: Mapping[str, Any]
) -> NewWindows:
    """Cut a frame of pandas or polars, or a table of pyarrow: rows are times, columns by name.

    Args:
        frame: times are in a column, or the index of a pandas frame; without times rows are in
            order, at the step of the training.
        trained: of the checkpoint.
        stride: as for `read_tables`.
        typed: likewise.

    Raises:
        ConfigError, SourceError, SeriesError: as `read_tables`.
    """
    try:
        with worded(ARRAYS):
            settings = _settings(NewFrames, trained, stride, typed)
            # A training on long tables says nothing of the layout of this frame.
            source = NewFrames(frame, **{**settings, "long": typed.get("long")})
            clock = source.time_column
            if "time_column" not in typed and isinstance(clock, str):
                source = replace(source, time_column=clock if clock in source.columns else "auto")
            return _read(source, trained)
    except DualGAFError as error:
        raise type(error)(str(error).replace("--stride ", "stride=")) from error


def _scaled(series_set: SeriesSet, plants: PlantScalers) -> SeriesSet:
    """Each plant as its own training rows say (``data.scale_by=plant``)."""
    unknown = sorted({f"{plant}" for plant in series_set.plants} - set(plants))
    if unknown:
        raise OtherDataError(
            f"{series_set.name} has plant {unknown[0]!r}, which the network has not seen, and each "
            f"plant was scaled by its own training rows; known: {', '.join(plants)}; leave its "
            "rows out, or train anew with data.scale_by=all"
        )
    return scaled_by_plant(series_set, plants, "the new data")


def _settings(
    kind: type[TableSettings],
    trained: ImagingState,
    stride: int | None,
    typed: Mapping[str, Any],
) -> dict[str, Any]:
    steps = trained.window_size
    facts = trained.facts
    if facts is None:
        log.warning(
            "the checkpoint is of an earlier version: it holds neither the sampling step nor the "
            "values of its training, nor how tables were read; the step is not compared, no window "
            "is said to be unlike, and windows do not overlap; type the data.* options of its run, "
            "and --stride N, or train anew"
        )
    of_training = steps if facts is None else min(facts.stride, steps)
    if stride is not None and not 1 <= stride <= steps:
        raise ConfigError(
            f"--stride {stride} is not allowed; allowed: 1 to {steps}, the length of a window, so "
            f"that each row is judged; type --stride {steps if stride > steps else 1}"
        )
    learned = {} if facts is None else facts.source
    channels = trained.channel_names
    return as_learned(kind, channels, steps, stride or of_training, learned, typed)


def _tell(facts: TableFacts) -> None:
    """Say what was found alone, and what is left out."""
    tell_notes(facts)
    if facts.left_out:
        log.warning(
            "%s: columns that the network has not learned are left out: %s",
            facts.name,
            ", ".join(facts.left_out),
        )


def _check_step(
    facts: TableFacts, source: Tabular, learned: float | None, clock: str | None
) -> None:
    """Refuse rows that are farther apart, or nearer, than those of the training."""
    if learned is None:
        return
    dates = clock == "seconds"
    wanted = duration_text(learned) if dates else f"{learned:g}"
    if facts.time_column is None or facts.dated != dates:
        log.warning(
            "%s: the network has learned rows %s apart, and these have no %s to compare; they are "
            "taken as that far apart",
            facts.name,
            wanted,
            "dates" if dates else "numbers of steps",
        )
        return
    if source.step is not None:  # all rows are at it now, and it is checked by the windows
        return
    for file in facts.files:
        step = file.step_seconds
        if step is None or abs(step - learned) <= SAME_STEP * abs(learned):
            continue
        got = duration_text(step) if dates else f"{step:g}"
        how = f"type data.step={wanted} to resample them"
        if step > learned:
            how = f"no values are made up between rows: give rows {wanted} apart"
        raise OtherDataError(
            f"{file.name} has rows {got} apart, and the network has learned rows {wanted} apart; "
            f"{how}"
        )


def _cut(
    series_set: SeriesSet, trained: ImagingState, stride: int, by_day: bool, facts: TableFacts
) -> NewWindows:
    steps = trained.window_size
    long = [k for k, length in enumerate(series_set.lengths) if length >= steps]
    short = [length for length in series_set.lengths if length < steps]
    if not long:
        lost = ", ".join(f"{reason} ({n})" for reason, n in facts.lost.items())
        raise SeriesError(
            f"{series_set.name}: a window has {steps} rows, and the longest of {len(short)} pieces "
            f"without a gap has {max(short)}; give {steps} rows or more that follow each other"
            + (f"; windows are lost where {lost}" if lost else "")
        )
    if short:
        log.warning(
            "%s: %d of %d pieces (%d rows) are shorter than a window of %d rows and are not judged",
            series_set.name,
            len(short),
            len(series_set),
            sum(short),
            steps,
        )
    kept = series_set.take(long)
    starts, of_series = window_starts(list(kept.lengths), steps, stride)
    offsets = starts - (np.cumsum(kept.lengths) - kept.lengths)[of_series]
    counts = np.bincount(of_series, minlength=len(kept)).tolist()
    start, end = window_ends(list(kept.times), counts, steps, stride)
    known: dict[str, Any] = {
        "source": tuple(kept.origins[k].source for k in of_series),
        "group": tuple(kept.groups[k] for k in of_series),
        "label": _labels(kept, of_series, offsets, steps),
        "window_size": steps,
        "by_day": by_day,
    }
    known |= {} if start is None or end is None else {"start": start, "end": end}
    flat = np.concatenate(kept.values, axis=1).astype(trained.dtype, copy=False)
    return NewWindows(Windows(flat, starts, steps), known, facts.units)


def _check_resampled(known: Mapping[str, Any], trained: ImagingState, name: str) -> None:
    """Refuse ``data.step`` with another step than that of the training.

    Without it a row that is missing makes a window longer, and `_check_step` has seen the rows.
    """
    start, end, facts = known.get("start"), known.get("end"), trained.facts
    if start is None or end is None or facts is None or facts.step is None:
        return
    dates = start.dtype.kind == "M"
    if dates != (facts.clock == "seconds"):
        return
    long = end - start
    numbers = long / np.timedelta64(1, "s") if dates else long
    step = float(np.median(numbers)) / (trained.window_size - 1)
    if abs(step - facts.step) > SAME_STEP * abs(facts.step):
        got, wanted = (
            duration_text(round(each, 6)) if dates else f"{each:g}" for each in (step, facts.step)
        )
        raise OtherDataError(
            f"{name} has rows {got} apart, and the network has learned rows {wanted} apart; type "
            f"data.step={wanted}"
        )


def _labels(
    kept: SeriesSet, of_series: Array, offsets: Array, steps: int
) -> tuple[str | None, ...] | None:
    """The class of each window whose rows are all of one; None where no row has a class."""
    found: list[str | None] = []
    first = 0
    for k, classes in enumerate(kept.step_labels):
        n = int((of_series == k).sum())
        places = offsets[first : first + n]
        first += n
        if classes is None:
            found += [kept.labels[k]] * n
            continue
        texts = pl.Series(classes, dtype=pl.String)
        runs = texts.rle_id().to_numpy()
        pure = runs[places] == runs[places + steps - 1]
        found += [texts[int(p)] if same else None for p, same in zip(places, pure, strict=True)]
    return tuple(found) if any(label is not None for label in found) else None
