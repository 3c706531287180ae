"""Train DualGAFNet: `python train.py --help` shows what can be typed."""

from dualgaf.system.termination import stop_on_signals

stop_on_signals()  # from here on both end it in order; what is imported now takes seconds

import sys  # noqa: E402

import hydra  # noqa: E402
from omegaconf import DictConfig  # noqa: E402

from dualgaf.training.command import as_command  # noqa: E402


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float | None:
    """One run; returns the metric that a sweep compares."""
    from dualgaf.training.run import (
        train,  # seconds, which --help and a mistyped option do not need
    )

    return train(cfg)


if __name__ == "__main__":
    sys.exit(as_command(main))
