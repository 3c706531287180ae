"""`python -m dualgaf report`: the page of a run, or of a sweep, made again from its folder."""

import argparse
from pathlib import Path

from dualgaf.errors import ConfigError

HELP = "the page of a run (report.html), or of a sweep (index.html), made again from its folder"
EXAMPLES = ("python -m dualgaf report RUN",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("folder", nargs="?", default="", help="of a run, or of a sweep")


def run(options: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    if not options.folder:
        raise ConfigError("which run? type: report RUN, with the folder that holds metrics.json")
    from dualgaf.training.resume import first_words, shown
    from dualgaf.training.run_page import page_again
    from dualgaf.training.sweep import sweep_index
    from dualgaf.training.sweep_page import TABLE

    first_words[:] = ["train"]
    folder = Path(options.folder).absolute()
    if (folder / TABLE).is_file():
        page = sweep_index(folder)
        path = page.write(folder)
        print(f"{shown(path)}: {len(page.rows)} runs")
        return 0
    found = page_again(folder)
    path = found.write(folder)
    print("\n".join([f"{shown(path)}: {found.title}. {found.verdict}", *found.left_out]))
    return 0
