"""`as_command`: a program of Hydra, with the exit statuses that all commands of this package have.

=== =========================================================================
0   done
1   something must be decided, or was found
2   wrong use, or an error
130 Ctrl-C (SIGINT)
138 SIGUSR1, in a job of SLURM
143 SIGTERM
=== =========================================================================

Hydra's own status of an error is 1.
"""

import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from dualgaf.errors import DualGAFError
from dualgaf.system.termination import REQUEUE, Stopped, is_started_rank, stops_before_errors
from dualgaf.training.cluster import in_one_folder, requeued
from dualgaf.training.launcher import remember_command
from dualgaf.training.overrides import check_overrides
from dualgaf.training.resume import first_words, in_full, resume_command

WRONG = 2
"""Exit status of wrong use and of errors."""
_folders: list[Path] = []
_when_stopped: list[Callable[[], None]] = []


def as_command(main: Callable[[], object]) -> int:
    """Run a program with the arguments of this process, which has called `stop_on_signals`.

    Args:
        main: what ``hydra.main`` has made.

    Returns:
        Its exit status.
    """
    _folders.clear()
    try:
        with stops_before_errors():
            check_overrides(sys.argv[1:])
            if not is_started_rank():  # that has them in full already
                sys.argv[1:] = in_one_folder(in_full(sys.argv[1:]))
            remember_command(first_words)
            main()
    except DualGAFError as error:
        print(f"dualgaf: {error}", file=sys.stderr)
        return WRONG
    except Stopped as stopped:
        for do in _when_stopped:
            do()
        if stopped.number == REQUEUE and (told := requeued()):
            line = f"; {told}"
        else:
            line = f"; to go on type {resume_command(_folders[0])}" if _folders else ""
        print(f"dualgaf: {stopped}{line}", file=sys.stderr)
        return int(stopped.code or 0)
    except SystemExit as ended:
        return _status(ended)
    except Exception:
        traceback.print_exc()
        return WRONG
    return 0


def goes_on_in(folder: Path) -> None:
    """Say in which folder this command writes: where it is stopped, the last line names it.

    Args:
        folder: of the run or the sweep; the first one counts, that of a sweep before its jobs'.
    """
    if not _folders:
        _folders.append(folder)


def when_stopped(do: Callable[[], None]) -> Callable[[], None]:
    """Have something done, a decorator, where a signal stops a command.

    What does it says so: this module would take seconds to import all that may have to be ended.
    """
    _when_stopped.append(do)
    return do


def _status(ended: SystemExit) -> int:
    if isinstance(ended.code, str):
        print(ended.code, file=sys.stderr)
        return WRONG
    return WRONG if ended.code == 1 else int(ended.code or 0)
