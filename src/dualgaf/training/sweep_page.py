"""``index.html`` of a sweep."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from dualgaf.plots.sweep import BUILD, Row, best_job, compared, swept_overrides
from dualgaf.report.index import IndexPage, columns_of, page_links
from dualgaf.report.page import Picture
from dualgaf.training.resume import shown
from dualgaf.training.run_page import repeat_command, report_command, tell_unwritten
from dualgaf.training.settings import Settings, name_of

log = logging.getLogger(__name__)

TABLE = "sweep.csv"
METRICS = (
    "val/acc", "test/acc", "test/f1_macro", "val/loss", "test/ece", "fit/seconds", "build/seconds",
    "build/backend", "build/cache",
)  # fmt: skip
"""In the table, as far as there is room."""


def index_page(folder: Path, rows: Sequence[Row], notes: Sequence[tuple[str, str]]) -> IndexPage:
    """The page of a sweep.

    Args:
        folder: of the sweep, with ``sweep.csv`` and a folder a job.
        rows: of its table.
        notes: titles and tables in plain text.
    """
    jobs = sorted(path.parent for path in folder.glob("*/.hydra") if path.is_dir())
    name = name_of(Settings.read(jobs[0])) if jobs else folder.name
    pictures = (
        Picture.read(folder / "sweep.png", "What the jobs of the sweep reached; as in the table"),
        Picture.read(folder / "folds.png", "Confusion matrix of all folds together"),
    )
    swept = ", ".join(swept_overrides(rows)) or "nothing"
    commands = [("To make this page again", report_command(folder))]
    if again := repeat_command(folder):
        commands.insert(0, ("To repeat this sweep, in a new folder", again))
    return IndexPage(
        title=f"Sweep of {name}",
        folder=shown(folder),
        verdict=f"{len(rows)} jobs over {swept}. {_best(rows)}",
        records=rows,
        names=columns_of(rows, "job", METRICS),
        links=page_links(folder, rows, "job"),
        best=best_job(rows) if len(rows) > 1 else None,
        table=TABLE,
        pictures=[picture for picture in pictures if picture is not None],
        notes=notes,
        commands=commands,
    )


def write_index(folder: Path, index: Callable[[Path], IndexPage]) -> None:
    """Write the page of a sweep, or of a study, that is over, and say where it is; never raise.

    Args:
        folder: of the sweep or the study.
        index: makes its page.
    """
    try:
        log.info("page: %s", shown(index(folder).write(folder)))
    except Exception as error:
        # All is over, and its table is there.
        tell_unwritten(shown(folder), folder, error)


def _best(rows: Sequence[Row]) -> str:
    best, key = best_job(rows), compared(rows)
    if best is None or len(rows) < 2:
        return ""
    word = "Lowest" if key == BUILD else "Highest"
    return f"{word} {key}: {float(best[key]):.4g}, job {best['job']}."
