"""The lower bounds of pyproject.toml as a constraints file: `make minimum` installs them.

    python .ci/lower_bounds.py > FILE

torch is left out, for its older wheels bring CUDA: whatever version is there stays.
"""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

NOT_LOWERED = ("torch",)
PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def lower_bounds(text: str) -> list[str]:
    """``name==version`` for each hard dependency that states ``>=``, in the order of the file."""
    found = []
    for line in tomllib.loads(text)["project"]["dependencies"]:
        needed = Requirement(line)
        versions = [each.version for each in needed.specifier if each.operator == ">="]
        if versions and needed.name not in NOT_LOWERED:
            found.append(f"{needed.name}=={versions[0]}")
    return found


if __name__ == "__main__":
    print("\n".join(lower_bounds(PROJECT.read_text())))
