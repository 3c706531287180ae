"""`python -m dualgaf predict`: what a trained network says of data that it has not seen."""

import argparse
import logging
from pathlib import Path

from dualgaf.errors import ConfigError

HELP = "what a trained network says of new data: classes over time, since when, how sure"
EXAMPLES = (
    "python -m dualgaf predict RUN/checkpoints/best.ckpt --data week.csv",
    "python -m dualgaf predict RUN/checkpoints/best.ckpt --data FOLDER --output week --stride 10",
    "python -m dualgaf predict RUN/checkpoints/best.ckpt --data week.csv --coverage 0.95",
    "python -m dualgaf predict RUN/checkpoints/best.ckpt --data '${oc.env:PLANT_URI}' "
    "'data.query=\"SELECT * FROM readings\"'",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("checkpoint", nargs="?", default="", help="RUN/checkpoints/best.ckpt")
    parser.add_argument(
        "overrides",
        nargs="*",
        help="how the files are read, where that differs from the training: data.nan=interpolate, "
        "data.step=1min, data.time_column=NAME and others of train.py data=ahu",
    )
    parser.add_argument(
        "--data",
        help="a table, a folder of tables, or the URI of a database with data.query; no label is "
        "needed",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("predictions"),
        help="folder to write predictions.csv, events.csv and predictions.png to (predictions)",
    )
    parser.add_argument(
        "--stride", type=int, help="rows between the starts of two windows (as in training)"
    )
    parser.add_argument(
        "--coverage",
        type=float,
        help="what part of windows of new groups has its class in the column set (0.9, where so "
        "many groups were held out)",
    )
    parser.add_argument(
        "--min-windows",
        type=int,
        default=1,
        help="fewest windows of an event in events.csv (1)",
    )


def run(options: argparse.Namespace) -> int:
    """Judge the data, write the tables and say what is in them."""
    checkpoint, overrides = _checked(options)
    from dualgaf.inference.predict import load
    from dualgaf.training.config import looked_up, typed_data_options
    from dualgaf.training.predicted import write_prediction
    from dualgaf.training.prediction_folder import asked_of, check_output, enter_output

    logging.basicConfig(format="%(message)s")
    data = looked_up(options.data)
    typed = typed_data_options(overrides, options.data)
    model = load(checkpoint)
    asked = asked_of(checkpoint, options.data, options.stride, overrides)
    check_output(options.output, asked)
    try:
        found = model.predict_files(
            data, stride=options.stride, coverage=options.coverage, options=typed
        )
    except ConfigError as error:
        raise type(error)(str(error).replace("coverage=", "--coverage ")) from error
    enter_output(options.output, asked)
    told = write_prediction(options.output, found, options.min_windows, model.flagged)
    print("\n".join(told))
    return 0


def _checked(options: argparse.Namespace) -> tuple[str, list[str]]:
    example = "predict RUN/checkpoints/best.ckpt --data FILE_OR_FOLDER"
    if not options.checkpoint or options.checkpoint.startswith("data."):
        raise ConfigError(f"which model? type: {example}")
    if options.data is None:
        raise ConfigError(f"which data? type: {example}")
    if options.min_windows < 1:
        raise ConfigError(
            f"--min-windows {options.min_windows} is not allowed; allowed: 1 and more; type "
            "--min-windows 1"
        )
    return options.checkpoint, options.overrides
