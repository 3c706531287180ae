"""The windows of a source in the cache folder, so that a later run neither reads nor cuts them.

    KEY.windows             magic, checksum, length of JSON | JSON | arrays on multiples of 64
    KEY.windows.48.bounds   fitted bounds of ``scaling=train`` for images of 48 pixels a side, JSON

KEY is a hash of the contents of the source, of how it is cut and split, and of the version of this
package; it takes as long as reading the input once (30 GB/s). The file is mapped, and every byte is
compared with its checksum. One that is damaged is set aside as ``.bad`` with a warning and written
anew. Where the folder cannot be written, windows are read each time, which is said once. Nothing is
unpickled.

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
from dualgaf.series.source import Source
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

_PREFIX = struct.Struct("<8s16sQ")
_MAGIC = b"dgwindw1"
_ALIGN = 64
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
    key = xxhash.xxh3_128_hexdigest(json.dumps([inside, seed, __version__]).encode())
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
        cases = replace(read_windows(source, seed), file=path)
        try:
            _save(path, cases)
        except OSError as error:
            _warn_not_kept(path, error)
            return replace(cases, file=None)
        return cases


def train_bounds(cases: WindowedSplits, image_size: int) -> Array:
    """`fit_bounds` of the training split, from the cache where that has it.

    Args:
        cases: windows and splits.
        image_size: S.

    Returns:
        (2, C) float64.

    Raises:
        SeriesError: a value is not finite.
    """
    file = cases.file and cases.file.with_name(f"{cases.file.name}.{image_size}.bounds")
    if file is not None:
        with suppress(*_DAMAGE):  # fitting anew costs less than a warning
            bounds = np.array(json.loads(read_checked(file)), dtype=np.float64)
            if bounds.shape == (2, cases.windows.n_channels) and np.isfinite(bounds).all():
                return bounds
    bounds = fit_bounds(cases.windows, cases.rows["train"], image_size)
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


def _save(path: Path, cases: WindowedSplits) -> None:
    arrays: dict[str, Array] = {
        "flat": cases.windows.flat,
        "starts": cases.windows.starts,
        "labels": cases.labels,
        "mean": cases.scaler.mean,
        "deviation": cases.scaler.deviation,
        **{f"rows/{name}": rows for name, rows in cases.rows.items()},
    }
    head = {
        "window_size": cases.windows.window_size,
        "class_names": cases.class_names,
        "channel_names": cases.channel_names,
        "groups": cases.groups,
        "start_times": cases.start_times,
        "arrays": [(name, array.dtype.str, array.shape) for name, array in arrays.items()],
    }
    text = json.dumps(head).encode()
    digest = xxhash.xxh3_128(text)
    for array in arrays.values():
        digest.update(np.ascontiguousarray(array).data)
    parts: list[Any] = [_PREFIX.pack(_MAGIC, digest.digest(), len(text)) + text]
    at = _PREFIX.size + len(text)
    for array in arrays.values():
        parts += [bytes(-at % _ALIGN), np.ascontiguousarray(array).data]
        at += -at % _ALIGN + array.nbytes
    write_whole(path, parts)


def _load(path: Path) -> WindowedSplits:
    with os.fdopen(open_checked(path), "rb") as file:
        # A private map: what is changed in place is changed in this process alone.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    magic, digest, length = _PREFIX.unpack_from(mapped)
    if magic != _MAGIC:
        raise ValueError("not a file of windows of this version")
    text = mapped[_PREFIX.size : _PREFIX.size + length]
    head = json.loads(text)
    found, at, arrays = xxhash.xxh3_128(text), _PREFIX.size + length, {}
    for name, dtype, shape in head["arrays"]:
        at += -at % _ALIGN
        count = int(np.prod(shape))
        arrays[name] = np.frombuffer(mapped, dtype, count, at).reshape(shape)
        at += arrays[name].nbytes
        found.update(arrays[name].data)
    if found.digest() != digest or at != len(mapped):
        raise ValueError("its bytes are not those that were written")
    rows = {name[5:]: array for name, array in arrays.items() if name.startswith("rows/")}
    return WindowedSplits(
        windows=Windows(arrays["flat"], arrays["starts"], int(head["window_size"])),
        rows=rows,
        labels=arrays["labels"],
        class_names=tuple(head["class_names"]),
        channel_names=tuple(head["channel_names"]),
        groups=tuple(head["groups"]),
        start_times=tuple(head["start_times"]),
        scaler=SeriesScaler(arrays["mean"], arrays["deviation"]),
        file=path,
    )
