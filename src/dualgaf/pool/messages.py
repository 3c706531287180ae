"""What the supervisor and a worker say to each other: JSON over a private Unix socket pair.

One packet is one message (SOCK_SEQPACKET); open files travel beside it. Nothing is pickled.

    worker      hello {pid, torch}                      ready, and whether torch was loaded
    supervisor  job {recipe, bounds, layout, ...}       + descriptors of the store and the input
    supervisor  chunk {chunk, first, last}
    worker      done {chunk} | failed {chunk, error, text, trace}

Either side ends the talk by closing its socket; the other then reads nothing.
"""

import json
import mmap
import os
import socket
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.store.layout import StoreLayout

PACKET_BYTES = 1 << 20
TEXT_LIMIT = 20_000


def send(
    channel: socket.socket, message: dict[str, Any], descriptors: tuple[int, ...] = ()
) -> None:
    """Send one message, with open files beside it."""
    socket.send_fds(channel, [json.dumps(message).encode()], descriptors)


def receive(channel: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """The next message and its open files; None where the other side is gone."""
    try:
        data, descriptors, _, _ = socket.recv_fds(channel, PACKET_BYTES, 4)
    except ConnectionResetError:
        return None, []
    return (json.loads(data) if data else None), descriptors


@dataclass(frozen=True, eq=False)
class Job:
    """What a worker needs to fill any chunk of one store."""

    recipe: ImagingRecipe
    """How windows are drawn."""
    bounds: list[list[float]] | None
    """Fitted low and high of each channel, for ``scaling=train``."""
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


def share_windows(windows: Windows) -> int:
    """A memfd that holds ``flat`` and ``starts``, for the workers to map.

    Raises:
        OSError: the system refuses shared memory.
    """
    descriptor = os.memfd_create("dualgaf-input", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(np.ascontiguousarray(windows.flat).data)
            file.write(np.ascontiguousarray(windows.starts, dtype=np.int64).data)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def map_windows(job: Job, descriptor: int) -> Windows:
    """The windows of `share_windows`, read-only and without a copy."""
    mapped = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
    n_values = job.flat_shape[0] * job.flat_shape[1]
    flat = np.frombuffer(mapped, dtype=job.flat_dtype, count=n_values)
    starts = np.frombuffer(
        mapped, dtype=np.int64, count=job.layout.n_rows, offset=n_values * flat.itemsize
    )
    return Windows(flat.reshape(job.flat_shape), starts, job.window_size)
