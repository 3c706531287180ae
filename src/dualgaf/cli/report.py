"""`python -m dualgaf report`: the page of a run, of a sweep or of a study, made again."""

import argparse
from pathlib import Path

from dualgaf.errors import ConfigError

HELP = (
    "the page of a run (report.html), a sweep or a study (index.html), made again from its folder"
)
EXAMPLES = ("python -m dualgaf report RUN",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("folder", nargs="?", default="", help="of a run, a sweep or a study")


def run(options: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    if not options.folder:
        raise ConfigError("which run? type: report RUN, with the folder that holds metrics.json")
    from dualgaf.training.resume import typed_as_module

    with typed_as_module():
        print(_again(Path(options.folder).absolute()))
    return 0


def _again(folder: Path) -> str:
    from dualgaf.report.index import TRIALS
    from dualgaf.training.resume import shown
    from dualgaf.training.run_page import page_again
    from dualgaf.training.sweep import sweep_index
    from dualgaf.training.sweep_page import TABLE

    index = None
    if (folder / TABLE).is_file():
        index = sweep_index(folder)
    elif (folder / TRIALS).is_file():
        from dualgaf.search.page import study_index

        index = study_index(folder)
    if index is not None:
        path = index.write(folder)
        return f"{shown(path)}: {len(index.rows)} runs"
    found = page_again(folder)
    path = found.write(folder)
    return "\n".join([f"{shown(path)}: {found.title}. {found.verdict}", *found.left_out])
