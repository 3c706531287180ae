"""`python -m dualgaf compare`: networks and methods without images on the same sets and splits."""

import argparse

HELP = "several methods on several sets, on the same splits: one table, ranks, a picture"
EXAMPLES = (
    "python -m dualgaf compare experiment=natops,basic_motions seed=0,1,2 "
    "model=dualgafnet,per_signal",
    "python -m dualgaf compare experiment=natops,basic_motions seed=0,1,2 "
    "'baselines=[minirocket,multirocket_hydra,quant,forest,1nn]'",
    "python -m dualgaf compare experiment=natops 'data.archive_resample=range(5)'",
    "python -m dualgaf compare compare.dir=runs/compare/DATE/TIME",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="key=value",
        help="experiment=A,B or data.KEY=A,B: sets; seed=0,1,2, data.split.fold=range(5), "
        "data.archive_resample=range(30): repeats; model=A,B, or another key of train.py with "
        "several values: methods; a key with one value is typed for every training. "
        "baselines=[minirocket,multirocket_hydra,quant,forest,1nn]: methods without images. "
        "compare.score=accuracy or f1_macro: what is ranked. compare.dir=FOLDER: where to "
        "(runs/compare/DATE/TIME); alone it goes on with the comparison in it",
    )


def run(options: argparse.Namespace) -> int:
    """Do the jobs and print the tables."""
    from dualgaf.training.comparison.command import compare

    return compare(options.words)
