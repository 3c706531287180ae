"""`python -m dualgaf export`: the trained network with its imaging, as one program."""

import argparse
from pathlib import Path

from dualgaf.errors import ConfigError

HELP = "the trained network with its imaging as a torch.export program"
EXAMPLES = ("python -m dualgaf export RUN/checkpoints/best.ckpt --output model.pt2",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("checkpoint", nargs="?", default="", help="RUN/checkpoints/best.ckpt")
    parser.add_argument("overrides", nargs="*", help="configuration as for train.py: key=value")
    parser.add_argument(
        "--output", type=Path, default=Path("model.pt2"), help="program to write (model.pt2)"
    )


def run(options: argparse.Namespace) -> int:
    """Write the program and say how it is used."""
    if not options.checkpoint or "=" in options.checkpoint:
        raise ConfigError("which model? type: export RUN/checkpoints/best.ckpt --output model.pt2")
    from dualgaf.inference.checkpoint import Checkpoint
    from dualgaf.inference.export import about, export_program
    from dualgaf.training.classifier import trained_model
    from dualgaf.training.config import load_run_config

    path, checkpoint = options.output, Checkpoint(Path(options.checkpoint))
    imaging = checkpoint.needed_imaging
    cfg = load_run_config(checkpoint.path, options.overrides)
    export_program(trained_model(cfg, checkpoint).net, imaging, path)
    told = about(imaging)
    print(f"{path}: takes {told['takes']}; gives {told['gives']}")
    print(
        "to use it:\n  import torch\n"
        f'  classify = torch.export.load("{path}").module()\n'
        "  probabilities = classify(windows)  # a tensor of raw windows, float64"
    )
    return 0
