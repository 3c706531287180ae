"""The kernels to use: numba's where numba can be imported, else NumPy's, with the same bytes.

numba keeps compiled code beside the package, else in the user's home folder. Where it can write
neither, this process and its workers get a folder of their own, so they compile once a run.
"""

import atexit
import os
import shutil
import tempfile
from importlib import import_module
from pathlib import Path
from types import ModuleType

_OWN_FOLDER = "dualgaf-kernels-"


def _fastest(compiled: str, reference: str) -> ModuleType:
    try:
        return import_module(f"dualgaf.imaging.{compiled}")
    except ImportError:  # numba trails new Pythons by months
        return import_module(f"dualgaf.imaging.{reference}")
    except RuntimeError:  # numba: no locator available
        _compile_into(tempfile.mkdtemp(prefix=_OWN_FOLDER))
        return import_module(f"dualgaf.imaging.{compiled}")


def _compile_into(folder: str) -> None:
    import numba

    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = numba.config.CACHE_DIR = folder


kernel = _fastest("kernel", "reference")
gather_kernel = _fastest("gather_kernel", "gather_reference")


def kernel_folder() -> Path | None:
    """Where compiled kernels are kept for later runs; None without numba, or without a folder."""
    if kernel.__name__.endswith("reference"):
        return None
    folder = Path(kernel.render.stats.cache_path)
    return None if folder.parent.name.startswith(_OWN_FOLDER) else folder
