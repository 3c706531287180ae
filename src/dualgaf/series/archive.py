"""Sets of the UCR and UEA archive by name, with their official split.

Where a set is looked for:

1. ``root`` is given: in that folder, in ROOT/NAME and in each folder directly below ROOT, and
   nowhere else. Files are NAME_TRAIN and NAME_TEST with the ending .ts, .tsv or .txt.
2. Else among the sets that aeon brings along in its wheel.
3. Else it is downloaded by aeon (``download=True``).

A .tsv or .txt file holds one case a row, the class first. A case that is shorter than the longest
ends in NaN there, which is cut off; a missing value in the middle stays for the ``nan`` policy.
"""

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from dualgaf.errors import ConfigError, SeriesWarning, SourceError, check_whole, not_allowed
from dualgaf.series.arrays import Array
from dualgaf.series.checks import equal_windows
from dualgaf.series.contents import Contents
from dualgaf.series.lengths import check_ragged_rule
from dualgaf.series.missing import check_nan_policy, repair_nan
from dualgaf.series.series import SeriesSet, join_sets
from dualgaf.series.source import check_window
from dualgaf.series.splits import SplitSettings
from dualgaf.series.tsfile import read_ts

_ENDINGS = (".ts", ".tsv", ".txt")
_MARKS = {"TRAIN": "train", "TEST": "test"}


@dataclass(frozen=True)
class ArchiveSource:
    """A set of the UCR/UEA archive.

    Raises:
        ConfigError: a setting has a value that is not allowed.

    Example:
        >>> ArchiveSource("JapaneseVowels").ragged
        'resample'
    """

    name: str = "BasicMotions"
    """Name in the archive, upper and lower case as there."""
    root: str | Path | None = None
    """Folder with the files; None = the sets bundled with aeon, then its download."""
    download: bool = True
    """Whether aeon may download a set that is not bundled."""
    ragged: str = "resample"
    """Rule for series of unequal length, see `dualgaf.series.lengths`."""
    nan: str = "error"
    """``error`` or ``interpolate``, see `dualgaf.series.missing`."""
    window_size: int | None = None
    """T, steps in a window; None = each case is one window."""
    stride: int | None = None
    """Steps between the starts of two windows; None = ``window_size``."""
    split: SplitSettings = field(default_factory=SplitSettings)
    """``official``: the archive's train and test; val is taken from train."""
    archive_resample: int = 0
    """0: the archive's own train and test. k > 0: cases are dealt out to them anew, as many of each
    class, as aeon's ``stratified_resample_data_indices(y_train, y_test, random_state=k)`` does;
    published means over 30 resamples are of 0 to 29."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[\w.-]+", self.name):
            raise ConfigError(
                not_allowed(
                    "data.name",
                    self.name,
                    "the name of one set of the UCR/UEA archive",
                    "data.name=BasicMotions",
                )
            )
        if not isinstance(self.download, bool):
            raise ConfigError(
                not_allowed("data.download", self.download, "true, false", "data.download=true")
            )
        if self.root is not None and (not isinstance(self.root, str | Path) or not str(self.root)):
            raise ConfigError(
                not_allowed(
                    "data.root",
                    self.root,
                    "a folder, or null for the sets bundled with aeon",
                    "data.root=FOLDER",
                )
            )
        check_whole("data.archive_resample", self.archive_resample, 0, 0)
        check_nan_policy(self.nan)
        check_ragged_rule(self.ragged)
        check_window(self.window_size, self.stride)
        object.__setattr__(self, "split", SplitSettings.of(self.split))

    def load(self) -> SeriesSet:
        """Training and test cases as one set, marked with their split.

        Returns:
            The set; `Origin` counts the steps of a file's cases end to end.

        Raises:
            SourceError: aeon is missing, the set is not found, broken, or a regression problem.
            SeriesError: ``nan="error"`` and a value is missing.

        A `SeriesWarning` says where windows of the two files are equal: so the archive has them.

        Example:
            >>> basic_motions = ArchiveSource("BasicMotions").load()
            >>> len(basic_motions), basic_motions.n_channels, basic_motions.lengths[0]
            (80, 6, 100)
        """
        _aeon()
        folder = self._folder()
        parts = []
        for half, mark in _MARKS.items():
            if folder is None:
                file, (x, y) = f"{self.name}_{half}.ts", self._downloaded(half.lower())
            else:
                path = _file(folder, self.name, half)
                file, (x, y) = path.name, _read(path)
            part = SeriesSet.from_arrays(x, y, official=mark, name=file)
            parts.append(repair_nan(part, self.nan))
        whole = self._resampled(join_sets(parts, self.name), len(parts[0]))
        if (told := equal_windows(whole, self.window_size, self.stride)) is not None:
            warnings.warn(
                f"{self.name}: {told}; the archive has them so, and what is measured on them is "
                "too good",
                SeriesWarning,
                stacklevel=2,
            )
        return whole

    def contents(self) -> str | None:
        """Hash of both files and the settings; None where they have to be downloaded."""
        _aeon()
        folder = self._folder()
        if folder is None:
            return None
        found = Contents(self, leave_out=("name", "root", "download"))
        for half in _MARKS:
            path = _file(folder, self.name, half)
            found.add_file(path.name, path)
        return found.hexdigest()

    def _resampled(self, whole: SeriesSet, n_train: int) -> SeriesSet:
        """The same cases, those for training first, in the order that aeon gives them."""
        if self.archive_resample == 0:
            return whole
        if None in whole.labels:
            raise SourceError(
                f"{self.name} has cases without a class, which cannot be dealt out by class; leave "
                "data.archive_resample out"
            )
        from aeon.benchmarking.resampling import stratified_resample_data_indices

        labels = np.array(whole.labels)
        train, test = stratified_resample_data_indices(
            labels[:n_train], labels[n_train:], random_state=self.archive_resample
        )
        marks = ("train",) * len(train) + ("test",) * len(test)
        return replace(whole.take([*map(int, train), *map(int, test)]), official=marks)

    def _folder(self) -> Path | None:
        """Where both files are; None = they have to be downloaded."""
        if self.root is None:
            bundled = _bundled_folder() / self.name
            if _complete(bundled, self.name):
                return bundled
            if not self.download:
                raise SourceError(self._not_found("data.download=false and it is not bundled"))
            return None
        root = Path(self.root).expanduser()
        if not root.is_dir():
            raise SourceError(
                f"there is no folder {root}; type data.root=FOLDER, or data.root=null for the sets "
                "bundled with aeon"
            )
        found = next((f for f in _folders(root) if _complete(f, self.name)), None)
        if found is None:
            needed = f"{self.name}_TRAIN and {self.name}_TEST (.ts, .tsv or .txt)"
            raise SourceError(self._not_found(f"{needed} are not in {root} or a folder in it"))
        return found

    def _downloaded(self, half: str) -> tuple[Any, Any]:
        try:
            x, y = _aeon().load_classification(self.name, split=half)
        except (OSError, ValueError, BadZipFile) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise SourceError(self._not_found(f"aeon's download failed ({reason})")) from error
        # aeon gives classes in small letters; the file that it keeps has them as they are.
        kept = Path(_aeon().__file__).parent / "local_data" / self.name
        file = kept / f"{self.name}_{half.upper()}.ts"
        return _read(file) if file.is_file() else (x, y)

    def _not_found(self, reason: str) -> str:
        bundled = sorted(_names([f for f in _bundled_folder().iterdir() if f.is_dir()]))
        local = [] if self.root is None else sorted(_names(_folders(Path(self.root).expanduser())))
        known = local if self.root is not None else bundled
        close = get_close_matches(self.name, known, n=3, cutoff=0.5)
        told = [f"set {self.name!r} was not found: {reason}"]
        if close:
            told.append(f"close: {', '.join(close)}")
        if self.root is not None:
            told.append(f"found there: {', '.join(local) or 'no set'}")
        told.append(f"bundled: {', '.join(bundled)}")
        hint = "data.root=null for a bundled set" if self.root is not None else "data.root=FOLDER"
        return "; ".join([*told, f"type data.name={close[0] if close else 'NAME'} or {hint}"])


def _aeon() -> Any:
    try:
        import aeon.datasets
    except ImportError as error:
        raise SourceError(
            'sets of the UCR/UEA archive need aeon; type pip install "dualgaf[datasets]"'
        ) from error
    return aeon.datasets


def _bundled_folder() -> Path:
    return Path(_aeon().__file__).parent / "data"


def _folders(root: Path) -> list[Path]:
    return [root, *sorted(path for path in root.iterdir() if path.is_dir())]


def _file(folder: Path, name: str, half: str) -> Path:
    paths = (folder / f"{name}_{half}{ending}" for ending in _ENDINGS)
    return next(path for path in paths if path.is_file())


def _complete(folder: Path, name: str) -> bool:
    return name in _names([folder])


def _names(folders: Iterable[Path]) -> set[str]:
    """Names of all sets whose two files are in one of these folders."""
    names: set[str] = set()
    for folder in folders:
        files = list(folder.iterdir()) if folder.is_dir() else []
        stems = {file.stem for file in files if file.suffix in _ENDINGS}
        trains = {stem.removesuffix("_TRAIN") for stem in stems if stem.endswith("_TRAIN")}
        names |= {name for name in trains if f"{name}_TEST" in stems}
    return names


def _read(path: Path) -> tuple[Any, Any]:
    readers = {".ts": read_ts, ".tsv": _read_tsv, ".txt": _read_txt}
    try:
        x, y = readers[path.suffix](path)
    except SourceError:
        raise
    except (OSError, ValueError, IndexError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SourceError(f"{path.name} cannot be read: {reason}") from error
    if y is None:
        raise SourceError(
            f"{path.name} is a regression problem (its header has no classLabel true); needed: a "
            "classification problem; type data.name=BasicMotions"
        )
    return x, y


def _read_tsv(path: Path) -> tuple[Any, Any]:
    x, y = _aeon().load_from_tsv_file(str(path))
    return _without_padding(np.asarray(x, dtype=np.float64)), y


def _read_txt(path: Path) -> tuple[Any, Any]:
    with path.open(encoding="utf-8") as lines:
        delimiter = "," if "," in lines.readline() else None
    rows = np.loadtxt(path, delimiter=delimiter, ndmin=2)
    return _without_padding(rows[:, None, 1:]), rows[:, 0]


def _without_padding(x: Array) -> Any:
    """Univariate cases as a list if some end in NaN, else as they are."""
    finite = ~np.isnan(x[:, 0])
    lengths = x.shape[2] - np.argmax(finite[:, ::-1], axis=1)
    if (lengths == x.shape[2]).all():
        return x
    return [case[:, :length] for case, length in zip(x, lengths, strict=True)]
