"""What the coverage-guided fuzzer feeds: bytes in, and only the package's own errors out.

The first byte chooses settings, the rest is a file.
"""

import json
import struct
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

from dualgaf.errors import DualGAFError
from dualgaf.series import ArchiveSource, TableSource
from dualgaf.series.splits import split_series
from dualgaf.store.handle import StoreHandle, open_handle
from dualgaf.store.layout import HEADER_BYTES, StoreLayout

Target = Callable[[bytes], None]

TABLES = (
    {"split": {"method": "group", "val_fraction": 0, "test_fraction": 0}},
    {"label": "file", "max_gap": 2, "split": {"method": "within"}},
    {"label": "column", "max_gap": "2h", "nan": "interpolate", "split": {"method": "time"}},
    {"time_column": None, "group_columns": ["run"], "window_size": None, "ragged": "pad"},
    {
        "working_column": "on",
        "split_column": "split",
        "split": {"method": "official"},
        "exclude": ["note"],
    },
    {"channels": ["a", "b"], "null_values": ["?", ""], "time_format": "%d/%m/%Y %H:%M"},
)
"""Settings of a `TableSource`."""


def csv(data: bytes) -> None:
    """A CSV file, packed where its first bytes say so."""
    _table(data, ".csv.gz" if data[1:3] == b"\x1f\x8b" else ".csv")


def parquet(data: bytes) -> None:
    """A Parquet file."""
    _table(data, ".parquet")


def _table(data: bytes, ending: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"plant{ending}").write_bytes(data[1:])
        source = TableSource(folder, **TABLES[data[0] % len(TABLES)])
        split_series(source.load(), source.split, 0)


def ts(data: bytes) -> None:
    """A training and a test file of the archive, apart by a line of four dashes."""
    ending = (".ts", ".tsv", ".txt", ".ts")[data[0] % 4]
    policy = ("error", "interpolate")[data[0] // 4 % 2]
    train, _, test = data[1:].partition(b"\n----\n")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"Fuzz_TRAIN{ending}").write_bytes(train)
        Path(folder, f"Fuzz_TEST{ending}").write_bytes(test or train)
        source = ArchiveSource("Fuzz", root=folder, nan=policy)
        split_series(source.load(), source.split, 0)


def store(data: bytes) -> None:
    """The header of a store; a handle as a process leaves it."""
    if data[0] % 3 == 1:
        StoreLayout.from_header(data[1:][:HEADER_BYTES])
        return
    if data[0] % 3 == 2:  # only what follows the prefix, which the fuzzer rarely leaves as it is
        prefix = struct.pack("<8sI16sI", b"dualgaf", 1, bytes(16), len(data) - 1)
        StoreLayout.from_header((prefix + data[1:])[:HEADER_BYTES])
        return
    try:
        fields = json.loads(data[1:])
    except (ValueError, RecursionError):
        return
    open_handle(StoreHandle.from_json(fields)).close()


TARGETS: dict[str, Target] = {"csv": csv, "ts": ts, "store": store}
REPLAYED: dict[str, Target] = {**TARGETS, "parquet": parquet}
"""Not fuzzed: on some damaged Parquet files polars 2.1 aborts the whole process."""


def only_own_errors(target: Target, data: bytes) -> None:
    """Raise whatever the target raises, unless it is an error of the package."""
    if not data:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            target(data)
        except DualGAFError as error:
            told = str(error)
        else:
            return
    assert told.strip(), "an error without a text"
