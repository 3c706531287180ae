"""`drawn_from`: random numbers of a training step as a function of what the step is.

A training that goes on from a checkpoint has the generators of another process. So a step does not
go on with them: what it draws, for mixup, time warp and dropout, follows from one number of the
training, which the checkpoint keeps, from epoch, batch and rank. Nothing else in the process sees
it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

_STEP = 3
"""Drawn from first, so that no other random numbers are drawn from the same numbers."""


def new_seed() -> int:
    """A number for a training, from torch's generator: the same after the same `manual_seed`."""
    return int(torch.randint(1 << 31, ()))


@contextmanager
def drawn_from(numbers: Sequence[int], device: torch.device) -> Iterator[None]:
    """A block whose random numbers are a function of ``numbers``; after it all are as before.

    Args:
        numbers: whole numbers from 0 on.
        device: whose generator is meant, beside that of the CPU.

    Example:
        >>> before = torch.get_rng_state()
        >>> with drawn_from((1, 2), torch.device("cpu")):
        ...     one = torch.rand(3)
        >>> with drawn_from((1, 2), torch.device("cpu")):
        ...     torch.equal(torch.rand(3), one)
        True
        >>> torch.equal(torch.get_rng_state(), before)
        True
    """
    high, low = np.random.SeedSequence((_STEP, *numbers)).generate_state(2).tolist()
    generators = _generators(device)
    states = [generator.get_state() for generator in generators]
    for generator in generators:
        generator.manual_seed((high << 32) + low)
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


def _generators(device: torch.device) -> list[torch.Generator]:
    found = [torch.default_generator]
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        found.append(torch.cuda.default_generators[index])
    elif device.type == "mps":
        found.append(torch.mps._get_default_mps_generator())
    return found
