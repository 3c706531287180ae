"""`IndexPage`: ``index.html`` of a folder of runs: a table that can be sorted, links, pictures.

It takes any folder with a table of rows, a run each: of a sweep, of a study.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from dualgaf.report.page import RUN_PAGE, Picture, rendered, write_page

INDEX_PAGE = "index.html"
"""Its name in the folder."""
TRIALS = "trials.csv"
"""The table of a study; a sweep has ``sweep.csv``."""
MOST_COLUMNS = 12
"""Of the table; the file of the table has all."""

Record = Mapping[str, Any]
"""A run: what tells it apart, and its figures."""


class Column(NamedTuple):
    """A column of the page."""

    name: str
    numeric: bool


class Cell(NamedTuple):
    """A cell: what is read, and what is sorted by."""

    name: str
    text: str
    value: str
    numeric: bool
    link: str


class IndexRow(NamedTuple):
    """A run."""

    cells: Sequence[Cell]
    best: bool


@dataclass(frozen=True, eq=False)
class IndexPage:
    """What the page of a folder of runs says.

    Example:
        >>> records = [{"job": "0", "seed": "0", "val/acc": 0.5}, {"job": "1", "seed": "1"}]
        >>> page = IndexPage("seeds", "multirun/1", "Two runs.", records, ("job", "seed", "val/acc"))
        >>> [cell.text for cell in page.rows[0].cells], page.columns[1]
        (['0', '0', '0.5'], Column(name='seed', numeric=True))
    """  # noqa: E501

    title: str
    """Name of the sweep or study."""
    folder: str
    """Where it is."""
    verdict: str
    """One sentence."""
    records: Sequence[Record]
    """The runs, in the order in which they are shown."""
    names: Sequence[str]
    """Columns that are shown; the first tells runs apart, and is the link to their pages."""
    links: Mapping[str, str] | None = None
    """Value of the first column -> page of that run, from this folder on."""
    best: Record | None = None
    """One of the records."""
    table: str = "sweep.csv"
    """The file with all columns."""
    pictures: Sequence[Picture] = ()
    notes: Sequence[tuple[str, str]] = ()
    """Titles and tables in plain text."""
    commands: Sequence[tuple[str, str]] = ()
    """What for -> what to type."""

    @property
    def columns(self) -> list[Column]:
        """A column is of numbers where all its values are."""
        return [
            Column(name, all(_is_number(record[name]) for record in self.records if name in record))
            for name in self.names
        ]

    @property
    def rows(self) -> list[IndexRow]:
        """A row a run; what it lacks is empty."""
        columns, links = self.columns, self.links or {}
        return [
            IndexRow(
                [
                    Cell(
                        name=column.name,
                        text=_text(record.get(column.name, "")),
                        value=str(record.get(column.name, "")),
                        numeric=column.numeric,
                        link=links.get(str(record.get(column.name, "")), "") if not place else "",
                    )
                    for place, column in enumerate(columns)
                ],
                record is self.best,
            )
            for record in self.records
        ]

    def html(self) -> str:
        """The whole page."""
        return rendered("index.html", page=self)

    def write(self, folder: Path) -> Path:
        """Write ``index.html``; it is there whole, or is the one before.

        Args:
            folder: of the sweep or the study.

        Raises:
            OSError: it cannot be written.
        """
        return write_page(folder / INDEX_PAGE, self.html())


def read_records(path: Path) -> list[dict[str, Any]]:
    r"""Rows of a table; numbers in columns of metrics (with a slash), and no empty cells.

    Args:
        path: a CSV file, a row a run.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "sweep.csv")
        >>> _ = path.write_text("job,seed,val/acc\n0,3,0.5\n1,4,\n")
        >>> read_records(path)
        [{'job': '0', 'seed': '3', 'val/acc': 0.5}, {'job': '1', 'seed': '4'}]
    """
    with path.open(newline="") as file:
        return [
            {
                key: float(cell) if "/" in key and _is_number(cell) else cell
                for key, cell in row.items()
                if cell not in ("", None)
            }
            for row in csv.DictReader(file)
        ]


def columns_of(records: Sequence[Record], key: str, metrics: Sequence[str]) -> list[str]:
    """What to show: the key, what tells runs apart, and figures that are there, best known first.

    Args:
        records: the runs.
        key: the column that names a run.
        metrics: figures, the most important first.

    Example:
        >>> columns_of([{"job": 0, "a": 1, "b": 2, "x/y": 3}, {"job": 1, "a": 2, "b": 2}], "job", ["x/y"])
        ['job', 'a', 'x/y']
    """  # noqa: E501
    names = dict.fromkeys(name for record in records for name in record)
    told = [name for name in names if name != key and "/" not in name and _tells(records, name)]
    figures = [name for name in metrics if name in names and _tells(records, name)]
    room = MOST_COLUMNS - 1 - min(len(figures), MOST_COLUMNS // 2)
    return [key, *told[:room], *figures][:MOST_COLUMNS]


def page_links(folder: Path, records: Sequence[Record], key: str) -> dict[str, str]:
    """The page of each run that has one.

    Args:
        folder: with a folder a run.
        records: the runs.
        key: the column that names a run, and its folder.
    """
    names = [str(record[key]) for record in records if key in record]
    return {name: f"{name}/{RUN_PAGE}" for name in names if (folder / name / RUN_PAGE).is_file()}


def _tells(records: Sequence[Record], name: str) -> bool:
    """Whether a column tells runs apart."""
    return len({str(record.get(name)) for record in records}) > 1 or len(records) == 1


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
