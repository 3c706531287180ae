"""The windows of a source in the cache folder, so that a later run neither reads nor cuts them.

    KEY.windows             magic, checksum, length of JSON | JSON | arrays on multiples of 64
    KEY.windows.48.bounds   fitted bounds of ``scaling=train`` for images of 48 pixels a side, JSON

KEY is a hash of the contents of the source, of how it is cut and split, of the version of this
package and of `NUMBERS_VERSION`; it takes as long as reading the input once (30 GB/s). The file is
mapped, and every byte is compared with its checksum. One that is damaged is set aside as ``.bad``
with a warning and written anew. Where the folder cannot be written, windows are read each time,
which is said once. Nothing is unpickled.

Of several processes, say the ranks of a training, one reads and writes; the others wait for it.
"""

import json
import mmap
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from dualgaf import __version__
from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.data.windowed import WindowedSplits, read_windows
from dualgaf.errors import CacheWarning, HandleError
from dualgaf.imaging.bounds import fit_bounds
from dualgaf.imaging.windows import Windows
from dualgaf.renamed import current_imaging
from dualgaf.series.source import Source
from dualgaf.store.bundle import kinds_of, lay_out, parts
from dualgaf.store.cache_files import (
    DAMAGE,
    make_folder,
    open_checked,
    read_checked,
    set_aside,
    write_whole,
)
from dualgaf.store.lock import locked

Array = npt.NDArray[Any]

NUMBERS_VERSION = 2
"""Raised when the same source would give other numbers. 2: mean, deviation and bounds of a channel
that is constant up to rounding."""
_PREFIX = struct.Struct("<8s16sQ")
_MAGIC = b"dgwindw2"
_TIMES = ("start_times", "end_times")
_DAMAGE = (*DAMAGE, struct.error)


def cached_windows(source: Source, seed: int, folder: Path | None) -> WindowedSplits:
    """The windows of a source, from the cache where they are there.

    Args:
        source: what comes in. Without a method ``contents`` it is read each time.
        seed: of the split.
        folder: the cache; None reads each time.

    Raises:
        SourceError, SeriesError, SplitError: as `read_windows`.
    """
    contents = getattr(source, "contents", None)
    inside = contents() if folder is not None and contents is not None else None
    if folder is None or inside is None:
        return read_windows(source, seed)
    key = xxhash.xxh3_128_hexdigest(
        json.dumps([inside, seed, __version__, NUMBERS_VERSION]).encode()
    )
    path = folder.expanduser() / f"{key}.windows"
    with suppress(*_DAMAGE):
        return _load(path)
    with ExitStack() as stack:
        try:
            stack.enter_context(_to_be_written(path))
            found = _load_or_set_aside(path)
        except OSError as error:
            _warn_not_kept(path, error)
            return read_windows(source, seed)
        if found is not None:
            return found
        windowed = replace(read_windows(source, seed), file=path)
        try:
            _save(path, windowed)
        except OSError as error:
            _warn_not_kept(path, error)
            return replace(windowed, file=None)
        return windowed


def train_bounds(windowed: WindowedSplits, image_size: int) -> Array:
    """`fit_bounds` of the training split, from the cache where that has it.

    Args:
        windowed: windows and splits.
        image_size: S.

    Returns:
        (2, C) float64.

    Raises:
        SeriesError: a value is not finite.
    """
    file = windowed.file and windowed.file.with_name(f"{windowed.file.name}.{image_size}.bounds")
    if file is not None:
        with suppress(*_DAMAGE):  # fitting anew costs less than a warning
            bounds = np.array(json.loads(read_checked(file)), dtype=np.float64)
            if bounds.shape == (2, windowed.windows.n_channels) and np.isfinite(bounds).all():
                return bounds
    bounds = fit_bounds(windowed.windows, windowed.indices["train"], image_size)
    if file is not None:
        with suppress(OSError), _to_be_written(file):  # as above
            # Floats come back to the last bit.
            write_whole(file, [json.dumps(bounds.tolist()).encode()])
    return bounds


@contextmanager
def _to_be_written(path: Path) -> Iterator[None]:
    """Nobody else writes this file meanwhile.

    Raises:
        OSError: the folder cannot be written.
    """
    make_folder(path.parent)
    with locked(path.with_name(f"{path.name}.lock")):
        yield


def _load_or_set_aside(path: Path) -> WindowedSplits | None:
    """The windows; None where there are none, or where they are damaged and out of the way now.

    Raises:
        OSError: the system refuses.
    """
    try:
        return _load(path)
    except FileNotFoundError:
        return None
    except _DAMAGE as error:
        if isinstance(error, OSError) and not isinstance(error, HandleError):
            raise  # say too many open files, which does not mean that it is damaged
        warnings.warn(
            f"{path} is damaged ({error}); it is set aside as .bad and written anew",
            CacheWarning,
            stacklevel=3,
        )
        set_aside(path)
        return None


def _warn_not_kept(path: Path, error: OSError) -> None:
    warnings.warn(
        f"the windows are not kept for later runs: cache.dir={path.parent} does not take them: "
        f"{error.strerror or error}; allow writing there or type cache.dir=ANOTHER",
        CacheWarning,
        stacklevel=3,
    )


def _save(path: Path, windowed: WindowedSplits) -> None:
    arrays: dict[str, Array] = {
        "flat": windowed.windows.flat,
        "starts": windowed.windows.starts,
        "labels": windowed.labels,
        "mean": windowed.scaler.mean,
        "std": windowed.scaler.std,
        **{f"rows/{name}": rows for name, rows in windowed.indices.items()},
    }
    clock = None if windowed.start_times is None else windowed.start_times.dtype.str
    if windowed.start_times is not None and windowed.end_times is not None:
        arrays["start_times"] = windowed.start_times.view(np.int64)
        arrays["end_times"] = windowed.end_times.view(np.int64)
    head = {
        "window_size": windowed.windows.window_size,
        "class_names": windowed.class_names,
        "channel_names": windowed.channel_names,
        "groups": windowed.groups,
        "clock": clock,
        "arrays": kinds_of(arrays),
    }
    text = json.dumps(head).encode()
    digest = xxhash.xxh3_128(text)
    for array in arrays.values():
        digest.update(np.ascontiguousarray(array).data)
    first = _PREFIX.size + len(text)
    places = lay_out(kinds_of(arrays), first)
    prefix = _PREFIX.pack(_MAGIC, digest.digest(), len(text)) + text
    write_whole(path, [prefix, *parts(arrays, places, first)])


def _load(path: Path) -> WindowedSplits:
    with os.fdopen(open_checked(path), "rb") as file:
        # A private map: what is changed in place is changed in this process alone.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    magic, digest, length = _PREFIX.unpack_from(mapped)
    if magic != _MAGIC:
        raise ValueError("not a file of windows of this version")
    text = mapped[_PREFIX.size : _PREFIX.size + length]
    head = json.loads(text)
    found = xxhash.xxh3_128(text)
    places = lay_out(head["arrays"], _PREFIX.size + length)
    stored = {place.name: place.of(mapped) for place in places}
    for array in stored.values():
        found.update(array.data)
    if found.digest() != digest or places[-1].end != len(mapped):
        raise ValueError("its bytes are not those that were written")
    arrays = current_imaging(stored)
    rows = {name[5:]: array for name, array in arrays.items() if name.startswith("rows/")}
    return WindowedSplits(
        windows=Windows(arrays["flat"], arrays["starts"], int(head["window_size"])),
        indices=rows,
        labels=arrays["labels"],
        class_names=tuple(head["class_names"]),
        channel_names=tuple(head["channel_names"]),
        groups=tuple(head["groups"]),
        scaler=SeriesScaler(arrays["mean"], arrays["std"]),
        **{name: arrays[name].view(head["clock"]) for name in _TIMES if head["clock"]},
        file=path,
    )
