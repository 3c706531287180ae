"""Train DualGAFNet: `python train.py --help` shows what can be typed."""

import hydra
from omegaconf import DictConfig

from dualgaf.training.config import exit_on_unknown_keys
from dualgaf.training.run import train


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float | None:
    """One run; returns the metric that a sweep compares."""
    return train(cfg)


if __name__ == "__main__":
    exit_on_unknown_keys()
    main()
