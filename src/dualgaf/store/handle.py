"""`StoreHandle`: the few hundred bytes by which another process finds a store without a name.

The file is opened through ``/proc/PID/fd/N`` of a process that holds it. Before that, everything
that could have changed is compared: the boot, the process and its start time (a process number may
be given anew), the target of the link, which must be a file without a name or one of the cache (so
that no stranger's socket, pipe or device is ever opened); after it, the inode, the size and the
nonce in the header.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from dualgaf.errors import HandleError
from dualgaf.store.layout import HEADER_BYTES, StoreLayout
from dualgaf.store.segments import Segments

# a memfd, a file of O_TMPFILE, a file of mkstemp that was unlinked; an entry of the cache
_OURS = re.compile(
    r"(/memfd:dualgaf.*|/(.*/)?#\d+|/(.*/)?dualgaf-[^/]+) \(deleted\)"
    r"|/(.*/)?[0-9a-f]{32}\.store( \(deleted\))?"
)
_ADVICE = "build the store again: call setup()"


@dataclass(frozen=True)
class HeldFile:
    """An open file of the owner."""

    descriptor: int
    """Its number in that process."""
    inode: int
    """Its inode."""
    link: str
    """Where its link in /proc points."""

    @classmethod
    def of(cls, descriptor: int) -> Self:
        """A file that this process holds open."""
        link = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        return cls(descriptor, os.fstat(descriptor).st_ino, link)


@dataclass(frozen=True)
class StoreHandle:
    """Names a sealed store on this machine."""

    boot: str
    """Identity of this boot of the machine."""
    pid: int
    """A process that holds the store open."""
    pid_namespace: int
    """Inode of its process namespace."""
    started: str
    """Start time of that process, in clock ticks since boot."""
    files: tuple[HeldFile, ...]
    """The segments of the store."""
    nonce: bytes
    """Random bytes in the header."""
    layout: StoreLayout
    """Rows, shape, type."""
    backing: str
    """``memfd`` or ``file``."""

    @classmethod
    def of(cls, segments: Segments, nonce: bytes, layout: StoreLayout, backing: str) -> Self:
        """The handle of files that this process holds open."""
        boot, namespace = node_identity()
        return cls(
            boot=boot,
            pid=os.getpid(),
            pid_namespace=namespace,
            started=_started(os.getpid()),
            files=tuple(HeldFile.of(descriptor) for descriptor in segments.descriptors),
            nonce=nonce,
            layout=layout,
            backing=backing,
        )

    def to_json(self) -> dict[str, Any]:
        """As plain values, for a file that other processes look for."""
        files = [vars(file) for file in self.files]
        plain = {"nonce": self.nonce.hex(), "layout": self.layout.to_json(), "files": files}
        return {**vars(self), **plain}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """The inverse of `to_json`.

        Raises:
            HandleError: they are not the fields of a handle.
        """
        try:
            return cls._of_fields(fields)
        except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
            raise HandleError(f"these are not the fields of a handle: {error!r}") from error

    @classmethod
    def _of_fields(cls, fields: dict[str, Any]) -> Self:
        return cls(
            boot=str(fields["boot"]),
            pid=int(fields["pid"]),
            pid_namespace=int(fields["pid_namespace"]),
            started=str(fields["started"]),
            files=tuple(
                HeldFile(int(file["descriptor"]), int(file["inode"]), str(file["link"]))
                for file in fields["files"]
            ),
            nonce=bytes.fromhex(fields["nonce"]),
            layout=StoreLayout.from_json(fields["layout"]),
            backing=str(fields["backing"]),
        )


def open_handle(handle: StoreHandle) -> Segments:
    """The files of the store that the handle names, opened for reading.

    Raises:
        HandleError: the owner is gone, or what is there is another file.
    """
    if (handle.boot, handle.pid_namespace) != node_identity():
        raise HandleError(f"the store belongs to another machine, boot or container; {_ADVICE}")
    if not handle.files:
        raise HandleError(f"the handle names no file; {_ADVICE}")
    opened: list[int] = []
    try:
        opened.extend(_open(handle, file) for file in handle.files)  # keeps those before an error
        segments = Segments(tuple(opened), handle.layout.total_bytes)
        _check_contents(handle, segments)
    except BaseException:
        for descriptor in opened:
            os.close(descriptor)
        raise
    return segments


def _open(handle: StoreHandle, file: HeldFile) -> int:
    path = Path(f"/proc/{handle.pid}/fd/{file.descriptor}")
    try:
        started, link = _started(handle.pid), str(path.readlink())
    except OSError as error:
        raise HandleError(
            f"process {handle.pid}, which held the store, is gone or has closed it; {_ADVICE}"
        ) from error
    if started != handle.started or link != file.link or not _OURS.fullmatch(link):
        raise HandleError(f"process {handle.pid} no longer holds the store; {_ADVICE}")
    try:
        # O_NONBLOCK: should the descriptor change right now, opening a pipe does not hang.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise HandleError(
            f"the store of process {handle.pid} cannot be opened: {error}; {_ADVICE}"
        ) from error


def _check_contents(handle: StoreHandle, segments: Segments) -> None:
    for descriptor, file, size in zip(
        segments.descriptors, handle.files, segments.sizes, strict=True
    ):
        found = os.fstat(descriptor)
        if (found.st_ino, found.st_size) != (file.inode, size):
            raise HandleError(f"the handle names another file than the store; {_ADVICE}")
    head = os.pread(segments.descriptors[0], HEADER_BYTES, 0)
    if StoreLayout.from_header(head) != (handle.layout, handle.nonce):
        raise HandleError(f"the handle names another store; {_ADVICE}")


def node_identity() -> tuple[str, int]:
    """This boot of this machine, and the inode of this container's process namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return boot, Path("/proc/self/ns/pid").stat().st_ino


def _started(pid: int) -> str:
    # The name, in brackets, may hold blanks: count the fields after it.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
