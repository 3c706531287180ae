"""`python -m dualgaf bench`: how fast a build is here, beside the limits of the memory."""

import argparse
import sys
from pathlib import Path

from dualgaf.errors import ConfigError, unknown_choice

HELP = "how fast a build is on this machine, beside the limits of its memory"
EXAMPLES = ("python -m dualgaf bench --n-windows 1000",)

ELSEWHERE = ("cold", "memory", "scaling", "sweep")
"""Suites that compare and study; they are in the repository, not in the package."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("suite", nargs="?", default="build", help="build, the only one here")
    parser.add_argument("--n-windows", type=int, default=4000, help="windows to draw")
    parser.add_argument("--n-channels", type=int, default=20, help="channels of a window")
    parser.add_argument("--window-size", type=int, default=96, help="steps of a window")
    parser.add_argument("--repeats", type=int, default=5, help="repeats that count")
    parser.add_argument("--output", type=Path, help="JSON file to write (none)")


def run(options: argparse.Namespace) -> int:
    """Time the ways to build and print the table."""
    suite, output = options.suite, options.output
    if suite in ELSEWHERE:
        raise ConfigError(
            f"bench {suite} is a benchmark of the repository; in a clone of it type python -m "
            f"benchmarks.speed {suite}"
        )
    if suite != "build":
        raise ConfigError(unknown_choice("bench", suite, ("build",), instead="bench build"))
    if output and output.suffix != ".json":
        raise ConfigError(f"--output {output} is not JSON; type --output build.json")
    from dualgaf.bench import BenchSize, run_build

    size = BenchSize(options.n_windows, options.n_channels, options.window_size, options.repeats)
    result = run_build(size, progress=lambda line: print(line, file=sys.stderr))
    print(result)
    if output:
        result.save(output)
    return 0
