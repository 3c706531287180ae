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

import numpy.typing as npt

from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.store.backing import anonymous_file, disk_folder
from dualgaf.store.bundle import Place, kinds_of, lay_out, parts
from dualgaf.store.layout import StoreLayout
from dualgaf.store.segments import MAX_SEGMENTS
from dualgaf.store.writer import memory_reserve
from dualgaf.system.machine import memory_headroom

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
    layout: StoreLayout
    """Rows of the store."""
    place: str
    """``memfd`` or ``file``."""
    window_size: int
    """T."""
    arrays: tuple[Place, ...]
    """Where ``starts``, ``flat`` and, for ``scaling=train``, ``bounds`` lie in the input."""

    def to_message(self) -> dict[str, Any]:
        """As plain values."""
        arrays = [vars(place) for place in self.arrays]
        plain = {**vars(self), "recipe": self.recipe.to_json(), "layout": self.layout.to_json()}
        plain["arrays"] = arrays
        return {"kind": "job", **plain}

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Self:
        """The inverse of `to_message`."""
        fields = {key: value for key, value in message.items() if key != "kind"}
        fields["recipe"] = ImagingRecipe.from_json(fields["recipe"])
        fields["layout"] = StoreLayout.from_json(fields["layout"])
        fields["arrays"] = tuple(
            Place(**{**place, "shape": tuple(place["shape"])}) for place in fields["arrays"]
        )
        return cls(**fields)


def share_windows(windows: Windows, bounds: Array | None = None) -> tuple[int, tuple[Place, ...]]:
    """What the workers read, in a memfd; in a file without a name where memory is short or refused.

    Returns:
        Its descriptor, and where the arrays lie.

    Raises:
        OSError: the system refuses both.
    """
    arrays = {"starts": windows.starts, "flat": windows.flat}
    if bounds is not None:
        arrays["bounds"] = bounds
    places = lay_out(kinds_of(arrays))
    descriptor = _input_file(places[-1].end)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            for part in parts(arrays, places):
                file.write(part)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, places


def _input_file(n_bytes: int) -> int:
    # A memfd beyond the limit of a cgroup is not refused: the kernel ends the process.
    if n_bytes + memory_reserve() // 2 <= memory_headroom().bytes:
        with contextlib.suppress(OSError, AttributeError):  # a seccomp profile, or not Linux
            return os.memfd_create("dualgaf-input", os.MFD_CLOEXEC)
    return anonymous_file(disk_folder())


def map_windows(job: Job, descriptor: int) -> tuple[Windows, Array | None]:
    """Windows and bounds of `share_windows`, read-only and without a copy."""
    mapped = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
    found = {place.name: place.of(mapped) for place in job.arrays}
    # A copy: it is tiny, and a read-only array would be another type to the kernel.
    bounds = found["bounds"].copy() if "bounds" in found else None
    return Windows(found["flat"], found["starts"], job.window_size), bounds
