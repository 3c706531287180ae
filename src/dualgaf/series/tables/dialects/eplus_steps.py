"""Columns of one table that are written at unequal steps, brought to one step.

EnergyPlus stamps the end of an interval. An hourly value is the mean, or the amount, of the hour
that ends with its row; between the hours its cells are empty.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import polars as pl

from dualgaf.errors import SourceError
from dualgaf.series.inspection import duration_text
from dualgaf.series.tables.dialects.eplus_names import FREQUENCIES, Variable
from dualgaf.series.tables.notes import Notes

MixedSteps = Literal["hold", "drop", "coarse"]
END, PERIOD = "Date/Time", "run period"
"""Columns of the end of each interval, and of the name of the period."""
_HOUR_US = 3_600_000_000
"""No step of EnergyPlus is longer."""
_SHOWN = 3


def at_one_step(
    table: pl.DataFrame,
    variables: Mapping[str, Variable],
    rule: MixedSteps | None,
    file: str,
    notes: Notes,
) -> pl.DataFrame:
    """Rows at the step of the finest columns, or of the coarsest.

    Args:
        table: `END`, `PERIOD` and a column of numbers a variable, null where it has no value.
        variables: by column.
        rule: what becomes of coarser columns: ``hold``: each row has the value of the interval
            that it lies in; ``drop``: they are left out; ``coarse``: the others are brought to
            the coarsest step, means as means and amounts as sums; None = not decided.
        file: its name, for messages.
        notes: what was found goes there.

    Raises:
        SourceError: there are such columns and no rule, or rows are months.
    """
    by_step = {
        every: [name for name, one in variables.items() if one.every == every]
        for every in FREQUENCIES
        if any(one.every == every for one in variables.values())
    }
    if "Each Call" in by_step:
        table, by_step = _zone_steps(table, variables, by_step, file, notes)
    finest = next(iter(by_step))
    base = _rows_of(table, by_step[finest])
    # With one step an hour, TimeStep and Hourly have the same rows.
    coarser = [e for e, names in by_step.items() if _rows_of(table, names).height != base.height]
    widths = {every: _width(table, names, every) for every, names in by_step.items()}
    told = _told(by_step, widths)
    if len(by_step) > 1:
        notes.add(f"columns are written {told}", file)
    else:
        notes.add(f"columns are written {_every(finest, widths[finest])}", file)
    if not coarser:
        return base
    late = [name for every in coarser for name in by_step[every]]
    if rule is None:
        raise SourceError(_ask(told, file))
    if rule == "drop":
        notes.add(f"data.mixed_steps=drop leaves out {_listed(late)}", file)
        return base.drop(late)
    if rule == "hold":
        held = pl.col(late).fill_null(strategy="backward").over(PERIOD)
        notes.add(f"each row has the value of the interval that it lies in: {_listed(late)}", file)
        return _rows_of(table.with_columns(held), by_step[finest])
    return _coarse(table, variables, by_step, finest, file, notes)


def _coarse(
    table: pl.DataFrame,
    variables: Mapping[str, Variable],
    by_step: Mapping[str, Sequence[str]],
    finest: str,
    file: str,
    notes: Notes,
) -> pl.DataFrame:
    """All columns at the coarsest step of at most a day; those of months are left out."""
    *finer, wide = [every for every in by_step if every == finest or not _is_long(every)]
    if long := [name for every in by_step if _is_long(every) for name in by_step[every]]:
        notes.add(f"columns of a month or more are left out: {_listed(long)}", file)
        table = table.drop(long)
    if not finer:
        return _rows_of(table, by_step[wide])
    notes.add(f"all columns are brought to the step of {_listed(by_step[wide])}", file)
    return _gathered(
        table, [name for every in finer for name in by_step[every]], by_step[wide], variables
    )


def _is_long(every: str) -> bool:
    return FREQUENCIES.index(every) > FREQUENCIES.index("Daily")


def _rows_of(table: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    return table.filter(pl.any_horizontal(pl.col(list(names)).is_not_null()))


def _width(table: pl.DataFrame, names: Sequence[str], every: str) -> float | None:
    """Seconds between two rows of these columns; None from a month on."""
    if _is_long(every):
        return None
    steps = _rows_of(table, names)[END].diff().dt.total_microseconds()
    usual = steps.filter(steps > 0).mode().sort()
    return usual[0] / 1e6 if len(usual) else None


def _every(every: str, seconds: float | None) -> str:
    return every if seconds is None else f"every {duration_text(seconds)} ({every})"


def _told(by_step: Mapping[str, Sequence[str]], widths: Mapping[str, float | None]) -> str:
    return "; ".join(
        f"{_every(every, widths[every])}: {_listed(names)}" for every, names in by_step.items()
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more


def _ask(told: str, file: str) -> str:
    return (
        f"{file} has columns of unequal steps, {told}; between two values of a coarser one nothing "
        "was written; type data.mixed_steps=hold to give each row the value of the interval that "
        "it lies in, data.mixed_steps=coarse to bring all to the coarsest step, or "
        "data.mixed_steps=drop to leave out the coarser ones"
    )


def _gathered(
    table: pl.DataFrame, fine: Sequence[str], wide: Sequence[str], variables: Mapping[str, Variable]
) -> pl.DataFrame:
    """One row a value of the coarse columns, of the rows that end since the one before."""
    is_end = pl.any_horizontal(pl.col(list(wide)).is_not_null())
    place = is_end.cast(pl.Int64).shift(1, fill_value=0).cum_sum().over(PERIOD)
    # The sum of no value is 0 in polars.
    gathered = [
        pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name)
        if variables[name].is_amount
        else pl.col(name).mean()
        for name in fine
    ]
    found = (
        table.with_columns(place.alias("_place"))
        .group_by(PERIOD, "_place", maintain_order=True)
        .agg(
            pl.col(END).last(),
            *gathered,
            pl.col(list(wide)).last(),
        )
    )
    order = [name for name in table.columns if name in found.columns]
    return _rows_of(found.select(order), wide)


def _zone_steps(
    table: pl.DataFrame,
    variables: Mapping[str, Variable],
    by_step: Mapping[str, Sequence[str]],
    file: str,
    notes: Notes,
) -> tuple[pl.DataFrame, dict[str, list[str]]]:
    """Columns of each step of the system, as means over the steps of the zones.

    Within one step of the zones those of the system are equally long, so that the mean needs no
    weights; where nothing happens there is one, and the longest step tells that of the zones.
    """
    names = by_step["Each Call"]
    steps = _rows_of(table, names)[END].diff().dt.total_microseconds()
    step = max(steps.filter((steps > 0) & (steps <= _HOUR_US)).to_list(), default=_HOUR_US)
    is_zone = pl.col(END).cast(pl.Int64) % step == 0
    marked = table.with_columns(pl.when(is_zone).then(1.0).alias("_zone"))
    found = _gathered(marked, names, ["_zone"], variables).drop("_zone")
    others = [name for name in variables if name not in names]
    if others:
        rest = _rows_of(table, others).select(END, PERIOD, *others)
        found = found.join(rest, on=[PERIOD, END], how="left", maintain_order="left")
    notes.add(
        f"columns of each step of the system are means over {duration_text(step / 1e6)}: "
        f"{_listed(names)}",
        file,
    )
    merged = {every: list(own) for every, own in by_step.items() if every != "Each Call"}
    merged = {"TimeStep": [*names, *merged.pop("TimeStep", [])], **merged}
    return found.select(table.columns), merged
