"""`python -m dualgaf export`: the trained network with its imaging, as one file for raw windows."""

import argparse
from pathlib import Path
from typing import Any

from dualgaf.errors import ConfigError

HELP = "the trained network with its imaging: a torch.export program, or ONNX"
EXAMPLES = (
    "python -m dualgaf export RUN/checkpoints/best.ckpt --output model.pt2",
    "python -m dualgaf export RUN/checkpoints/best.ckpt --output model.onnx",
)
_USE = {
    ".pt2": """\
to use it:
  import torch
  classify = torch.export.load("{path}").module()
  probabilities = classify(windows)  # a tensor of raw windows, float64""",
    ".onnx": """\
to use it, without torch:
  import onnxruntime
  classify = onnxruntime.InferenceSession("{path}")
  (probabilities,) = classify.run(None, {{"windows": windows}})  # raw windows, float64""",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("checkpoint", nargs="?", default="", help="RUN/checkpoints/best.ckpt")
    parser.add_argument("overrides", nargs="*", help="configuration as for train.py: key=value")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("model.pt2"),
        help="file to write: model.pt2 for torch, model.onnx for onnxruntime (model.pt2)",
    )
    parser.add_argument("--opset", type=int, help="of .onnx: version of the operators (20)")


def run(options: argparse.Namespace) -> int:
    """Write the file and say how it is used."""
    path = _checked(options)
    from dualgaf.inference.checkpoint import Checkpoint
    from dualgaf.inference.export import export_program
    from dualgaf.inference.metadata import about
    from dualgaf.training.classifier import trained_model
    from dualgaf.training.config import load_run_config

    checkpoint = Checkpoint(Path(options.checkpoint))
    imaging = checkpoint.needed_imaging
    cfg = load_run_config(checkpoint.path, options.overrides)
    net = trained_model(cfg, checkpoint).net
    told: Any = about(imaging)
    says = f"{path}: takes {told['takes']}; gives {told['gives']}"
    try:
        if path.suffix == ".pt2":
            export_program(net, imaging, path)
        else:
            from dualgaf.inference.onnx_file import OPSET, export_onnx

            opset = OPSET if options.opset is None else options.opset
            says += f"; opset {opset}, ONNX IR version {export_onnx(net, imaging, path, opset)}"
    except OSError as error:
        raise ConfigError(
            f"--output {path} cannot be written: {error.strerror or error}; type --output "
            f"FOLDER/model{path.suffix} with a folder that you may write to"
        ) from error
    print(says)
    print(_USE[path.suffix].format(path=path))
    return 0


def _checked(options: argparse.Namespace) -> Path:
    path: Path = options.output
    if not options.checkpoint or "=" in options.checkpoint:
        raise ConfigError("which model? type: export RUN/checkpoints/best.ckpt --output model.pt2")
    if path.suffix not in _USE:
        raise ConfigError(
            f"--output {path} is neither a program of torch (.pt2) nor ONNX (.onnx); type --output "
            f"{path.with_suffix('.pt2')} or --output {path.with_suffix('.onnx')}"
        )
    if options.opset is not None and path.suffix != ".onnx":
        raise ConfigError(
            f"--opset is of .onnx, and --output is {path}; type --output "
            f"{path.with_suffix('.onnx')}, or leave --opset out"
        )
    return path
