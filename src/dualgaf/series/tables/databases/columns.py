"""A column of a query: its type, and how it is selected so that it arrives as what it is."""

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from dualgaf.errors import ConfigError, SourceError, typed_option
from dualgaf.series.tables.databases.uri import DatabaseURI

LONGEST = 100
"""Letters of a cell that is no text of its own, such as JSON."""
_TEXT_OR_COMMENT = re.compile(
    r"""(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"""
    r"|--[^\n]*|/\*.*?\*/",
    re.DOTALL,
)
_READS = ("select", "with", "values", "table", "from")


@dataclass(frozen=True)
class QueryColumn:
    """One column of a query."""

    name: str
    kind: str
    """What the database calls its type."""
    dtype: pl.DataType | type[pl.DataType]
    """What it arrives as; Null where that is not known before."""
    selected: str
    """How it is selected."""
    instead: str | None = None
    """What to write in the query instead; None where the column can be read."""

    def refused(self, place: str) -> SourceError:
        """Why it cannot be read.

        Args:
            place: what messages call the query.
        """
        return SourceError(
            f"{place}: column {self.name!r} is {self.kind}, which is no number, time or text that "
            f"can be compared; in the query write {self.instead} AS {quoted(self.name)}, or type "
            f"{typed_option('data.exclude', [self.name])}"
        )


class Connected:
    """What every kind of database has once it is open.

    Args:
        uri: where it is.
        connection: of its driver.
        error: what calls of that raise.
    """

    def __init__(self, uri: DatabaseURI, connection: Any, error: type[Exception]) -> None:
        self.zone = "UTC"
        self._uri = uri
        self._connection = connection
        self._error = error


class Database(Protocol):
    """A database that is open, for reading only."""

    zone: str
    """The zone in which it shows times that have one."""

    def columns(self, query: str, probe: bool) -> list[QueryColumn]:
        """The columns of a query, which is not run for it.

        Args:
            query: one that `checked_query` has seen.
            probe: whether types are needed where only the rows tell them.

        Raises:
            SourceError: it fails.
        """

    def rows(self, query: str, columns: Sequence[QueryColumn]) -> pl.DataFrame:
        """These columns of all rows.

        Raises:
            SourceError: it fails.
        """


Opened = AbstractContextManager[Database]


def checked_query(query: str) -> str:
    """A query that can stand in brackets, without comments and the semicolon at its end.

    Raises:
        ConfigError: it does not read, or is none.

    Example:
        >>> checked_query("SELECT time, '--' AS sat FROM plant; -- all")
        "SELECT time, '--' AS sat FROM plant"
        >>> checked_query("DELETE FROM plant")
        Traceback (most recent call last):
        ...
        dualgaf.errors.ConfigError: data.query begins with DELETE, and ...
    """
    bare = _TEXT_OR_COMMENT.sub(lambda found: found["text"] or " ", query)
    word = re.match(r"[\s(]*([A-Za-z]*)", bare)
    first = word[1] if word else ""
    if first.lower() not in _READS:
        begins = f"begins with {first.upper()}" if first else "is no query"
        raise ConfigError(
            f"data.query {begins}, and a database is only read; allowed: one SELECT, also after "
            "WITH, or a file FILE.sql that has it; type 'data.query=\"SELECT * FROM TABLE\"'"
        )
    return re.sub(r"[\s;]+$", "", bare).strip()


def quoted(name: str) -> str:
    """A name as SQL has it.

    Example:
        >>> print(quoted('the "sat" here'))
        "the ""sat"" here"
    """
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def selecting(query: str, selected: Sequence[str], more: str = "") -> str:
    """A query of the columns that are needed.

    Example:
        >>> selecting("SELECT * FROM plant", ['"sat"'], "LIMIT 1")
        'SELECT "sat" FROM (SELECT * FROM plant) AS asked LIMIT 1'
    """
    return f"SELECT {', '.join(selected)} FROM ({query}) AS asked {more}".rstrip()


def with_alias(sql: str, name: str) -> str:
    """An expression under the name of its column."""
    return sql if sql == quoted(name) else f"{sql} AS {quoted(name)}"


def failed(place: str, reason: str) -> SourceError:
    """A query that fails.

    Args:
        place: the database.
        reason: its words, without what is secret.
    """
    told = f"the query (data.query) fails in {place}: {reason}"
    if re.search(r"(?i)read-?\s?only", reason):
        told += "; a database is only read, the connection is read-only"
    return SourceError(told)


def not_installed(package: str, extra: str, place: str) -> SourceError:
    """A package is missing."""
    return SourceError(
        f'{place} is read by {package}, which is not installed; type pip install "dualgaf[{extra}]"'
    )
