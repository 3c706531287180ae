"""`python -m dualgaf train`: ``train.py`` for an installed wheel."""

import sys
from collections.abc import Sequence

HELP = "train.py for an installed wheel, from any folder"
EXAMPLES = ("python -m dualgaf train data=simulated trainer.max_epochs=5",)


def run_with(arguments: Sequence[str]) -> int:
    """Hand everything to Hydra, which reads its own flags (-m, --help, --cfg)."""
    from dualgaf.training.run import main

    sys.argv = [sys.argv[0], *arguments]
    return main()
