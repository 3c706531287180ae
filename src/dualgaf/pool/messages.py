"""What the supervisor and a worker say to each other: JSON over a private Unix socket pair.

One packet is one message (SOCK_SEQPACKET); open files travel beside it. Nothing is pickled.

    worker      hello {pid, torch}                      ready, and whether torch was loaded
    supervisor  job {recipe, layout, ...}               + descriptors of the input and the store
    supervisor  chunk {chunk, first, last}
    worker      done {chunk, torch} | failed {chunk, error, text, trace}
    supervisor  end                                     the store is full: let go of it

Then another job may come. Either side ends the talk by closing its socket; the other then reads
nothing.
"""

import contextlib
import json
import mmap
import os
import socket
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.machine import memory_headroom
from dualgaf.store.backing import anonymous_file, disk_folder
from dualgaf.store.layout import StoreLayout
from dualgaf.store.segments import MAX_SEGMENTS
from dualgaf.store.writer import memory_reserve

Array = npt.NDArray[Any]

PACKET_BYTES = 1 << 20
TEXT_LIMIT = 20_000


def send(
    channel: socket.socket, message: dict[str, Any], descriptors: tuple[int, ...] = ()
) -> None:
    """Send one message, with open files beside it."""
    # Not as \\u escapes: a packet must fit the socket's buffer (about 200 KB).
    socket.send_fds(channel, [json.dumps(message, ensure_ascii=False).encode()], descriptors)


def receive(channel: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """The next message and its open files; None where the other side is gone."""
    try:
        data, descriptors, _, _ = socket.recv_fds(channel, PACKET_BYTES, MAX_SEGMENTS + 1)
    except ConnectionResetError:
        return None, []
    return (json.loads(data) if data else None), descriptors


@dataclass(frozen=True, eq=False)
class Job:
    """What a worker needs to fill any chunk of one store."""

    recipe: ImagingRecipe
    """How windows are drawn."""
    fitted: bool
    """Whether the input holds fitted bounds, for ``scaling=train``."""
    layout: StoreLayout
    """Rows of the store."""
    place: str
    """``memfd`` or ``file``."""
    window_size: int
    """T."""
    flat_shape: tuple[int, int]
    """(C, L) of the input."""
    flat_dtype: str
    """Its type."""

    def to_message(self) -> dict[str, Any]:
        """As plain values."""
        plain = {**vars(self), "recipe": self.recipe.to_json(), "layout": self.layout.to_json()}
        return {"kind": "job", **plain}

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Self:
        """The inverse of `to_message`."""
        fields = {key: value for key, value in message.items() if key != "kind"}
        fields["recipe"] = ImagingRecipe.from_json(fields["recipe"])
        fields["layout"] = StoreLayout.from_json(fields["layout"])
        fields["flat_shape"] = tuple(fields["flat_shape"])
        return cls(**fields)


def share_windows(windows: Windows, bounds: Array | None = None) -> int:
    """A memfd of what the workers read; a file without a name where memory is short or refused.

    It holds ``starts``, ``bounds``, ``flat``: in this order all are aligned, whatever the type of
    ``flat``.

    Raises:
        OSError: the system refuses both.
    """
    parts = [np.ascontiguousarray(windows.starts, dtype=np.int64)]
    if bounds is not None:
        parts.append(np.ascontiguousarray(bounds, dtype=np.float64))
    parts.append(np.ascontiguousarray(windows.flat))
    descriptor = _input_file(sum(part.nbytes for part in parts))
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            for part in parts:
                file.write(part.data)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _input_file(n_bytes: int) -> int:
    # A memfd beyond the limit of a cgroup is not refused: the kernel ends the process.
    if n_bytes + memory_reserve() // 2 <= memory_headroom().bytes:
        with contextlib.suppress(OSError, AttributeError):  # a seccomp profile, or not Linux
            return os.memfd_create("dualgaf-input", os.MFD_CLOEXEC)
    return anonymous_file(disk_folder())


def map_windows(job: Job, descriptor: int) -> tuple[Windows, Array | None]:
    """Windows and bounds of `share_windows`, read-only and without a copy."""
    mapped = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
    n_channels = job.flat_shape[0]
    starts = np.frombuffer(mapped, dtype=np.int64, count=job.layout.n_rows)
    offset, bounds = starts.nbytes, None
    if job.fitted:
        # A copy: it is tiny, and a read-only array would be another type to the kernel.
        bounds = np.frombuffer(mapped, np.float64, 2 * n_channels, offset).reshape(2, -1).copy()
        offset += bounds.nbytes
    flat = np.frombuffer(mapped, job.flat_dtype, n_channels * job.flat_shape[1], offset)
    return Windows(flat.reshape(job.flat_shape), starts, job.window_size), bounds
