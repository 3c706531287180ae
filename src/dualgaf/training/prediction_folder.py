"""One folder, one prediction: whether `python -m dualgaf predict` may write where it is told to.

A folder holds a prediction of one checkpoint, data and options. The same command replaces it, say
when the data have grown. Files of two predictions, or of a run, are never mixed.
"""

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dualgaf.errors import ConfigError
from dualgaf.series.tables.databases.uri import is_uri
from dualgaf.system.whole_file import whole_file
from dualgaf.training.predicted import FILES
from dualgaf.training.resume import shown
from dualgaf.training.run_folder import free_folder, traces

RECORD = ".prediction.json"
"""What a folder's prediction was asked for."""


def asked_of(
    checkpoint: str, data: str, stride: int | None, options: Sequence[str]
) -> dict[str, Any]:
    """What makes a prediction the one that it is, as plain values.

    Args:
        checkpoint: the file; what it holds counts, not where it lies.
        data: a file, a folder, or the URI of a database as it was typed.
        stride: ``--stride``.
        options: ``data.KEY=VALUE`` that were typed.
    """
    with Path(checkpoint).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    where = data if is_uri(data) else str(Path(data).expanduser().resolve())
    return {"checkpoint": digest, "data": where, "stride": stride, "options": sorted(options)}


def check_output(folder: Path, asked: Mapping[str, Any]) -> None:
    """Refuse a folder that holds something else.

    Args:
        folder: ``--output``; it need not be there.
        asked: checkpoint, data and options, as plain values.

    Raises:
        ConfigError: it is a file, or holds a run, or another prediction.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(
            f"--output {shown(folder)} is a file; type --output {_typed(free_folder(folder))}"
        )
    there = [*traces(folder), *(name for name in FILES if (folder / name).exists())]
    if not there:
        return
    other = f"nothing was changed; type --output {_typed(free_folder(folder))}"
    try:
        found = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        raise ConfigError(
            f"--output {shown(folder)} holds files that are not of a prediction of this command "
            f"({', '.join(dict.fromkeys(there[:4]))}); {other}"
        ) from None
    differing = [
        f"{key}={found.get(key)} there, {value} here"
        for key, value in asked.items()
        if found.get(key) != value
    ]
    if differing:
        raise ConfigError(
            f"--output {shown(folder)} holds another prediction ({'; '.join(differing)}), and "
            f"files of two are not mixed; {other}"
        )


def enter_output(folder: Path, asked: Mapping[str, Any]) -> None:
    """`check_output`, then have the folder for this prediction; what it holds of it is put away."""
    check_output(folder, asked)
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    with whole_file(folder / RECORD) as draft:
        draft.write_text(json.dumps(dict(asked), indent=1) + "\n")


def _typed(folder: Path) -> str:
    return shlex.quote(shown(folder))
