"""`python -m dualgaf`: doctor, plan, cache, preview, bench, train."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dualgaf import __version__
from dualgaf.errors import ConfigError, DualGAFError, unknown_choice

if TYPE_CHECKING:
    from dualgaf.store.cache_folder import CacheFolder

EXAMPLES = """examples:
  python -m dualgaf doctor
  python -m dualgaf plan hardware=8gb data=simulated data.n_windows=4000
  python -m dualgaf cache list cache.dir=FOLDER      # or verify, or clear
  python -m dualgaf preview data.name=JapaneseVowels --window 3 --output window.png
  python -m dualgaf bench --n-windows 1000
  python -m dualgaf bench sweep --output FILE.json
  python -m dualgaf train data=simulated trainer.max_epochs=5
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0, 2 for an error of the package, 130 for Ctrl-C."""
    parser = _parser()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["train"]:
        # Hydra reads its own flags (-m, --help, --cfg), so argparse must not see them.
        return _train(given[1:])
    options = parser.parse_intermixed_args(given)
    try:
        return int(COMMANDS[options.command](options))
    except DualGAFError as error:
        print(f"dualgaf: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("dualgaf: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dualgaf",
        description="Dual Gramian angular fields of multivariate time series.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"dualgaf {__version__}")
    parser.add_argument("command", choices=[*COMMANDS, "train"], help="\n".join(HELP))
    parser.add_argument("overrides", nargs="*", help="configuration as for train.py: key=value")
    parser.add_argument("--window", type=int, default=0, help="preview: number of the window")
    parser.add_argument("--channels", default="", help="preview: names, comma separated")
    parser.add_argument("--n-windows", type=int, default=4000, help="bench: windows to draw")
    parser.add_argument("--n-channels", type=int, default=20, help="bench: channels of a window")
    parser.add_argument("--window-size", type=int, default=96, help="bench: steps of a window")
    parser.add_argument("--repeats", type=int, default=5, help="bench: repeats that count")
    parser.add_argument(
        "--earlier-repeats", type=int, help="bench: the same for the earlier system; 0 = without"
    )
    parser.add_argument("--memory", default="4GiB", help="bench scaling: largest store")
    parser.add_argument("--check", type=Path, help="bench: table of ratios to compare with")
    parser.add_argument("--update", type=Path, help="bench: table of ratios to write")
    parser.add_argument(
        "--output", type=Path, help="preview: PNG file (preview.png); bench: JSON file (none)"
    )
    return parser


def _doctor(options: argparse.Namespace) -> int:
    from dualgaf.doctor import Facts, report

    print(report(Facts.read()))
    return 0


def _plan(options: argparse.Namespace) -> int:
    from dualgaf.command_line import load_config, make_data

    print(make_data(load_config(options.overrides)).plan())
    return 0


def _cache(options: argparse.Namespace) -> int:
    from dualgaf.command_line import load_config
    from dualgaf.store.cache_folder import CacheFolder

    does = {"list": _cache_list, "verify": _cache_verify, "clear": _cache_clear}
    action, overrides = (options.overrides or [""])[0], options.overrides[1:]
    if action not in does:
        raise ConfigError(unknown_choice("cache", action, does, instead="cache list"))
    folder = load_config(overrides).cache.dir
    if folder is None:
        raise ConfigError(f"which cache? type: cache {action} cache.dir=FOLDER")
    cache = CacheFolder(Path(folder))
    try:
        next(cache.folder.iterdir(), None)
    except OSError as error:
        raise ConfigError(f"cache.dir={folder} cannot be read: {error.strerror}") from error
    return does[action](cache)


def _cache_list(cache: "CacheFolder") -> int:
    from dualgaf.machine import format_bytes

    for name in cache.names():
        print(f"{name}  {cache.describe(name)}")
    for name, (there, windows) in cache.unfinished().items():
        print(f"{name}  cut off or at work: {there} of {windows} windows are there")
    sizes = cache.sizes()
    kinds = ", ".join(f"{kind} {format_bytes(size)}" for kind, size in sizes.items() if size)
    print(f"{format_bytes(sum(sizes.values()))} in {cache.folder}{kinds and ': '}{kinds}")
    return 0


def _cache_verify(cache: "CacheFolder") -> int:
    damages = {name: cache.damage(name) for name in cache.names()}
    if not damages:
        print(f"no images in {cache.folder}")
    for name, damage in damages.items():
        print(f"{name}  {'good' if damage is None else f'damaged: {damage}'}")
    damaged = sum(damage is not None for damage in damages.values())
    if damaged:
        print(
            f"{damaged} of {len(damages)} are damaged; type cache.verify=full for the next run, "
            "which sets them aside and builds them anew, or "
            f"python -m dualgaf cache clear cache.dir={cache.folder}"
        )
    return 1 if damaged else 0


def _cache_clear(cache: "CacheFolder") -> int:
    from dualgaf.machine import format_bytes

    freed, left = cache.clear()
    print(f"{format_bytes(freed)} freed in {cache.folder}")
    for path in left:
        print(f"{path.name} is in use or cannot be removed, and stays", file=sys.stderr)
    return 0


def _preview(options: argparse.Namespace) -> int:
    from dualgaf.command_line import load_config, make_data
    from dualgaf.preview import save_preview

    channels = [name for name in options.channels.split(",") if name]
    data = make_data(load_config(options.overrides))
    path = options.output or Path("preview.png")
    title = save_preview(data, path, window=options.window, channels=channels)
    print(f"{path}: {title}")
    return 0


def _bench(options: argparse.Namespace) -> int:
    from dualgaf.bench import BenchSize, dropped_ratios, kept_ratios, run_bench, update_ratios

    suite = " ".join(options.overrides) or "build"
    size = BenchSize(
        options.n_windows,
        options.n_channels,
        options.window_size,
        options.repeats,
        options.earlier_repeats,
        options.memory,
    )
    if options.output and options.output.suffix != ".json":
        raise ConfigError(f"--output {options.output} is not JSON; type --output {suite}.json")
    kept = kept_ratios(options.check, suite, size) if options.check else {}
    result = run_bench(suite, size, progress=lambda line: print(line, file=sys.stderr))
    print(result)
    if options.output:
        result.save(options.output)
    if options.update:
        update_ratios(options.update, result)
    dropped = dropped_ratios(kept, result)
    for line in dropped:
        print(f"dropped: {line}", file=sys.stderr)
    return 1 if dropped else 0


def _train(arguments: list[str]) -> int:
    from dualgaf.training import main as train_main

    sys.argv = [sys.argv[0], *arguments]
    train_main()
    return 0


COMMANDS = {"doctor": _doctor, "plan": _plan, "cache": _cache, "preview": _preview, "bench": _bench}
HELP = (
    "doctor: what this machine offers, and what would make it faster;",
    "plan: what a build would take and where it would go;",
    "cache list, verify (every byte; exit status 1 for damage) or clear (all of it, asks nothing): "
    "what is kept in cache.dir=FOLDER;",
    "preview: a picture of a window with its GASF and GADF;",
    "bench build, cold, memory, scaling or sweep: what the build reaches here, beside its limits;",
    "train: train.py for an installed wheel",
)

if __name__ == "__main__":
    sys.exit(main())
