"""`python -m dualgaf preview`: a picture of a window, and of what spoke for its class."""

import argparse
from pathlib import Path

HELP = (
    "a picture of a window with its GASF and GADF; with --checkpoint also which steps of which "
    "signals spoke for the class"
)
EXAMPLES = (
    "python -m dualgaf preview data.name=JapaneseVowels --window 3 --output window.png",
    "python -m dualgaf preview --checkpoint RUN/checkpoints/best.ckpt --window 3 --output why.png",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("overrides", nargs="*", help="configuration as for train.py: key=value")
    parser.add_argument("--window", type=int, default=0, help="number of the window")
    parser.add_argument(
        "--split", help="train, val, test or predict (train; with --checkpoint: test)"
    )
    parser.add_argument("--channels", default="", help="names, comma separated")
    parser.add_argument(
        "--checkpoint", type=Path, help="also show what spoke for the class, by this model"
    )
    parser.add_argument(
        "--method", default="integrated", help="how that is found: integrated or grad_cam"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("preview.png"), help="picture to write (preview.png)"
    )


def run(options: argparse.Namespace) -> int:
    """Draw the picture and say what it shows."""
    from dualgaf.cli.window_pictures import Shown, save_explanation, save_preview
    from dualgaf.training.config import load_config, load_run_config, make_data

    channels = [name for name in options.channels.split(",") if name]
    path, checkpoint = options.output, options.checkpoint
    split = options.split or ("train" if checkpoint is None else "test")
    shown = Shown(options.window, split, channels)
    if checkpoint is None:
        text = save_preview(make_data(load_config(options.overrides)), path, shown)
    else:
        from dualgaf.inference.checkpoint import Checkpoint
        from dualgaf.training.classifier import trained_model

        found = Checkpoint(checkpoint)
        imaging = found.needed_imaging
        cfg = load_run_config(checkpoint, options.overrides)
        model = trained_model(cfg, found)
        text = save_explanation(make_data(cfg), model, imaging, path, shown, options.method)
    print(f"{path}: {text}")
    return 0
