"""Messages of Python in the words of ``train.py``.

`DualGAFDataModule` calls its keyword ``image_size``; what is typed is ``datamodule.image_size``.
The configuration itself says which key a keyword comes from.
"""

import re
from functools import cache

import yaml

from dualgaf.plan.preset import conf_folder


def as_typed(text: str) -> str:
    """A message with keywords of the DataModule as they are typed on the command line.

    Example:
        >>> as_typed("image_size=1 is too small; type image_size=48")
        'datamodule.image_size=1 is too small; type datamodule.image_size=48'
    """
    names = _keys()
    known = "|".join(sorted(names, key=len, reverse=True))
    return re.sub(rf"(?<![\w.-])({known})(?==)", lambda found: names[found[1]], text)


@cache
def _keys() -> dict[str, str]:
    """Keywords of the DataModule by what is typed, such as ``cache_dir``: ``cache.dir``."""
    settings = yaml.safe_load((conf_folder() / "train.yaml").read_text())["datamodule"]
    found = {}
    for name, value in settings.items():
        link = re.fullmatch(r"\$\{([\w.]+)\}", str(value))
        found[name] = link[1] if link else f"datamodule.{name}"
    return {
        name: key for name, key in found.items() if name[0] != "_" and name not in ("source", key)
    }
