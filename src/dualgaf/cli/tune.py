"""`python -m dualgaf tune`: a search for better settings."""

import logging
import shlex
import sys
from collections.abc import Sequence

from dualgaf.system.termination import Stopped

HELP = (
    "searches better settings: trials that go on where they were stopped, the best is tested once"
)
EXAMPLES = ("python -m dualgaf tune experiment=natops n_trials=20 study=natops",)

_TEXT = """\
usage: python -m dualgaf tune study=FILE [n_trials=20] [search=default] [options of train.py]

Searches better settings of a training. Trials learn the train split and are judged by the lowest
val/loss; the test split is not read. The best is then trained on train and val, and tested once.

options:
  study=FILE        the journal of the study, made where it is not there; the runs go into a folder
                    of the same name beside it. The same command again goes on with the study, after
                    Ctrl-C and after kill -9; several at once share it.
  n_trials=20       trials in all, those of earlier commands included
  search=default    what is searched: {spaces}, none, or a file FILE.yaml
  search.KEY=RANGE  one more key, or another range: {{low:0.1,high:0.5}}, with log:true or step:0.1,
                    or a list of choices [a,b]
  ~search.KEY       one key less; so does KEY=VALUE
  sampler=tpe       tpe | random
  pruner=median     median: a trial that is worse than half of the others is ended early | none
  seed=0            of the draws and of every training
  and whatever train.py takes, for every trial: python train.py --help

files beside FILE:
  trial-0007/       a run: metrics.json, curves.png, checkpoints/best.ckpt
  best-0007/        that trial, trained on train and val: metrics.json with the test
  trials.csv        a line per trial
  study.png         history, importance, slices
  index.html        both, to be sorted, with a link to the page of the best

examples:
  python -m dualgaf tune experiment=natops n_trials=20 study=natops
  python -m dualgaf tune data=simulated study=small search=none 'search.model.width=[16,32,64]'
  python -m dualgaf tune study=a 'search.model.width=[32,64]' '~search.classifier.crop'
  python -m dualgaf tune study=mine search=my_space.yaml trainer.max_epochs=20"""


def run_with(arguments: Sequence[str]) -> int:
    """Search; Ctrl-C and SIGTERM leave a study that can go on.

    Raises:
        ConfigError: an option is not allowed.
        DependencyError: optuna is not installed.
    """
    if {"-h", "--help"} & {*arguments}:
        from dualgaf.plan.preset import conf_folder

        names = sorted(path.stem for path in (conf_folder() / "search").glob("*.yaml"))
        print(_TEXT.format(spaces=", ".join(names)))
        return 0
    from dualgaf.search.tune import tune

    logging.basicConfig(format="%(message)s", stream=sys.stdout)
    logging.getLogger("dualgaf").setLevel(logging.INFO)
    try:
        tune(arguments)
    except Stopped as stopped:
        again = shlex.join(["python", "-m", "dualgaf", "tune", *arguments])
        print(f"dualgaf: {stopped}; to go on type {again}", file=sys.stderr)
        return int(stopped.code or 0)
    return 0
