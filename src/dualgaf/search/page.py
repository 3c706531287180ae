"""``index.html`` of a study: its trials, what was searched, and what the best reached."""

import glob
from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from dualgaf.report.index import TRIALS, IndexPage, Record, columns_of, read_records
from dualgaf.report.page import RUN_PAGE, Picture
from dualgaf.search.journal import BEGIN
from dualgaf.search.kept import NAME
from dualgaf.search.report import PICTURE, number_of
from dualgaf.search.study import folder_of
from dualgaf.search.trial import VALUE, ended_in
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
        {key: number_of(str(value)) for key, value in record.items()}
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


def _links(folder: Path, records: Sequence[Record], best: Record | None) -> dict[str, str]:
    """The page of the best; of another trial its curves, as it has no page."""
    found = {}
    for record in records:
        number = int(record["trial"])
        pages = [folder_of(folder, number) / "curves.png"]
        if record is best:
            pages.insert(0, folder_of(folder, number, "best") / RUN_PAGE)
        if there := [page for page in pages if page.is_file()]:
            found[record["trial"]] = there[0].relative_to(folder).as_posix()
    return found


def _verdict(folder: Path, records: Sequence[Record], best: Record | None) -> str:
    states = [record["state"] for record in records]
    told = ", ".join(f"{states.count(each)} {each}" for each in dict.fromkeys(states))
    counted = f"{len(records)} trials: {told}."
    if best is None:
        return counted
    ended = ended_in(folder_of(folder, int(best["trial"]), "best"))
    metrics = {} if ended is None else ended.metrics
    tested = ", ".join(f"{key} {metrics[key]:.4g}" for key in TESTED if key in metrics)
    end = f"; tested once: {tested}." if tested else ", not tested yet."
    return f"{counted} Lowest {VALUE}: {best[VALUE]:.4g}, trial {best['trial']}{end}"


def _typed(folder: Path) -> str:
    """The command that began the study; empty where its journal is not beside the folder."""
    for journal in sorted(folder.parent.glob(f"{glob.escape(folder.name)}.*")):
        if not journal.is_file():
            continue
        with journal.open("rb") as file:
            if file.read(len(BEGIN)) != BEGIN:
                continue
        # Read without its lock, and without cutting what another process is about to write.
        storage = JournalStorage(JournalFileBackend(str(journal)))
        study = optuna.load_study(study_name=NAME, storage=storage)
        return str(study.user_attrs[NAME]["typed"])
    return ""
