"""`RunPage`: all that ``report.html`` shows, as plain values, and the file that is made of it.

The page is one file: pictures are in it, nothing is fetched, and its policy forbids that anything
is. Names come from data, so the templates escape everything.
"""

import base64
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self

from jinja2 import Environment, PackageLoader, StrictUndefined

from dualgaf import __version__
from dualgaf.report.split_report import SplitReport
from dualgaf.series.series import SPLITS
from dualgaf.system.whole_file import whole_file

RUN_PAGE = "report.html"
"""Its name in the folder of a run."""


@dataclass(frozen=True)
class Picture:
    """A PNG and what it says to somebody who does not see it."""

    png: bytes
    """The file."""
    alt: str
    """A sentence."""

    @classmethod
    def read(cls, path: Path, alt: str) -> Self | None:
        """Of a file; None where there is none."""
        return cls(path.read_bytes(), alt) if path.is_file() else None

    @property
    def uri(self) -> str:
        """For ``src``."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"

    @property
    def width(self) -> int:
        """Pixels."""
        return self._size[0]

    @property
    def height(self) -> int:
        """Pixels."""
        return self._size[1]

    @property
    def _size(self) -> tuple[int, int]:
        # The first chunk of a PNG is its header: two sizes after 8 bytes of signature and 8 more.
        width, height = struct.unpack(">II", self.png[16:24])
        return width, height


@dataclass(frozen=True, eq=False)
class RunPage:
    """What the page of a run says. What a run does not have is left out, and so is its part.

    Example:
        >>> page = RunPage("pump", "runs/1", {"fit/epochs": 3}, data="files 2 of pump")
        >>> "files 2 of pump" in page.html()
        True
    """

    title: str
    """Name of the data and task."""
    folder: str
    """Of the run."""
    metrics: Mapping[str, Any]
    """What ``metrics.json`` says."""
    made: str = ""
    """When, and by which version."""
    data: str = ""
    """The block of `inspect`."""
    windows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Class -> split -> windows."""
    curves: Picture | None = None
    """Of a training."""
    tested: SplitReport | None = None
    """What the test split says; None without one."""
    untested: str = ""
    """Why there is none."""
    confusion: Picture | None = None
    """Of the test split."""
    reliability: Picture | None = None
    """Of the test split."""
    mistakes: Sequence[Picture] = ()
    """The most certain ones, with images, series and what spoke."""
    spoke: Picture | None = None
    """By channel and time, over several windows."""
    spoke_lines: Sequence[str] = ()
    """What the picture is of."""
    spoke_shares: Sequence[tuple[str, int]] = ()
    """Channel -> whole per cent; they add up to 100."""
    spoke_classes: Sequence[Sequence[str]] = ()
    """Class, windows, the channel that spoke most for it, when, and its share."""
    left_out: Sequence[str] = ()
    """What is not shown, why, and what to type."""
    settings: Sequence[tuple[str, str, str]] = ()
    """Key, value, default; of those that differ."""
    about: Sequence[tuple[str, str]] = ()
    """Versions, seed, machine."""
    commands: Sequence[tuple[str, str]] = ()
    """What for -> what to type."""

    @property
    def verdict(self) -> str:
        """One sentence."""
        if "fit/stopped" in self.metrics:
            return f"The training was stopped by {self.metrics['fit/stopped']}."
        if self.tested is not None:
            right = f"{self.tested.right} of {self.tested.n_windows} test windows are right"
            return f"{right} ({_per_cent(self.tested.accuracy)})."
        return "No test split was measured."

    @property
    def splits(self) -> list[str]:
        """That have windows."""
        found = {split for counts in self.windows.values() for split in counts}
        return [split for split in SPLITS if split in found]

    @property
    def scores(self) -> list[tuple[str, str]]:
        """The figures at the top."""
        return [
            (name, _shown(self.metrics[key])) for key, name in _TOP.items() if key in self.metrics
        ]

    @property
    def figures(self) -> list[tuple[str, str]]:
        """All of them."""
        return [(key, _shown(value)) for key, value in self.metrics.items()]

    def html(self) -> str:
        """The whole page."""
        found: dict[str, object] = {
            "data": "data",
            "curves": self.curves and "curves",
            "confusion": self.tested and "confusion",
            "classes": self.tested and "each class",
            "calibration": self.tested and "probabilities",
            "mistakes": self.tested and "mistakes",
            "untested": not self.tested and "test",
            "spoke": self.spoke and "what spoke",
            "settings": "settings",
            "versions": "versions",
            "commands": "commands",
            "figures": "all figures",
        }
        parts = [(key, str(name)) for key, name in found.items() if name]
        return rendered("run.html", page=self, parts=parts)

    def write(self, folder: Path) -> Path:
        """Write ``report.html``; it is there whole, or is the one before.

        Args:
            folder: of the run.

        Raises:
            OSError: it cannot be written.
        """
        return write_page(folder / RUN_PAGE, self.html())


_TOP = {
    "test/acc": "test accuracy",
    "test/f1_macro": "test F1, mean over classes",
    "val/acc": "validation accuracy",
    "test/ece": "test calibration error",
    "fit/epochs": "epochs",
    "refit/epochs": "epochs of the second training",
    "fit/seconds": "seconds of training",
    "model/parameters": "parameters of the network",
}


def rendered(template: str, **values: Any) -> str:
    """A template of this room with values, all of which are escaped."""
    return _environment().get_template(template).render(version=__version__, **values)


def write_page(path: Path, html: str) -> Path:
    """Write a page whole; returns its path."""
    with whole_file(path) as draft:
        draft.write_text(html, encoding="utf-8")
    return path


@cache
def _environment() -> Environment:
    loader = PackageLoader("dualgaf.report", "templates")
    return Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _per_cent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
