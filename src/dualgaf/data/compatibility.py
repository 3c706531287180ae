"""Whether data are those that a network has learned, by what its checkpoint says of them.

`check_images` is asked wherever a checkpoint and data meet: by ``train.py`` before anything is
built, and by `DualGAFDataModule.load_state_dict` in a Lightning project of one's own.
"""

import logging
from typing import Protocol

from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.training_facts import sampling_step
from dualgaf.data.window_digest import FORMAT
from dualgaf.data.windowed import WindowedSplits
from dualgaf.errors import OtherDataError

OF_ITS_RUN = "options of its run (RUN/.hydra/overrides.yaml)"
"""Where to find what a run of ``train.py`` was typed with."""
SAME_STEP = 0.01
"""Sampling steps that differ by less than this fraction are the same: clocks are not exact."""

log = logging.getLogger(__name__)


class Drawn(Protocol):
    """Data that can be asked how they are drawn: a `DualGAFDataModule`, an `ImageBuild`."""

    @property
    def windows(self) -> WindowedSplits:
        """The windows."""

    def imaging_state(self) -> ImagingState:
        """How they become images."""


def check_windows(trained: ImagingState, data: Drawn) -> None:
    """Refuse data whose windows or classes are not of the kind that a network has learned.

    Args:
        trained: of its checkpoint.
        data: what it is to see; only the windows are read.

    Raises:
        ConfigError: the length, the channels, the classes or the sampling step are others.
    """
    own = data.windows
    channels, classes = (", ".join(names) for names in (trained.channel_names, trained.class_names))
    for option, wanted, got, typed in (
        ("window_size", trained.window_size, own.windows.window_size, "windows of that length"),
        ("channels", channels, ", ".join(own.channel_names), "the channels in that order"),
        ("classes", classes, ", ".join(own.class_names), "labels of those classes"),
    ):
        if wanted != got:
            raise OtherDataError(other(f"{option} {wanted}", got, "data.*", f"give {typed}"))
    scaled = [None if plants is None else "plant" for plants in (trained.plants, own.plants)]
    if scaled[0] != scaled[1]:
        wanted, got = (f"scale_by={by or 'all'}" for by in scaled)
        raise OtherDataError(other(wanted, got, "data.*", "give a source with that scale_by"))
    if trained.facts is None:
        return
    step, clock = sampling_step(own)
    wanted_step = trained.facts.step
    if wanted_step is None or step is None or clock != trained.facts.clock:
        return
    if abs(step - wanted_step) > SAME_STEP * abs(wanted_step):
        wanted_text, got_text = (
            f"{number:g} s" if clock == "seconds" else f"{number:g}"
            for number in (wanted_step, step)
        )
        raise OtherDataError(
            other(f"a sampling step of {wanted_text}", got_text, "data.*", "resample the series")
        )


def check_images(trained: ImagingState, data: Drawn) -> None:
    """`check_windows`, and refuse images that are drawn in another way, or another training split.

    With another training split, say another seed, windows that were learned may be tested.

    Raises:
        ConfigError: as `check_windows`, or the recipe or the training split is another, or the
            checkpoint is too old to tell.
    """
    check_windows(trained, data)
    drawn = data.imaging_state()
    for option in ("image_size", "scaling", "feature_range"):
        wanted, got = getattr(trained.recipe, option), getattr(drawn.recipe, option)
        if wanted != got:
            typed = f"DualGAFDataModule(..., {option}={wanted!r})"
            raise OtherDataError(other(f"{option} {wanted}", got, "datamodule.*", typed))
    _check_split(trained, data.windows)


def other(trained: str, got: object, options: str, in_python: str) -> str:
    """The text for data that differ from those of the training."""
    return (
        f"the checkpoint was trained with {trained}, the data have {got}; type the {options} "
        f"{OF_ITS_RUN}, or in Python {in_python}"
    )


def _check_split(trained: ImagingState, own: WindowedSplits) -> None:
    """Refuse windows that may have been learned."""
    if not trained.digest:
        raise OtherDataError(
            "the checkpoint does not say which windows it has learned (an earlier version wrote "
            "it), so windows that it knows may be tested; train anew"
        )
    is_current = trained.digest.startswith(f"{FORMAT}-")
    digest = own.digest if is_current else own.earlier_digest
    if digest is None:
        raise OtherDataError(
            "the checkpoint (of an earlier version) has rounded the windows that it has learned to "
            "float32, and rounded so windows of these data are equal; windows that it knows may be "
            "tested; train anew"
        )
    if trained.digest != digest:
        raise OtherDataError(
            "the checkpoint has learned another training split than these data have (its windows, "
            "or those of val, differ), so windows that it knows may be tested; type the data.* "
            "options and the seed of its run (RUN/.hydra/overrides.yaml), or in Python give the "
            "train and the val split of its training"
        )
    if trained.facts is None:
        log.warning(
            "the checkpoint is of an earlier version: it does not hold the classes of the windows "
            "that it has learned, nor their sampling step, so these are not compared"
        )
    elif trained.facts.labels_digest != own.labels_digest:
        raise OtherDataError(
            "the checkpoint has learned the windows of the training split with other classes than "
            "these data give them; give the labels of its training, or train anew"
        )
