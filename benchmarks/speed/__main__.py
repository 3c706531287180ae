"""`python -m benchmarks.speed [build|cold|memory|scaling|sweep]`: time a suite, print its table."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed.plots import draw
from benchmarks.speed.ratios import dropped_ratios, kept_ratios, update_ratios
from benchmarks.speed.size import SpeedSize
from benchmarks.speed.suites import SUITES, run_speed
from dualgaf.errors import ConfigError, DualGAFError

EXAMPLES = """examples:
  python -m benchmarks.speed build --repeats 11 --earlier-repeats 5
  python -m benchmarks.speed sweep --output FILE.json
  python -m benchmarks.speed cold --check benchmarks/ratios.json
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, 1 where a ratio was lost, 2 for an error of the package, 130 for Ctrl-C."""
    try:
        return _run(_parser().parse_args(arguments))
    except DualGAFError as error:
        print(f"benchmarks.speed: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("benchmarks.speed: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suite", nargs="?", default="build", help=", ".join(SUITES))
    parser.add_argument("--n-windows", type=int, default=4000, help="windows to draw")
    parser.add_argument("--n-channels", type=int, default=20, help="channels of a window")
    parser.add_argument("--window-size", type=int, default=96, help="steps of a window")
    parser.add_argument("--repeats", type=int, default=5, help="repeats that count")
    parser.add_argument(
        "--earlier-repeats", type=int, help="the same for the earlier system; 0 = without"
    )
    parser.add_argument("--memory", default="4GiB", help="largest store of the scaling suite")
    parser.add_argument("--check", type=Path, help="table of ratios to compare with")
    parser.add_argument("--update", type=Path, help="table of ratios to write")
    parser.add_argument("--output", type=Path, help="JSON file to write; a plot goes beside it")
    return parser


def _run(options: argparse.Namespace) -> int:
    size = SpeedSize(
        options.n_windows,
        options.n_channels,
        options.window_size,
        options.repeats,
        options.earlier_repeats,
        options.memory,
    )
    suite, output = options.suite, options.output
    if output and output.suffix != ".json":
        raise ConfigError(f"--output {output} is not JSON; type --output {suite}.json")
    kept = kept_ratios(options.check, suite, size) if options.check else {}
    result = run_speed(suite, size, progress=lambda line: print(line, file=sys.stderr))
    print(result)
    if output:
        result.save(output)
        if (figure := draw(result)) is not None:
            figure.savefig(output.with_suffix(".png"), dpi=90)
    if options.update:
        update_ratios(options.update, result)
    dropped = dropped_ratios(kept, result)
    for line in dropped:
        print(f"dropped: {line}", file=sys.stderr)
    return 1 if dropped else 0


if __name__ == "__main__":
    sys.exit(main())
