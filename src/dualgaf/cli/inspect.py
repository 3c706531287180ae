"""`python -m dualgaf inspect`: what is understood of a folder, and what must be decided."""

import argparse
import json
from pathlib import Path

HELP = "what is understood of the data, in words and as a picture; what must be decided"
EXAMPLES = (
    "python -m dualgaf inspect data=ahu data.root=FOLDER",
    "python -m dualgaf inspect data=ahu data.root=FOLDER --json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("overrides", nargs="*", help="configuration as for train.py: key=value")
    parser.add_argument("--json", action="store_true", help="print one JSON object, nothing else")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("inspect.png"),
        help="picture to write (inspect.png)",
    )


def run(options: argparse.Namespace) -> int:
    """Print what was understood; 1 where something must be decided."""
    from dualgaf.data.inspection import inspect_source
    from dualgaf.plots.inspection import draw_inspection
    from dualgaf.series.timeline import NOT_USED, spans_of
    from dualgaf.training.config import load_config, make_data

    cfg = load_config(options.overrides)
    data = make_data(cfg)
    found = inspect_source(data.source, cfg.seed)
    print(json.dumps(found.as_json(), indent=1) if options.json else found)
    if found.series is not None:
        spans = spans_of(found.splits or {NOT_USED: found.series})
        figure = draw_inspection(spans, found.series.channel_names, found.title)
        figure.savefig(options.output, dpi=110)
        if not options.json:
            print(f"\npicture: {options.output}")
    return 1 if found.problems else 0
