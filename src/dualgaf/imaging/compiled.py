"""The compiled kernels, imported once.

numba compiles them. It is a hard dependency: an import that fails is an error that says why and
what to type, never a slower build. It fails where numba and NumPy do not fit each other, say, for
numba refuses a NumPy that is newer than itself.

numba keeps compiled code beside the package, else in the user's home folder. Where it can write
neither, this process and its workers get a folder of their own, so they compile once a run.
"""

import atexit
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from dualgaf.errors import DependencyError

REINSTALL = "pip install --upgrade --force-reinstall numba"
"""It also brings the NumPy that the newest numba takes."""
_OWN_FOLDER = "dualgaf-kernels-"


@cache
def kernel() -> ModuleType:
    """`dualgaf.imaging.kernel`: what draws images.

    Raises:
        DependencyError: numba cannot be imported.
    """
    return load("dualgaf.imaging.kernel")


@cache
def gather_kernel() -> ModuleType:
    """`dualgaf.imaging.gather_kernel`: what makes batches of a store.

    Raises:
        DependencyError: numba cannot be imported.
    """
    return load("dualgaf.imaging.gather_kernel")


@cache
def bands_kernel() -> ModuleType:
    """`dualgaf.imaging.bands_kernel`: what draws a few diagonals.

    Raises:
        DependencyError: numba cannot be imported.
    """
    return load("dualgaf.imaging.bands_kernel")


def load(module: str) -> ModuleType:
    """A module of compiled kernels.

    Args:
        module: its full name.

    Raises:
        DependencyError: numba cannot be imported.
    """
    try:
        import_module("numba")
    except ImportError as error:
        raise DependencyError(
            f"numba, which compiles the kernels, cannot be imported: {error}; type {REINSTALL}"
        ) from error
    try:
        return import_module(module)
    except RuntimeError:  # numba: no locator available
        _compile_into(tempfile.mkdtemp(prefix=_OWN_FOLDER))
        return import_module(module)


def preload(load: Callable[[], ModuleType]) -> None:
    """Import a kernel now, for later there may be no open file left for it.

    Args:
        load: `kernel` or `gather_kernel`. What it would raise, it raises when it is used.
    """
    with contextlib.suppress(DependencyError):
        load()


def kernel_folder() -> Path | None:
    """Where compiled kernels are kept for later runs; None where there is no such folder.

    Raises:
        DependencyError: numba cannot be imported.
    """
    folder = Path(kernel().render.stats.cache_path)
    return None if folder.parent.name.startswith(_OWN_FOLDER) else folder


def _compile_into(folder: str) -> None:
    import numba

    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = numba.config.CACHE_DIR = folder
