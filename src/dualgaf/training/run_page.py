"""``report.html`` of a run, from its folder; pictures of windows too, where data and network are.

Everything on the page is read from what the run has left (`page_of`), so a page can be made again
(``python -m dualgaf report RUN``), and of runs of an earlier version with what these have kept.
A run must not be lost by its page, so `write_run_page` says in one line what went wrong.
"""

import json
import logging
import shlex
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.errors import ConfigError, DualGAFError
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.report.drawn import Allowance, Windows, draw_windows, seconds_a_window
from dualgaf.report.page import Picture, RunPage
from dualgaf.report.split_report import SplitReport
from dualgaf.training.about import read_about, told_of
from dualgaf.training.classifier import trained_model
from dualgaf.training.config import load_run_config, make_data
from dualgaf.training.report import Outcome
from dualgaf.training.resume import in_full, program_words, shown, typed_folder
from dualgaf.training.settings import Settings, differing, name_of

log = logging.getLogger(__name__)

BEST = Path("checkpoints/best.ckpt")
METRICS = "metrics.json"


def write_run_page(
    cfg: DictConfig,
    folder: Path,
    data: DualGAFDataModule,
    outcome: Outcome,
    seconds: float,
) -> None:
    """Write the page of a run that is over, if it is asked for; never raise.

    Args:
        cfg: of the run.
        folder: its run directory, with all other files.
        data: its DataModule; its images are not needed.
        outcome: what it has found; without a network no windows are drawn.
        seconds: that the run took.
    """
    if not cfg.get("report", True):
        return
    begun = time.perf_counter()
    try:
        allowance = Allowance(seconds, seconds_a_window(outcome.metrics, data))
        page = page_of(folder)
        if outcome.model is not None:
            mistakes = page.tested.mistakes if page.tested is not None else ()
            imaging = replace(data.imaging_state(), calibration=outcome.calibration)
            found = draw_windows(data, outcome.model, imaging, mistakes, allowance)
            page = with_windows(page, found, folder)
        path = page.write(folder)
    except Exception as error:
        # The run is done, and its files are there.
        tell_unwritten("the run", folder, error)
        return
    log.info("page: %s (%.1f s)", path, time.perf_counter() - begun)


def tell_unwritten(of: str, folder: Path, error: Exception) -> None:
    """Say in one line why a page could not be written, and what to type.

    Args:
        of: what the page is of.
        folder: where it was to be.
        error: what went wrong.
    """
    why = str(error).split("\n")[0] or type(error).__name__
    told = "the page of %s could not be written: %s; to make it again type %s"
    log.warning(told, of, why, report_command(folder))


def page_again(folder: Path) -> RunPage:
    """The page of a folder, with all pictures of windows if the data can be read.

    Args:
        folder: of a run.

    Raises:
        ConfigError: it is not the folder of a run.
    """
    page = page_of(folder)
    checkpoint = folder / BEST
    if not checkpoint.is_file():
        told = f"Windows, and what spoke: there is no {shown(checkpoint)}."
        return replace(page, left_out=[told])
    try:
        cfg = load_run_config(checkpoint, [])
        data = make_data(cfg)
        if not page.data:
            page = replace(page, **told_of(data))
        found = Checkpoint(checkpoint)
        model = trained_model(cfg, found)
        mistakes = page.tested.mistakes if page.tested is not None else ()
        drawn = draw_windows(data, model, found.needed_imaging, mistakes, Allowance(None))
    except (DualGAFError, OSError) as error:
        why = str(error).split("\n")[0]
        return replace(page, left_out=[f"Windows, and what spoke: {why}."])
    return with_windows(page, drawn, folder)


def with_windows(page: RunPage, found: Windows, folder: Path) -> RunPage:
    """A page with what was drawn of windows."""
    left_out = [*page.left_out, *found.left_out]
    if found.left_out:
        left_out.append(
            "A page may take 3 % of the time of its run, and this run was short. To draw all of "
            f"it type {report_command(folder)}"
        )
    return replace(
        page,
        mistakes=found.mistakes,
        spoke=found.spoke,
        spoke_lines=found.lines,
        spoke_shares=found.shares,
        spoke_classes=found.classes,
        left_out=left_out,
    )


def page_of(folder: Path) -> RunPage:
    """What the files of a run say.

    Raises:
        ConfigError: it is not the folder of a run.
    """
    try:
        metrics: dict[str, Any] = json.loads((folder / METRICS).read_text())
    except OSError:
        raise ConfigError(
            f"{shown(folder)} is not the folder of a run that is done: there is no "
            f"{shown(folder / METRICS)}; type python -m dualgaf report RUN, with the folder that "
            "holds metrics.json, or that of a sweep with sweep.csv"
        ) from None
    except ValueError as error:
        raise ConfigError(
            f"{shown(folder / METRICS)} cannot be read ({error}), so the run is not known; type "
            f"python -m dualgaf train {typed_folder('resume', folder)} for the run anew"
        ) from None
    about, told = read_about(folder), Settings.read(folder)
    tested = SplitReport.read(folder, metrics)
    made = " by dualgaf ".join(
        filter(None, [about.get("made"), about.get("versions", {}).get("dualgaf")])
    )
    n = 0 if tested is None else tested.n_windows
    return RunPage(
        title=name_of(told),
        folder=shown(folder),
        metrics=metrics,
        made=made,
        data=about.get("data", ""),
        windows=about.get("windows", {}),
        curves=Picture.read(folder / "curves.png", "Loss, accuracy and learning rate by epoch"),
        tested=tested,
        untested=_untested(told.cfg),
        confusion=Picture.read(
            folder / "confusion.png",
            f"Confusion matrix of {n} test windows; its largest mistakes are in the table below",
        ),
        reliability=Picture.read(
            folder / "reliability.png",
            "How often the predicted class is right, by its probability, without and with the "
            "temperature of the network",
        ),
        settings=differing(told),
        about=_about(about, told.cfg),
        commands=_commands(folder, tested),
    )


def report_command(folder: Path) -> str:
    """What to type for the page of a folder."""
    return f"python -m dualgaf report {shlex.quote(shown(folder))}"


def _untested(cfg: Mapping[str, Any]) -> str:
    task = cfg.get("task", "fit")
    if task in ("build", "predict"):
        return f"Nothing was tested: the run was task={task}."
    return (
        "There was no test split, so nothing is said of windows that the network has not learned. "
        "In a new run data.split.test_fraction=0.2 keeps a fifth of the windows for it."
    )


def _about(about: Mapping[str, Any], cfg: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = {**about.get("versions", {}), **about.get("machine", {})}
    seed = {"seed": cfg["seed"]} if "seed" in cfg else {}
    return [(name, str(value)) for name, value in {**seed, **found}.items()]


def _commands(folder: Path, tested: SplitReport | None) -> list[tuple[str, str]]:
    found = []
    repeat = repeat_command(folder)
    if repeat:
        found.append(("To repeat this run, in a new folder", repeat))
    if (folder / BEST).is_file():
        checkpoint = shlex.quote(shown(folder / BEST))
        found.append(
            ("To predict with its network, new data without labels, a file or a folder",
             f"python -m dualgaf predict {checkpoint} --data FOLDER")
        )  # fmt: skip
        window = tested.mistakes[0].window if tested is not None and tested.mistakes else 0
        found.append(
            ("Why a window has its class",
             f"python -m dualgaf preview --checkpoint {checkpoint} --window {window} "
             "--output why.png")
        )  # fmt: skip
    return [*found, ("To make this page again, with all of its pictures", report_command(folder))]


def repeat_command(folder: Path) -> str:
    """What was typed for a run or a sweep, without its folder; empty where that is not known."""
    try:
        # It ends with the folder, and with resume=RUN; both would make it no new run.
        words = in_full([shlex.split(typed_folder("resume", folder))[0]])[:-2]
    except ConfigError:
        return ""
    return f"python {program_words()} {shlex.join(words)}".strip()
