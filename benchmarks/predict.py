"""Write docs/predict.md: `python -m benchmarks.predict` (a few minutes on two cores).

1. How often good windows are said to be unlike the training, and how often shifted ones: on the
   real sets of ``../shared/data``, a day left out at a time. No network is needed for it.
2. A network is trained on MZVAV-2-2 without two days, with few epochs: what the command says of
   these days does not need a good one. The days are judged as files without labels.
"""

import argparse
import contextlib
import csv
import gzip
import io
import logging
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.accuracy.tables import data_folder
from benchmarks.made import made, made_lines
from dualgaf import TableSource
from dualgaf.cli import main as command
from dualgaf.data.training_facts import TrainingFacts
from dualgaf.data.training_limits import FLAT, MARGIN, MOST_FLAGGED, OUTSIDE, WIDER
from dualgaf.data.windowed import read_windows
from dualgaf.imaging.windows import Windows
from dualgaf.inference.unlike import compare

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "predict.md"
DAYS = ("2008-08-28", "2008-05-07")
"""Left out of MZVAV-2-2: a normal day, and one with a damper that is stuck."""
STEPS = 60
TRAINING = (
    *(f"data.window_size={STEPS}", "data.group_columns=[day]", "datamodule.image_size=24"),
    *("data.working_column=occupied", "data.nan=interpolate", "data.exclude=[suggested_split]"),
    *("trainer.max_epochs=4", "refit=false", "logger=csv", "trainer.accelerator=cpu"),
)
TEMPERATURES = ("sat", "sat_sp", "sat_heat_sp", "sat_cool_sp", "oat", "mat", "rat")
SIGNALS = ("sf_speed_sig", "rf_speed_sig", "cc_valve_sig", "hc_valve_sig", "oa_damper_sig")


def rule() -> str:
    """The rule in words, with its numbers."""
    return (
        f"A value of a channel may leave the range of the training by {MARGIN:.0%} of it, or by "
        f"{OUTSIDE:g} times the most that a training group leaves the range of all others, where "
        "that is more; the median of a window likewise leaves that of medians. A window is flat "
        f"where it moves by less than {FLAT:.0%} of the least movement of a training window. "
        f"Margins are {', '.join(map(str, WIDER))} times as wide, and flat is as much "
        f"less: the first with which at most {MOST_FLAGGED:.0%} of the windows of training groups "
        "are flagged when each group is left out once, else the first with the fewest. A group "
        "with a class that no other group has does not count."
    )


@dataclass(frozen=True)
class Rates:
    """Fractions of windows that are flagged."""

    name: str
    groups: int
    told: float
    good: float
    good_groups: float
    shifted: dict[str, float]


def celsius(names: tuple[str, ...]) -> Callable[[np.ndarray, tuple[str, ...]], np.ndarray]:
    """Changes channels from °F to °C."""

    def change(x: np.ndarray, channels: tuple[str, ...]) -> np.ndarray:
        own = [k for k, name in enumerate(channels) if name in names]
        x[:, own] = (x[:, own] - 32) / 1.8
        return x

    return change


def percent(x: np.ndarray, channels: tuple[str, ...]) -> np.ndarray:
    """Signals of 0 to 1 in percent."""
    x[:, [k for k, name in enumerate(channels) if name in SIGNALS]] *= 100
    return x


def stuck(x: np.ndarray, channels: tuple[str, ...]) -> np.ndarray:
    """The supply air temperature stays where it was."""
    x[:, channels.index("sat")] = x[0, channels.index("sat"), 0]
    return x


SHIFTS = {
    "all °C": celsius(TEMPERATURES),
    "outdoor air °C": celsius(("oat",)),
    "signals in %": percent,
    "supply air stuck": stuck,
}


def lbnl_rates(name: str, folder: Path) -> Rates:
    """Each day of a class that other days have is left out once."""
    with (folder / "days.csv").open() as file:
        days = [(row["day"], row["fault"]) for row in csv.DictReader(file) if row["file"] == name]
    faults = [fault for _, fault in days]
    left_out = [day for day, fault in days if faults.count(fault) > 1]
    flags: list[np.ndarray] = []
    shifted: dict[str, list[np.ndarray]] = {shift: [] for shift in SHIFTS}
    told = []
    for day in left_out:
        source = TableSource(
            folder / f"{name}.tidy.csv.gz",
            window_size=STEPS,
            group_columns=("day",),
            working_column="occupied",
            nan="interpolate",
            exclude=("suggested_split",),
            split={"method": "group", "val_fraction": 0.0, "test_groups": [day]},  # type: ignore
        )
        windowed = read_windows(source, 0)
        facts = TrainingFacts.of(windowed, source)
        assert facts.limits is not None
        told.append(facts.limits.flagged)
        x = windowed.windows.take(windowed.indices["test"])
        flags.append(flagged(x, windowed.channel_names, facts))
        for shift, change in SHIFTS.items():
            shifted[shift].append(
                flagged(change(x.copy(), windowed.channel_names), windowed.channel_names, facts)
            )
    return Rates(
        name,
        len(left_out),
        float(np.nanmean(told)),
        float(np.concatenate(flags).mean()),
        float(np.mean([own.any() for own in flags])),
        {shift: float(np.concatenate(own).mean()) for shift, own in shifted.items()},
    )


def tennessee_rates(folder: Path) -> list[str]:
    """Runs of the test file, beside all runs of the training file."""
    source = TableSource(
        folder / "tep_train.csv.gz",
        window_size=48,
        time_column="step",
        label_column="fault",
        group_columns=("fault",),
        split={"method": "group", "val_fraction": 0.0, "test_fraction": 0.0},  # type: ignore
    )
    windowed = read_windows(source, 0)
    facts = TrainingFacts.of(windowed, source)
    names = windowed.channel_names
    table = pl.read_csv(gzip.decompress((folder / "tep_test.csv.gz").read_bytes()))
    runs = {}
    for fault, run in table.group_by("fault", maintain_order=True):
        values = run.select(names).to_numpy().T
        runs[int(str(fault[0]))] = values[:, :960].reshape(len(names), 20, 48).swapaxes(0, 1)
    good = flagged(runs[0], names, facts)
    early = np.concatenate([flagged(x[:3], names, facts) for k, x in runs.items() if k])
    late = np.concatenate([flagged(x[4:], names, facts) for k, x in runs.items() if k])
    other = runs[0].copy()
    other[:, names.index("xmeas_9")] = other[:, names.index("xmeas_9")] * 1.8 + 32
    other[:, names.index("xmeas_7")] *= 0.1450377
    return [
        f"| the normal run | {good.mean():.1%} of {len(good)} |",
        f"| the normal part of the 21 other runs (steps 1 to 144) | {early.mean():.1%} of "
        f"{len(early)} |",
        f"| their faulty part, faults that were learned | {late.mean():.1%} of {len(late)} |",
        f"| the normal run, reactor in °F for °C and psi for kPa | "
        f"{flagged(other, names, facts).mean():.1%} of {len(good)} |",
    ]


def flagged(x: np.ndarray, names: tuple[str, ...], facts: TrainingFacts) -> np.ndarray:
    """(N,) whether each window is unlike the training."""
    windows = Windows.stacked(np.ascontiguousarray(x))
    found = compare(windows, np.arange(len(x)), names, facts, source=["day"] * len(x))
    assert found is not None
    return np.array([bool(text) for text in found.texts])


def variants(days: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """The two days in other forms."""
    yield "as they are, no label", days
    yield "columns in another order", days.select(sorted(days.columns, reverse=True))
    yield "one additional column", days.with_columns(zone_co2=pl.lit(600))
    yield "one column is missing", days.drop("mat")
    own = [name for name in TEMPERATURES if name in days.columns]
    yield "°C for °F", days.with_columns(((pl.col(own) - 32) / 1.8).round(2))
    yield "5-minute rows", days.gather_every(5)
    noon = pl.col("datetime").str.slice(11, 2).is_in(["12", "13"])
    yield "a hole of two hours", days.filter(~noon)


def judged(days: pl.DataFrame, checkpoint: Path, folder: Path, *words: str) -> dict[str, Any]:
    """What the command makes of one file."""
    folder.mkdir()
    days.write_csv(folder / "days.csv")
    out, told, error = folder / "out", io.StringIO(), io.StringIO()
    typed = ["predict", str(checkpoint), "--data", str(folder / "days.csv"), "--output", str(out)]
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(error):
        status = command([*typed, *words])
    found: dict[str, Any] = {"status": status, "said": error.getvalue(), "told": told.getvalue()}
    if status == 0:
        table = pl.read_csv(out / "predictions.csv")
        found["table"] = table.with_columns(pl.col("unlike").cast(pl.String).fill_null(""))
    return found


def show(folder: Path, work: Path) -> list[str]:
    """Train without the two days, judge them in each form; lines of the page."""
    whole = pl.read_csv(
        gzip.decompress((folder / "MZVAV-2-2.tidy.csv.gz").read_bytes()), infer_schema=False
    )
    out = pl.col("day").is_in(DAYS)
    (work / "plant").mkdir()
    whole.filter(~out).write_csv(work / "plant" / "MZVAV-2-2.csv")
    words = ["data=ahu", f"data.root={work / 'plant'}", f"hydra.run.dir={work / 'run'}", *TRAINING]
    subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *words], check=True, capture_output=True
    )
    days = whole.filter(out).drop("fault", "suggested_split")
    numbers = [name for name in days.columns if name not in ("datetime", "day")]
    days = days.with_columns(pl.col(numbers).cast(pl.Float64, strict=False))
    truth = dict(whole.filter(out).select("day", "fault").unique().iter_rows())
    checkpoint = work / "run" / "checkpoints" / "best.ckpt"
    lines, plain = [], None
    for k, (name, table) in enumerate(variants(days)):
        got = judged(table, checkpoint, work / f"variant-{k}")
        if got["status"] != 0:
            said = got["said"].strip().splitlines()[-1].removeprefix("dualgaf: ")
            lines.append(f"| {name} | {got['status']} | | | | {said.replace('|', ' ')} |")
            continue
        found = got["table"]
        plain = plain or got
        right = [
            truth[start[:10]] == said for start, said in found["start", "predicted"].iter_rows()
        ]
        unlike = found.filter(pl.col("unlike") != "")
        first = unlike["unlike"][0].replace("|", " ") if unlike.height else ""
        scores = [name for name in found.columns if name.startswith("p_")]
        same = found.select(scores).equals(plain["table"].select(scores))
        first = first or ("the same probabilities" if same and got is not plain else "")
        lines.append(f"| {name} | 0 | {found.height} | {sum(right)} | {unlike.height} | {first} |")
    assert plain is not None
    told = plain["told"].replace(str(work / "variant-0" / "out"), "FOLDER").strip()
    return [
        "Trained with few epochs, small images and no second training, so that this page is made "
        "in minutes; [docs/accuracy.md](accuracy.md) has what full trainings reach.",
        "",
        "```text",
        "python train.py data=ahu data.root=FOLDER " + " ".join(TRAINING),
        "python -m dualgaf predict RUN/checkpoints/best.ckpt --data days.csv --output FOLDER",
        "```",
        "",
        f"The two days, {DAYS[0]} ({truth[DAYS[0]]}) and {DAYS[1]} ({truth[DAYS[1]]}):",
        "",
        "| the file | exit status | windows | right | unlike | first text, or the error |",
        "|---|---:|---:|---:|---:|---|",
        *lines,
        "",
        "On the screen, for the days as they are:",
        "",
        "```text",
        told,
        "```",
    ]


def page(folder: Path, work: Path) -> str:
    """docs/predict.md."""
    rates = [lbnl_rates(name, folder / "lbnl_ahu") for name in ("MZVAV-2-1", "MZVAV-2-2", "SZCAV")]
    head = [
        "# Next week's data",
        "",
        "Made by `python -m benchmarks.predict`; no number here is typed by hand. What the command",
        "does and writes is on the [interface page](interface.md#predictions).",
        "",
        "## A network that has not seen two days",
        "",
        *show(folder / "lbnl_ahu", work),
        "",
        "## When a window is unlike the training",
        "",
        rule(),
        "",
        "Real air-handling units, windows of an hour of occupied time. Each day of a class that",
        "another day has is left out once, limits come from the other days, and the day is judged",
        "as it is and shifted. *Told* is the rate that the training states.",
        "",
        "| set | days | told | good windows flagged | good days with a flag | "
        + " | ".join(SHIFTS)
        + " |",
        "|---|---:|---:|---:|---:|" + "---:|" * len(SHIFTS),
    ]
    for each in rates:
        shifts = " | ".join(f"{rate:.1%}" for rate in each.shifted.values())
        head.append(
            f"| {each.name} | {each.groups} | {each.told:.1%} | {each.good:.1%} | "
            f"{each.good_groups:.1%} | {shifts} |"
        )
    return "\n".join([
        *head,
        "",
        "One outdoor temperature alone in °C lies inside the range of a year in °F (14 to 100 °F)",
        "and cannot be told from a cool day by its values: that falls short.",
        "",
        "Tennessee Eastman: limits of all 22 runs of the training file, windows of 48 steps, runs",
        "of the test file:",
        "",
        "| windows | flagged |",
        "|---|---:|",
        *tennessee_rates(folder / "tennessee_eastman"),
        "",
        "Each fault is one run there, so no group can be left out and no rate is told. A fault",
        "that was learned from one run can go further in another.",
        "",
        "## Where and when",
        "",
        made_lines([made()]),
        "",
    ])  # fmt: skip


def main() -> None:
    """Make the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=PAGE)
    output = parser.parse_args().output
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as work:
        output.write_text(page(data_folder(), Path(work)))


if __name__ == "__main__":
    main()
