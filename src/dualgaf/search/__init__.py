"""A search for better settings: trials by Optuna, images of all of them built once.

A study is a journal, one file, and beside it a folder of runs. Whatever happens to a process, the
journal says what is done, and the same command goes on.
"""

from dualgaf.errors import DependencyError

try:
    import optuna  # noqa: F401
except ImportError as error:
    raise DependencyError(
        'a search needs optuna, which is not installed; type pip install "dualgaf[tune]"'
    ) from error
