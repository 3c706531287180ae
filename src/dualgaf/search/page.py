"""``index.html`` of a study: its trials, what was searched, and what the best reached."""

import glob
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from dualgaf.report.index import TRIALS, IndexPage, Record, columns_of, page_links, read_records
from dualgaf.report.page import Picture
from dualgaf.search.journal import BEGIN
from dualgaf.search.kept import NAME
from dualgaf.search.report import PICTURE
from dualgaf.search.trial import VALUE
from dualgaf.training.resume import shown
from dualgaf.training.run_page import report_command

METRICS = (VALUE, "val/acc")
TESTED = ("test/acc", "test/f1_macro", "test/ece")


def study_index(folder: Path) -> IndexPage:
    """The page of a study, of what lies in its folder.

    Args:
        folder: with ``trials.csv`` and a folder a trial; the journal lies beside it.
    """
    records = [
        {key: _number(value) for key, value in record.items()}
        for record in read_records(folder / TRIALS)
    ]
    best = min(
        (each for each in records if each["state"] == "ended" and VALUE in each),
        key=lambda each: float(each[VALUE]),
        default=None,
    )
    picture = Picture.read(folder / PICTURE, "What the trials reached, and what it depends on")
    commands = [("To make this page again", report_command(folder))]
    if typed := _typed(folder):
        commands.insert(
            0, ("To go on with this study, up to 20 trials; n_trials=40 for more", typed)
        )
    return IndexPage(
        title=f"Search {folder.name}",
        folder=shown(folder),
        verdict=_verdict(folder, records, best),
        records=records,
        names=columns_of(records, "trial", METRICS),
        links=_links(folder, records, best),
        best=best,
        table=TRIALS,
        pictures=[] if picture is None else [picture],
        commands=commands,
    )


def _best_folder(folder: Path, best: Record) -> Path:
    return folder / f"best-{int(best['trial']):04d}"


def _links(folder: Path, records: list[dict[str, Any]], best: Record | None) -> dict[str, str]:
    """The page of the best; of another trial its curves, as it has no page."""
    found = {}
    for number in (str(record["trial"]) for record in records):
        curves = f"trial-{int(number):04d}/curves.png"
        if (folder / curves).is_file():
            found[number] = curves
    if best is not None:
        name = _best_folder(folder, best).name
        if page := page_links(folder, [{"best": name}], "best").get(name):
            found[str(best["trial"])] = page
    return found


def _verdict(folder: Path, records: list[dict[str, Any]], best: Record | None) -> str:
    states = [record["state"] for record in records]
    told = ", ".join(f"{states.count(each)} {each}" for each in dict.fromkeys(states))
    counted = f"{len(records)} trials: {told}."
    if best is None:
        return counted
    tested = _tested(_best_folder(folder, best))
    end = f"; tested once: {tested}." if tested else ", not tested yet."
    return f"{counted} Lowest {VALUE}: {best[VALUE]:.4g}, trial {best['trial']}{end}"


def _tested(folder: Path) -> str:
    try:
        metrics: Mapping[str, Any] = json.loads((folder / "metrics.json").read_text())
    except (OSError, ValueError):
        return ""
    return ", ".join(f"{key} {metrics[key]:.4g}" for key in TESTED if key in metrics)


def _typed(folder: Path) -> str:
    """The command that began the study; empty where its journal is not beside the folder."""
    for journal in sorted(folder.parent.glob(f"{glob.escape(folder.name)}.*")):
        if not journal.is_file() or journal.read_bytes()[: len(BEGIN)] != BEGIN:
            continue
        # Read without its lock, and without cutting what another process is about to write.
        storage = JournalStorage(JournalFileBackend(str(journal)))
        study = optuna.load_study(study_name=NAME, storage=storage)
        return str(study.user_attrs[NAME]["typed"])
    return ""


def _number(value: Any) -> Any:
    """A drawn value is shown with few digits; whole numbers and words stay."""
    try:
        return value if str(value).lstrip("-").isdigit() else float(value)
    except ValueError:
        return value
