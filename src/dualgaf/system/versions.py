"""Which versions of packages are installed."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """The version of each of these packages; one that is not installed is left out.

    That may be dualgaf itself, where it is imported from a path.

    Args:
        names: as a package index has them.

    Returns:
        Versions by name, in the order of the names.

    Example:
        >>> list(installed_versions(["numpy", "no-such-package"]))
        ['numpy']
    """
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
