"""The windows of a source in the cache folder, so that a later run neither reads nor cuts them.

    KEY.windows             magic, checksum, length of JSON | JSON | arrays on multiples of 64
    KEY.windows.48.bounds   fitted bounds of ``scaling=train`` for images of 48 pixels a side: JSON
                            with a checksum

KEY is a hash of the contents of the source, of how it is cut and split, of the version of this
package and of `FORMAT_VERSION`; it takes as long as reading the input once (30 GB/s). Only a class
that has a method ``contents`` of its own is looked up: one that inherits it may load something
else. The file of windows is mapped, and every byte is compared with its checksum. Each file says of
which KEY it is. One that is damaged, or is that of another KEY, is set aside as ``.bad`` with a
warning and written anew. Where the folder cannot be written, windows are read each time, which is
said once. Nothing is unpickled.

Of several processes, say the ranks of a training, one reads and writes; the others wait for it.
"""

import json
import mmap
import os
import struct
import warnings
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from dualgaf import __version__
from dualgaf.data.kept_files import (
    UNREADABLE,
    check_name,
    load_or_set_aside,
    to_be_written,
)
from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.data.windowed import WindowedSplits, read_windows
from dualgaf.errors import CacheWarning
from dualgaf.imaging.bounds import fit_bounds
from dualgaf.imaging.windows import Windows
from dualgaf.series.contents import tagged
from dualgaf.series.inspection import TableFacts, tell_notes
from dualgaf.series.source import Source
from dualgaf.store.bundle import kinds_of, lay_out, parts
from dualgaf.store.cache_files import open_checked, read_checked, sealed, unsealed, write_whole

Array = npt.NDArray[Any]

FORMAT_VERSION = 4
"""Raised when a source of the same contents would give other windows or numbers. 1 took some labels
for others, a source that inherits for the one that it inherits from, what is constant up to
rounding for a signal, and the time of a series for that of its windows. 2 did not tell how the
files were read, 3 not which file a window is of."""
_PREFIX = struct.Struct("<8s16sQ")
_MAGIC = b"dgwindw2"
_TIMES = ("start_times", "end_times")


def cached_windows(
    source: Source, seed: int, folder: Path | None, left_bytes: int | None = None
) -> WindowedSplits:
    """The windows of a source, from the cache where they are there.

    Args:
        source: what comes in. Where its class has no method ``contents`` of its own, or that says
            None, it is read each time.
        seed: of the split.
        folder: the cache; None reads each time.
        left_bytes: as of `read_windows`.

    Raises:
        SourceError, SeriesError, SplitError: as `read_windows`.
    """
    key = None if folder is None else _key(source, seed)
    if folder is None or key is None:
        return read_windows(source, seed, left_bytes)
    path = folder.expanduser() / f"{key}.windows"
    with suppress(*UNREADABLE):
        return _told(_load(path))
    with ExitStack() as stack:
        try:
            stack.enter_context(to_be_written(path))
            found = load_or_set_aside(path, _load)
        except OSError as error:
            _warn_not_kept(path, error)
            return read_windows(source, seed, left_bytes)
        if found is not None:
            return _told(found)
        windowed = replace(read_windows(source, seed, left_bytes), file=path)
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

    def fit() -> Array:
        return fit_bounds(windowed.windows, windowed.indices["train"], image_size)

    if windowed.file is None:
        return fit()
    path = windowed.file.with_name(f"{windowed.file.name}.{image_size}.bounds")
    with suppress(*UNREADABLE):
        return _load_bounds(path)
    with suppress(OSError), to_be_written(path):  # fitting each time costs less than a warning
        bounds = load_or_set_aside(path, _load_bounds)
        if bounds is None:
            bounds = fit()
            with suppress(OSError):
                write_whole(path, [sealed({"file": path.name, "bounds": bounds.tolist()})])
        return bounds
    return fit()


def _told(windowed: WindowedSplits) -> WindowedSplits:
    """The same windows, once it is said how their files were read."""
    if windowed.facts is not None:
        tell_notes(windowed.facts)
    return windowed


def _key(source: Source, seed: int) -> str | None:
    """The hash that names the windows of a source; None where nothing tells what they are."""
    if "contents" not in vars(type(source)) or "load" in getattr(source, "__dict__", {}):
        return None
    cut = [source.window_size, source.stride, source.ragged, source.split, seed]
    try:
        contents = source.contents()  # type: ignore[attr-defined]
        text = json.dumps(tagged([FORMAT_VERSION, __version__, contents, cut]))
    except TypeError:
        return None  # a setting of a type that no text tells
    return None if contents is None else xxhash.xxh3_128_hexdigest(text.encode())


def _warn_not_kept(path: Path, error: OSError) -> None:
    warnings.warn(
        f"the windows are not kept for later runs: cache.dir={path.parent} does not take them: "
        f"{error.strerror or error}; allow writing there or type cache.dir=ANOTHER",
        CacheWarning,
        stacklevel=3,
    )


def _load_bounds(path: Path) -> Array:
    fields = unsealed(read_checked(path))
    check_name(fields["file"], path)
    return np.array(fields["bounds"], dtype=np.float64)


def _save(path: Path, windowed: WindowedSplits) -> None:
    arrays: dict[str, Array] = {
        "flat": windowed.windows.flat,
        "starts": windowed.windows.starts,
        "labels": windowed.labels,
        "mean": windowed.scaler.mean,
        "std": windowed.scaler.std,
        **{f"rows/{name}": rows for name, rows in windowed.indices.items()},
        **{
            f"plants/{number}/{what}": getattr(scaler, what)
            for number, scaler in enumerate((windowed.plants or {}).values())
            for what in ("mean", "std")
        },
    }
    clock = None if windowed.start_times is None else windowed.start_times.dtype.str
    if windowed.start_times is not None and windowed.end_times is not None:
        arrays["start_times"] = windowed.start_times.view(np.int64)
        arrays["end_times"] = windowed.end_times.view(np.int64)
    head = {
        "file": path.name,
        "window_size": windowed.windows.window_size,
        "class_names": windowed.class_names,
        "channel_names": windowed.channel_names,
        "groups": windowed.groups,
        "sources": windowed.sources,
        "clock": clock,
        "plants": None if windowed.plants is None else list(windowed.plants),
        "facts": None if windowed.facts is None else windowed.facts.as_json(),
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
    arrays = {place.name: place.of(mapped) for place in places}
    for array in arrays.values():
        found.update(array.data)
    if found.digest() != digest or places[-1].end != len(mapped):
        raise ValueError("its bytes are not those that were written")
    check_name(head["file"], path)
    rows = {name[5:]: array for name, array in arrays.items() if name.startswith("rows/")}
    return WindowedSplits(
        windows=Windows(arrays["flat"], arrays["starts"], int(head["window_size"])),
        indices=rows,
        labels=arrays["labels"],
        class_names=tuple(head["class_names"]),
        channel_names=tuple(head["channel_names"]),
        groups=tuple(head["groups"]),
        sources=tuple(head["sources"]),
        scaler=SeriesScaler(arrays["mean"], arrays["std"]),
        **{name: arrays[name].view(head["clock"]) for name in _TIMES if head["clock"]},
        file=path,
        facts=None if head["facts"] is None else TableFacts.from_json(head["facts"]),
        plants=None
        if head["plants"] is None
        else {
            name: SeriesScaler(arrays[f"plants/{k}/mean"], arrays[f"plants/{k}/std"])
            for k, name in enumerate(head["plants"])
        },
    )
