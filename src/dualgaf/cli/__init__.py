"""`python -m dualgaf COMMAND`: a module per command, each with its own options.

A module has ``HELP``, ``EXAMPLES``, ``add_arguments(parser)`` and ``run(options)``, and loads what
it needs when it runs, so that ``--help`` is quick. ``train`` and ``tune`` have ``run_with``: their
options are Hydra's.
"""

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from dualgaf import __version__
from dualgaf.errors import ConfigError, DualGAFError, unknown_choice
from dualgaf.system.termination import Stopped, stop_on_signals, stops_before_errors
from dualgaf.training.wording import as_typed

WRONG = 2
"""Exit status of wrong use and of errors."""
COMMANDS = (
    *("doctor", "inspect", "plan", "cache", "preview", "predict", "export", "report", "bench"),
    *("compare", "train", "tune"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status, see docs/interface.md.

    Args:
        arguments: the command and its options; what was typed when left out.
    """
    if arguments is None:
        stop_on_signals()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with stops_before_errors():
            status = _run(given)
        sys.stdout.flush()
    except DualGAFError as error:
        print(f"dualgaf: {as_typed(str(error))}", file=sys.stderr)
        return WRONG
    except Stopped as stopped:
        print(f"dualgaf: {stopped}", file=sys.stderr)
        return int(stopped.code or 0)
    except BrokenPipeError:  # the reader of what is printed has seen enough, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception:
        traceback.print_exc()
        return WRONG
    return status


def _run(given: list[str]) -> int:
    if not given or given[0].startswith("-"):
        _overview().parse_args(given or ["--help"])
        return 0
    name, *rest = given
    if name not in COMMANDS:
        raise ConfigError(
            unknown_choice("command", name, COMMANDS, instead=f"python -m dualgaf {_close(name)}")
        )
    command: Any = import_module(f"dualgaf.cli.{name}")
    if hasattr(command, "run_with"):
        return int(command.run_with(rest))
    parser = argparse.ArgumentParser(
        prog=f"python -m dualgaf {name}",
        description=f"{command.HELP[0].upper()}{command.HELP[1:]}.",
        epilog=_examples(command.EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    options, unknown = parser.parse_known_intermixed_args(rest)
    if unknown:
        allowed = [option for option in parser._option_string_actions if option.startswith("--")]
        close = get_close_matches(unknown[0].split("=")[0], allowed, n=1, cutoff=0.0)[0]
        raise ConfigError(f"{unknown[0]} is not known; allowed: {', '.join(allowed)}; type {close}")
    return int(command.run(options))


def _overview() -> argparse.ArgumentParser:
    modules = {name: import_module(f"dualgaf.cli.{name}") for name in COMMANDS}
    lines = "\n".join(f"  {name:8} {module.HELP}" for name, module in modules.items())
    examples = [line for module in modules.values() for line in module.EXAMPLES]
    parser = argparse.ArgumentParser(
        prog="python -m dualgaf",
        usage="python -m dualgaf COMMAND [options]; python -m dualgaf COMMAND --help",
        description=(
            f"Dual Gramian angular fields of multivariate time series.\n\ncommands:\n{lines}"
        ),
        epilog=_examples(examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"dualgaf {__version__}")
    return parser


def _examples(lines: Sequence[str]) -> str:
    return "\n".join(["examples:", *(f"  {line}" for line in lines)])


def _close(name: str) -> str:
    return get_close_matches(name, COMMANDS, n=1, cutoff=0.0)[0]
