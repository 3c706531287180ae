"""Which of several machines this one is, by the variables of who has started the program."""

import os

_STARTERS = (
    ("GROUP_RANK", "GROUP_WORLD_SIZE"),
    ("SLURM_NODEID", "SLURM_STEP_NUM_NODES"),
)
"""Number of this machine and how many there are: of torchrun, and of a step of SLURM (``srun``). A
torchrun that srun has started tells the same, so the first pair that is there counts."""


def node_of_environment() -> tuple[int, int]:
    """Number of this machine, from 0 on, and how many there are; (0, 1) where nobody tells.

    Example:
        >>> import unittest.mock
        >>> told = {"GROUP_RANK": "1", "GROUP_WORLD_SIZE": "2"}
        >>> with unittest.mock.patch.dict(os.environ, told):
        ...     node_of_environment()
        (1, 2)
    """
    for number, count in _STARTERS:
        told = os.environ.get(number, ""), os.environ.get(count, "")
        if all(text.isdecimal() for text in told) and int(told[0]) < int(told[1]):
            return int(told[0]), int(told[1])
    return 0, 1
