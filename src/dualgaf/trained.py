"""What a checkpoint says of the data that its network has learned, and whether others fit it."""

from pathlib import Path

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.data.imaging_state import ImagingState
from dualgaf.errors import ConfigError
from dualgaf.models.checkpoint import data_state


def find_imaging(checkpoint: Path) -> ImagingState | None:
    """The imaging in a checkpoint; None where it was written without a `DualGAFDataModule`.

    Raises:
        ConfigError: the file is no checkpoint.
    """
    state = data_state(checkpoint)
    return ImagingState.from_plain(state["imaging"]) if state else None


def read_imaging(checkpoint: Path) -> ImagingState:
    """The imaging in a checkpoint.

    Raises:
        ConfigError: the file is no checkpoint, or was written without a `DualGAFDataModule`.
    """
    found = find_imaging(checkpoint)
    if found is None:
        raise ConfigError(
            f"{checkpoint} does not say how its windows became images: it was written without a "
            "DualGAFDataModule, or by an earlier version; train anew with python train.py, or "
            "give trainer.fit a DualGAFDataModule"
        )
    return found


def check_windows(imaging: ImagingState, data: DualGAFDataModule) -> None:
    """Refuse data whose windows or classes are not those that a network has learned.

    Args:
        imaging: of its checkpoint.
        data: what it is to see; only the windows are read.

    Raises:
        ConfigError: the length, the channels or the classes are others.
    """
    for option, trained, got in (
        ("window_size", imaging.window_size, data.window_size),
        ("channels", ", ".join(imaging.channel_names), ", ".join(data.channel_names)),
        ("classes", ", ".join(imaging.class_names), ", ".join(data.class_names)),
    ):
        if trained != got:
            raise _other(option, trained, got, "data.*")


def check_images(imaging: ImagingState, data: DualGAFDataModule) -> None:
    """`check_windows`, and refuse images that are drawn in another way, or another training split.

    With another training split, say another seed, windows that were learned may be tested.

    Raises:
        ConfigError: as `check_windows`, or the recipe or the training split is another.
    """
    check_windows(imaging, data)
    drawn = data.imaging_state()
    for option in ("image_size", "scaling", "feature_range"):
        trained, got = getattr(imaging.recipe, option), getattr(drawn.recipe, option)
        if trained != got:
            raise _other(option, trained, got, "datamodule.*")
    if imaging.digest != drawn.digest:
        raise ConfigError(
            "the checkpoint has learned another training split than these data have (its windows "
            "differ), so windows that it knows may be tested; type the data.* options and the seed "
            "of its run (RUN/.hydra/overrides.yaml)"
        )


def _other(option: str, trained: object, got: object, options: str) -> ConfigError:
    return ConfigError(
        f"the checkpoint was trained with {option} {trained}, the data have {got}; type the "
        f"{options} options of its run (RUN/.hydra/overrides.yaml)"
    )
