"""`python -m dualgaf cache`: what is kept in ``cache.dir=FOLDER``."""

import argparse
import sys
from pathlib import Path

from dualgaf.errors import ConfigError, unknown_choice
from dualgaf.store.cache_folder import CacheFolder
from dualgaf.system.machine import format_bytes

HELP = (
    "list, verify (every byte; exit status 1 for damage) or clear (all of it, asks nothing) what "
    "is kept in cache.dir=FOLDER"
)
EXAMPLES = ("python -m dualgaf cache list cache.dir=FOLDER      # or verify, or clear",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("action", nargs="?", default="", help="list, verify or clear")
    parser.add_argument("overrides", nargs="*", help="cache.dir=FOLDER")


def run(options: argparse.Namespace) -> int:
    """Do what was asked to the folder."""
    from dualgaf.training.config import load_config

    does = {"list": _list, "verify": _verify, "clear": _clear}
    if options.action not in does:
        raise ConfigError(unknown_choice("cache", options.action, does, instead="cache list"))
    folder = load_config(options.overrides).cache.dir
    if folder is None:
        raise ConfigError(f"which cache? type: cache {options.action} cache.dir=FOLDER")
    cache = CacheFolder(Path(folder))
    try:
        next(cache.folder.iterdir(), None)
    except OSError as error:
        raise ConfigError(f"cache.dir={folder} cannot be read: {error.strerror}") from error
    return does[options.action](cache)


def _list(cache: CacheFolder) -> int:
    for name in cache.names():
        print(f"{name}  {cache.describe(name)}")
    for name, (there, windows) in cache.unfinished().items():
        print(f"{name}  cut off or at work: {there} of {windows} windows are there")
    sizes = cache.sizes()
    kinds = ", ".join(f"{kind} {format_bytes(size)}" for kind, size in sizes.items() if size)
    print(f"{format_bytes(sum(sizes.values()))} in {cache.folder}{kinds and ': '}{kinds}")
    return 0


def _verify(cache: CacheFolder) -> int:
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


def _clear(cache: CacheFolder) -> int:
    freed, left = cache.clear()
    print(f"{format_bytes(freed)} freed in {cache.folder}")
    for path in left:
        print(f"{path.name} is in use or cannot be removed, and stays", file=sys.stderr)
    return 0
