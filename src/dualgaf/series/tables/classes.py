"""The class of each row: from a column, or from the name of its file."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import polars as pl

from dualgaf.errors import SourceError, typed_option
from dualgaf.series.inspection import Refuse
from dualgaf.series.tables.cells import Column, label_texts
from dualgaf.series.tables.coded import Coded
from dualgaf.series.tables.files import stem
from dualgaf.series.tables.rows import FileDraft

if TYPE_CHECKING:
    from dualgaf.series.tables.tabular import Tabular

LabelFrom = Literal["auto", "column", "file", "name", "path", "folder"]
BY_FILE = ("file", "name", "path", "folder")
"""Values of ``data.label`` for which no column is looked at."""
_MOST_CLASSES = 30
"""Different texts of a file that may be classes; notes of an operator are more."""
_LIKELY = re.compile("fault|state|status|class|label|condition|mode|type|error|alarm|diagnos")
Unlabelled = Literal["predict", "drop", "class"] | None


def classes_of(table: pl.DataFrame, column: str | None, source: "Tabular", file: str) -> Coded:
    """The class of each row, where it has one.

    Args:
        table: the cells of a file.
        column: the one of classes, if there is one.
        source: the settings.
        file: the file's name in the folder.

    Raises:
        SourceError: neither a column nor a name tells.
    """
    if source.label not in BY_FILE and column is not None:
        return Coded.of(table[column], lambda cells: label_texts(cells, source.null_values))
    if source.is_new and source.label not in BY_FILE:
        return Coded.constant(None, table.height)
    if not source.names_tell and source.label not in BY_FILE and source.fault_log is None:
        names = ", or give a mapping of each class to its frame"
        raise SourceError(
            f"{file} has no column of classes (fault, label, class or target); it has: "
            f"{', '.join(table.columns[:12])}; type data.label_column=NAME"
            + (names if source.kind == "frames" else "")
        )
    return Coded.constant(source.class_of(file), table.height)


def settle_classes(
    drafts: list[FileDraft], column: str | None, source: "Tabular", refuse: Refuse
) -> list[str]:
    """Deal with rows without a class, and with files of one name.

    Args:
        drafts: every file; their classes and the rows they keep change.
        column: the one of classes, if there is one.
        source: the settings.
        refuse: gets the error; where it returns, such rows are not learned.

    Returns:
        What was done, a sentence.

    Raises:
        SourceError: there are such rows and no rule for them, or two files give one name.
    """
    log = source.log_name
    if source.is_new:
        if source.unlabelled == "class" and any(draft.label.names for draft in drafts):
            for draft in drafts:
                draft.label = draft.label.filled(source.unlabelled_class)
        return []
    if log is None and (column is None or source.label in BY_FILE):
        _check_stems(drafts, source, refuse)
        return (
            _by_name_said(drafts, source.kind.removesuffix("s")) if source.label == "auto" else []
        )
    missing = {d.file: int((d.label.codes.is_null() & d.keep).sum()) for d in drafts}
    n = sum(missing.values())
    if not n:
        return []
    rows = f"{n} of {sum(d.height for d in drafts)} rows"
    where = ", ".join(file for file, own in missing.items() if own)[:200]
    if source.unlabelled is None:
        told = f"label column {column!r}: {rows} have no label, the cell is missing"
        if log is not None:
            told = f"{log} (data.fault_log): {rows} have no label, they lie outside of its faults"
        told = (
            f"{told} ({where}); "
            "if they are a class of their own (often the normal one), type data.unlabelled=class "
            "data.unlabelled_class=normal; to predict and not to learn them, type "
            "data.unlabelled=predict; to leave them out, type data.unlabelled=drop"
        )
        refuse(SourceError(told))
        return []
    for draft in drafts:
        if source.unlabelled == "class":
            draft.label = draft.label.filled(source.unlabelled_class)
        elif source.unlabelled == "drop":
            draft.keep = draft.keep & draft.label.codes.is_not_null()
    means = {
        "class": f"are of class {source.unlabelled_class!r}",
        "drop": "are left out",
        "predict": "are not learned, and go to predict",
    }
    return [f"{rows} have no label and {means[source.unlabelled]}"]


def _by_name_said(drafts: list[FileDraft], kind: str) -> list[str]:
    """That no column has the classes, what they are, and which column would do."""
    rows: Counter[str] = Counter()
    for draft in drafts:
        rows.update(draft.label.counts())
    shown = ", ".join(f"{name} ({n} rows)" for name, n in list(rows.items())[:8])
    told = f"no column of classes is known, so the name of the {kind} is the class: {shown}"
    texts: dict[str, list[Column]] = {}
    for draft in drafts:
        for name, column in draft.columns.items():
            if column.kind == "text":
                texts.setdefault(name, []).append(column)
    likely = [name for name in texts if _LIKELY.search(name.lower())]
    likely += [name for name, columns in texts.items() if _has_few(columns)]
    if likely:
        typed = typed_option("data.label_column", likely[0])
        told += f"; if column {likely[0]!r} has them, type {typed}"
    return [told + (", ..." if len(rows) > 8 else "")]


def _has_few(columns: Sequence[Column]) -> bool:
    """Whether a column of texts has two cells or more, and few enough for classes."""
    several = max(column.n_texts for column in columns) > 1
    several |= len({column.example for column in columns}) > 1
    return several and all(0 < column.n_texts <= _MOST_CLASSES for column in columns)


def _check_stems(drafts: list[FileDraft], source: "Tabular", refuse: Refuse) -> None:
    if source.shares_classes:
        return
    double = [name for name, n in Counter(stem(d.file) for d in drafts).items() if n > 1]
    if double:
        one, other, *_ = (d.file for d in drafts if stem(d.file) == double[0])
        told = (
            f"{one} and {other} have one name, and the class is the name of the file; type "
            f"data.label=name if both are class {double[0]!r}, data.label=path if each is a class "
            "of its own, or data.label=folder if the folder is the class"
        )
        refuse(SourceError(told))
