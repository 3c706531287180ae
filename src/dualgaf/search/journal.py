"""The journal of a study: one file to which every process at work on it appends lines.

Optuna's own lock is a file that a killed process leaves behind; the others wait half a minute for
it. Here the kernel holds the lock (`dualgaf.store.lock`), and frees it however its holder ends.

A disk that was full leaves a line without its end. The next process would write behind it, and what
comes of the two nobody could read again. So whoever gets the lock cuts such a line off first.
"""

import logging
import os
import threading
from contextlib import ExitStack
from pathlib import Path

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock

from dualgaf.errors import ConfigError, SystemRefusedError
from dualgaf.store.lock import locked
from dualgaf.training.resume import shown, typed_folder
from dualgaf.training.run_folder import free_folder

SILENT_S = 2.0
"""A process that waits longer for another one says so."""
BEGIN = b'{"op_code":'
"""Of every line."""
BLOCK = 1 << 16
"""Bytes that are looked through at a time for the end of the last whole line."""

log = logging.getLogger(__name__)


class JournalLock(BaseJournalFileLock):
    """One writer at a time; each finds whole lines.

    Args:
        journal: the file that is written.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._path = journal.with_name(f".{journal.name}.lock")
        self._held = ExitStack()

    def acquire(self) -> bool:
        """Wait for the lock, say so where that takes long, and cut off what is torn.

        Raises:
            SystemRefusedError: the folder has no locks.
        """
        told = threading.Timer(SILENT_S, self._tell)
        told.daemon = True
        told.start()
        try:
            self._held.enter_context(locked(self._path))
        except OSError as error:
            raise SystemRefusedError(
                f"study={shown(self._journal)} lies where no file can be locked "
                f"({error.strerror or error}); type study= with a file in another folder"
            ) from error
        finally:
            told.cancel()
        cut_torn_line(self._journal)
        return True

    def release(self) -> None:
        """Let the next one write."""
        self._held.close()

    def _tell(self) -> None:
        log.warning(
            "another process is writing %s since %g s; waiting for it (lock %s)",
            shown(self._journal),
            SILENT_S,
            shown(self._path),
        )


def cut_torn_line(journal: Path) -> int:
    r"""Cut off what follows the last whole line, and say so.

    Args:
        journal: a file that nobody else is writing.

    Returns:
        Bytes that were cut off.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "study.journal")
        >>> _ = path.write_text('{"a": 1}\n{"b"')
        >>> cut_torn_line(path), path.read_text()
        (4, '{"a": 1}\n')
    """
    with journal.open("rb+") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - BLOCK)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end < size:
            file.truncate(end)
            os.fsync(file.fileno())
            log.warning(
                "the last line of %s was torn, by a kill or a full disk: its %d bytes are cut off",
                shown(journal),
                size - end,
            )
    return size - end


def opened(journal: Path) -> JournalStorage:
    """The storage of a journal, made where it is not there.

    Args:
        journal: the file.

    Raises:
        ConfigError: it is no journal of Optuna, or is damaged.
        SystemRefusedError: the folder has no locks.
    """
    other = typed_folder("study", free_folder(journal.with_suffix("")).with_suffix(journal.suffix))
    if journal.exists() and not _begins_as_journal(journal):
        raise ConfigError(
            f"study={shown(journal)} is no journal of a study, and stays as it is; for a new study "
            f"type {other}"
        )
    journal.parent.mkdir(parents=True, exist_ok=True)
    lock = JournalLock(journal)
    backend = JournalFileBackend(str(journal), lock_obj=lock)
    lock.acquire()  # cuts off what is torn
    lock.release()
    try:
        return JournalStorage(backend)
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise ConfigError(
            f"study={shown(journal)} is damaged: a line cannot be read ({error}); it stays as it "
            f"is; for a new study type {other}"
        ) from error


def _begins_as_journal(path: Path) -> bool:
    """Whether a file is empty, or has the begin of a journal, which a kill may have torn."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        begin = file.read(len(BEGIN))
    return BEGIN.startswith(begin)
