"""Where a database is, as ``data.uri`` says it; what is secret in it is never shown.

A URI is shown without the user, the password and every further parameter. A text that cannot be
read as a URI is not repeated in an error: it may hold a password, too.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote

from dualgaf.errors import ConfigError, SourceError

Kind = Literal["postgresql", "sqlite", "duckdb"]
FORMS = "postgresql://USER@HOST:5432/DATABASE, sqlite:///FILE, duckdb:///FILE"
"""What is allowed."""
FROM_ENVIRONMENT = "'data.uri=${oc.env:PLANT_URI}'"
"""How a URI with a password is typed: the variable is looked up when the data are read, and what
is stored is its name."""
_SERVER = re.compile(
    r"postgres(?:ql)?://(?:(?P<user>[^@/?]*)@)?(?P<host>(?:[\w.%-]+|\[[\da-fA-F:.]+\])?(?::\d*)?"
    r"(?:,[\w.%:-]+)*)(?:/(?P<name>[^@?]*))?(?:\?(?P<rest>[^@]*))?",
    re.DOTALL,
)
_FILE = re.compile(r"(?P<kind>sqlite|duckdb):///(?P<path>.+)", re.DOTALL)
_ENDINGS = {".db": "sqlite", ".sqlite": "sqlite", ".sqlite3": "sqlite", ".duckdb": "duckdb"}
_SECRET = re.compile(r"(?i)passw|passphrase|secret|token")
_LOOKED_UP = re.compile(r"\$\{[^{}]*\}")
_TYPED_PASSWORD = re.compile(r"(?i)://(?:[^@\s/:]*:\S+@|\S*[?&]\w*passw\w*=[^&\s'\"]+)")
_OF_DATA = re.compile(r"(?i)^[+'\"]*data[.=]|postgres")


@dataclass(frozen=True)
class DatabaseURI:
    """A URI that was understood.

    Example:
        >>> uri = DatabaseURI.of("postgresql://plant:s3cret@db.example:5432/ahu?sslmode=require")
        >>> uri.shown, uri.name, "s3cret" in repr(uri)
        ('postgresql://db.example:5432/ahu', 'ahu', False)
        >>> uri.masked('no access for user "plant", password s3cret')
        'no access for user "...", password ...'
    """

    kind: Kind
    """What it is a database of."""
    shown: str
    """Without user, password and parameters."""
    name: str
    """Of the database, or of its file."""
    text: str = field(repr=False)
    """All of it."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Texts that are shown nowhere."""
    user: str = field(default="", repr=False)
    """Who connects; empty where it does not say."""

    @classmethod
    def of(cls, text: object) -> "DatabaseURI":
        """Understand a URI.

        Args:
            text: see `FORMS`; three slashes are a path from the current folder, four one from the
                root.

        Raises:
            ConfigError: it is none of these; without the text.
        """
        if not isinstance(text, str) or not text:
            raise ConfigError(f"data.uri is no text; allowed: {FORMS}; type data.uri=URI")
        if "${" in text:
            raise ConfigError(
                "data.uri has ${...}, which only the command line looks up; in Python give "
                'os.environ["PLANT_URI"]'
            )
        if found := _FILE.fullmatch(text):
            path = Path(found["path"]).expanduser()
            kind: Kind = "sqlite" if found["kind"] == "sqlite" else "duckdb"
            return cls(kind, f"{kind}:///{found['path']}", path.name, text)
        if found := _SERVER.fullmatch(text):
            return cls._server(found, text)
        raise ConfigError(_not_understood(text))

    @classmethod
    def _server(cls, found: re.Match[str], text: str) -> "DatabaseURI":
        user, _, password = (found["user"] or "").partition(":")
        told = dict(parse_qsl(found["rest"] or "", keep_blank_values=True))
        secrets = [password, *(value for key, value in told.items() if _SECRET.search(key))]
        known = {one for secret in secrets if secret for one in (secret, unquote(secret))}
        name = found["name"] or told.get("dbname", "")
        shown = f"postgresql://{found['host']}/{name}"
        longest_first = tuple(sorted(known, key=len, reverse=True))
        who = unquote(user) or told.get("user", "")
        return cls("postgresql", shown, name or "postgresql", text, longest_first, who)

    @property
    def path(self) -> Path:
        """The file of SQLite or DuckDB.

        Raises:
            SourceError: there is none.
        """
        written = self.shown.partition(":///")[2]
        path = Path(written).expanduser()
        if path.is_file():
            return path
        if not path.is_absolute() and (other := Path(f"/{written}")).is_file():
            raise SourceError(
                f"there is no file {path} in this folder (three slashes), and there is {other}; "
                f"type data.uri={self.kind}:///{other}"
            )
        raise SourceError(f"there is no file {path}; type data.uri={self.kind}:///FILE")

    def masked(self, text: str) -> str:
        """A text of the database without what is secret."""
        for secret in self.secrets:
            text = text.replace(secret, "...")
        return text.replace(f'"{self.user}"', '"..."') if self.user else text


def is_uri(text: object) -> bool:
    """Whether a text is meant as a URI of a database, and not as a path.

    Example:
        >>> is_uri("sqlite:///plant.db"), is_uri("plant.csv")
        (True, False)
    """
    return isinstance(text, str) and (
        re.match(r"[A-Za-z][\w+.-]*://", text) is not None or text.startswith("${")
    )


def check_no_password(words: Iterable[str], typed: str = FROM_ENVIRONMENT) -> None:
    """Refuse a password that is typed: a shell keeps it, and every user of the machine can see it.

    Args:
        words: of a command line, or options of a file as they would be typed.
        typed: what to type instead.

    Raises:
        ConfigError: one has it; without the word.

    Example:
        >>> check_no_password(["data.uri=postgresql://plant@host/ahu"])
        >>> check_no_password(["data.uri=postgresql://plant:${oc.env:PASSWORD}@host/ahu"])
        >>> check_no_password(["data.uri=postgresql://plant:s3cret@host/ahu"])
        Traceback (most recent call last):
        ...
        dualgaf.errors.ConfigError: a URI with a password is not taken from the command line or ...
    """
    for word in words:
        if _OF_DATA.search(word) and has_password(word):
            raise ConfigError(
                "a URI with a password is not taken from the command line or a file of options, "
                "where it stays and others see it; put it into the environment "
                f"(read -rs PLANT_URI; export PLANT_URI) and type {typed}"
            )


def check_logged_uris(words: Iterable[str]) -> None:
    """Refuse a password in the options of loggers: files of the run would keep it.

    Args:
        words: ``logger.NAME.OPTION=VALUE``; others are passed over.

    Raises:
        ConfigError: one has it; without the word.
    """
    for word in words:
        key = word.lstrip("+'\"").partition("=")[0]
        if key.startswith("logger.") and has_password(word):
            raise ConfigError(
                f"{key} has a password, and what is typed stays where others see it; put the URI "
                "into the environment (read -rs MLFLOW_TRACKING_URI; export MLFLOW_TRACKING_URI), "
                f"where logger=mlflow looks for it, and leave {key} out"
            )


def has_password(text: str) -> bool:
    """Whether a URI in a text has a password that is not looked up.

    Example:
        >>> has_password("http://me:s3cret@host"), has_password("http://me:${oc.env:WORD}@host")
        (True, False)
    """
    return _TYPED_PASSWORD.search(_LOOKED_UP.sub("", text)) is not None


def _not_understood(text: str) -> str:
    if text.startswith(("postgresql://", "postgres://")):
        return (
            "data.uri cannot be read: in a user, password or name @ is written %40, / %2F, ? %3F; "
            f"allowed: {FORMS}"
        )
    if found := re.fullmatch(r"(sqlite|duckdb):/{0,2}(?!/)(.*)", text):
        kind, path = found[1], Path(found[2] or "FILE")
        return f"a file comes after three slashes; type data.uri={kind}:///{path}"
    path = Path(text)
    if path.suffix.lower() in _ENDINGS and re.fullmatch(r"[^=@:]+", text):  # holds no password
        kind = _ENDINGS[path.suffix.lower()]
        return f"data.uri={path} is a path; allowed: {FORMS}; type data.uri={kind}:///{path}"
    scheme = re.match(r"[A-Za-z][\w+.-]*(?=://)", text)
    begins = f"begins with {scheme[0]}://" if scheme else "begins with none of these"
    return f"data.uri {begins}; allowed: {FORMS}; type data.uri=URI"
