"""`python -m dualgaf`: doctor, plan, cache, preview, export, bench, train."""

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches
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
  python -m dualgaf preview --checkpoint RUN/checkpoints/best.ckpt --window 3 --output why.png
  python -m dualgaf export RUN/checkpoints/best.ckpt --output model.pt2
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
    options, unknown = parser.parse_known_intermixed_args(given)
    try:
        _refuse(unknown, parser)
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
    parser.add_argument(
        "--split", help="preview: train, val, test or predict (train; with --checkpoint: test)"
    )
    parser.add_argument("--channels", default="", help="preview: names, comma separated")
    parser.add_argument(
        "--checkpoint", type=Path, help="preview: also show what spoke for the class, by this model"
    )
    parser.add_argument(
        "--method", default="integrated", help="preview: how that is found, integrated or grad_cam"
    )
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
        "--output",
        type=Path,
        help="preview: picture (preview.png); export: program (model.pt2); bench: JSON file (none)",
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
    from dualgaf.command_line import load_config, load_run_config, make_data
    from dualgaf.preview import Shown, save_explanation, save_preview

    channels = [name for name in options.channels.split(",") if name]
    path = options.output or Path("preview.png")
    checkpoint = options.checkpoint
    split = options.split or ("train" if checkpoint is None else "test")
    shown = Shown(options.window, split, channels)
    if checkpoint is None:
        text = save_preview(make_data(load_config(options.overrides)), path, shown)
    else:
        from dualgaf.configured import trained_model
        from dualgaf.trained import read_imaging

        imaging = read_imaging(checkpoint)
        cfg = load_run_config(checkpoint, options.overrides)
        cfg.ckpt_path = str(checkpoint)
        model = trained_model(cfg)
        text = save_explanation(make_data(cfg), model, imaging, path, shown, options.method)
    print(f"{path}: {text}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from dualgaf.command_line import load_run_config
    from dualgaf.configured import trained_model
    from dualgaf.export import about, export_program
    from dualgaf.trained import read_imaging

    if not options.overrides or "=" in options.overrides[0]:
        raise ConfigError("which model? type: export RUN/checkpoints/best.ckpt --output model.pt2")
    checkpoint, path = Path(options.overrides[0]), options.output or Path("model.pt2")
    imaging = read_imaging(checkpoint)
    cfg = load_run_config(checkpoint, options.overrides[1:])
    cfg.ckpt_path = str(checkpoint)
    export_program(trained_model(cfg).net, imaging, path)
    told = about(imaging)
    print(f"{path}: takes {told['takes']}; gives {told['gives']}")
    print(
        "to use it:\n  import torch\n"
        f'  classify = torch.export.load("{path}").module()\n'
        "  probabilities = classify(windows)  # a tensor of raw windows, float64"
    )
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


def _refuse(unknown: list[str], parser: argparse.ArgumentParser) -> None:
    """Name the options that are allowed where one is not known."""
    if unknown:
        allowed = [name for name in parser._option_string_actions if name.startswith("--")]
        close = get_close_matches(unknown[0].split("=")[0], allowed, n=1, cutoff=0.0)[0]
        raise ConfigError(f"{unknown[0]} is not known; allowed: {', '.join(allowed)}; type {close}")


COMMANDS = {
    "doctor": _doctor,
    "plan": _plan,
    "cache": _cache,
    "preview": _preview,
    "export": _export,
    "bench": _bench,
}
HELP = (
    "doctor: what this machine offers, and what would make it faster;",
    "plan: what a build would take and where it would go;",
    "cache list, verify (every byte; exit status 1 for damage) or clear (all of it, asks nothing): "
    "what is kept in cache.dir=FOLDER;",
    "preview: a picture of a window with its GASF and GADF; with --checkpoint also which steps of "
    "which signals spoke for the class;",
    "export CHECKPOINT: the trained network with its imaging as a torch.export program;",
    "bench build, cold, memory, scaling or sweep: what the build reaches here, beside its limits;",
    "train: train.py for an installed wheel",
)

if __name__ == "__main__":
    sys.exit(main())
