"""The letters of a CSV file, as UTF-8.

UTF-8 and UTF-16 can be told from the bytes. What is neither is read as cp1252 if that gives letters
and signs that stand in tables, and it is said; everything else is asked for. A letter that cannot
be read is an error, never a replacement character.
"""

import codecs
import re

from dualgaf.errors import SourceError
from dualgaf.series.tables.notes import Notes

ENCODINGS = ("utf-8", "utf-16", "cp1252")
"""Those that are found alone."""
_BROKEN = "\N{REPLACEMENT CHARACTER}"
_PART_BYTES = 1 << 20
_LETTERS = frozenset(
    "äöüÄÖÜßéèêëàâçîïôûùÉÈÀÇñáíóúÑÁÍÓÚåæøÅÆØãõ"  # of western Europe
    "°µ²³½¼¾±·×§€–—’“”…«»¿¡®©\xa0"  # noqa: RUF001
)
"""What a table of measurements may have in cp1252; others are a sign of another encoding."""
_OTHER = re.compile(r"ø ?[CF]\b|[A-Za-z][¹³¿¡½¼][a-z]|[a-z][ÄÖÜÅÆØÉÈÀÇÑÁÍÓÚ]")
"""Words that cp850 or cp1250 make when they are read as cp1252: ``øC`` is ``°C``."""


def as_utf8(raw: bytes, file: str, encoding: str | None, notes: Notes) -> bytes:
    """The same text as UTF-8 without a mark in front.

    Args:
        raw: the file.
        file: its name, for messages.
        encoding: how it is written; None = found out.
        notes: what was found goes there.

    Raises:
        SourceError: it is written in another way, or a letter was lost before.

    Example:
        >>> as_utf8("°C".encode("cp1252"), "a.csv", None, Notes()).decode()
        '°C'
    """
    found = _found(raw, file, notes) if encoding is None else _as_told(raw, file, encoding)
    found = found.removeprefix(codecs.BOM_UTF8)
    if not found.isascii() and (place := found.find(_BROKEN.encode())) >= 0:
        line = found.count(b"\n", 0, place) + 1
        raise SourceError(
            f"{file}, line {line}: a letter was lost before ({_around(found, place)!r}, U+FFFD); "
            "export the file anew as UTF-8"
        )
    return found


def _found(raw: bytes, file: str, notes: Notes) -> bytes:
    if raw.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return _decoded(raw, file, "utf-32").encode()
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _decoded(raw, file, "utf-16").encode()
    if (wide := _without_mark(raw)) is not None:
        notes.add("letters are read as UTF-16", file)
        return _decoded(raw, file, wide).encode()
    if raw.isascii() or _is_utf8(raw):
        return raw
    try:
        text = raw.decode("cp1252")
        strange = {c for c in set(text) if ord(c) > 127} - _LETTERS
    except UnicodeDecodeError:
        text, strange = "", {"a byte that is none"}
    if not strange and _OTHER.search(text) is None:
        place = next(k for k, c in enumerate(text) if ord(c) > 127)
        notes.add(f"letters are read as cp1252 ({text[max(0, place - 9) : place + 9]!r})", file)
        return text.encode()
    place = next(k for k, byte in enumerate(raw) if byte > 127)
    line = raw.count(b"\n", 0, place) + 1
    raise SourceError(
        f"{file}, line {line}: {raw[max(0, place - 9) : place + 9]!r} is not UTF-8, and cp1252 "
        "makes odd letters of it; type how it is written: data.encoding=cp850, "
        "data.encoding=cp1250, data.encoding=cp1252 or another that Python knows"
    )


def _as_told(raw: bytes, file: str, encoding: str) -> bytes:
    name = codecs.lookup(encoding).name
    if name.startswith("utf-16") and not raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        name = _without_mark(raw) or name
        if name == "utf-16" and _is_utf8(raw):
            raise SourceError(
                f"{file} is no UTF-16, and data.encoding={encoding}; type data.encoding=utf-8 or "
                "data.encoding=null"
            )
    text = _decoded(raw, file, name)
    # Bytes that are UTF-8 by chance are rare: two letters of cp1252 would have to stand so.
    if not name.startswith("utf") and not raw.isascii() and _is_utf8(raw):
        raise SourceError(
            f"{file} is written in UTF-8, and data.encoding={encoding} makes other letters of it; "
            "type data.encoding=utf-8 or data.encoding=null"
        )
    return text.encode()


def _decoded(raw: bytes, file: str, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeError as error:
        place = getattr(error, "start", 0)
        raise SourceError(
            f"{file}, line {raw.count(bytes([10]), 0, place) + 1}: "
            f"{raw[max(0, place - 9) : place + 9]!r} is not {encoding}; type "
            "data.encoding=null to have it found out, or data.encoding=cp1252"
        ) from None


def _without_mark(raw: bytes) -> str | None:
    """UTF-16 without a mark in front: every second byte of plain letters is zero."""
    sample = raw[: 2 * min(len(raw) // 2, 200)]
    if len(sample) < 4:
        return None
    low, high = sample[::2], sample[1::2]
    if high.count(0) > 0.7 * len(high) and 0 not in low:
        return "utf-16-le"
    if low.count(0) > 0.7 * len(low) and 0 not in high:
        return "utf-16-be"
    return None


def _is_utf8(raw: bytes) -> bool:
    reader = codecs.getincrementaldecoder("utf-8")()
    try:
        for first in range(0, len(raw), _PART_BYTES):
            reader.decode(raw[first : first + _PART_BYTES])
        reader.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _around(raw: bytes, place: int) -> str:
    return raw[max(0, place - 12) : place + 12].decode(errors="ignore").strip()
