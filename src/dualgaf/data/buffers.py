"""`ImageBuffers`: memory for float32 images that is used again once nobody holds a batch.

A batch of images is tens of megabytes. In new memory its pages come one by one, zeroed, from the
operating system, which takes several times as long as filling it. Overwriting the memory of the
batch before would be as fast, and would change batches that a user keeps. So it goes by lifetime:

1. `take` hands out a tensor over a kept block, or over a new one where none fits;
2. all that shares the tensor's memory keeps the block in use: views, arrays made of it, what
   autograd saved;
3. when the last of them is gone, the block is free again.

No lock is needed, and none may be taken: the garbage collector can run step 3 in the middle of
step 1. A deque is safe without.
"""

import os
import weakref
from collections import deque
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[Any]

KEPT = 4
"""Free blocks that are kept: two fields of two batches, the one in use and the one being made."""
ROOM = 2
"""A block serves what takes at least one part in this many of it: the last, shorter batch of an
epoch often fits, and a small batch that is kept holds no large block."""


class ImageBuffers:
    """Recycled tensors; safe to share between threads.

    A pickled copy is an empty one, and a forked process starts with an empty one.

    Example:
        >>> buffers = ImageBuffers()
        >>> first = buffers.take((2, 3))
        >>> address = first.data_ptr()
        >>> buffers.take((2, 3)).data_ptr() == address
        False
        >>> del first
        >>> buffers.take((2, 3)).data_ptr() == address
        True
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Let go of the free blocks; those in use are freed when their last user is gone."""
        self._free: deque[Array] = deque(maxlen=KEPT)
        self._pid = os.getpid()

    def take(self, shape: tuple[int, ...]) -> Tensor:
        """A float32 CPU tensor of this shape that is nobody else's, with any values in it."""
        if self._pid != os.getpid():
            self.clear()
        n_pixels = prod(shape)
        block = self._fitting(n_pixels)
        if block is None:
            block = np.empty(n_pixels, dtype=np.float32)
        array = block[:n_pixels].reshape(shape)
        # Only the tensor's storage holds this very array: an array that others make of the tensor
        # refers to the tensor, one made of this array would refer to the block.
        weakref.finalize(array, _give_back, weakref.ref(self._free), block).atexit = False
        return torch.from_numpy(array)

    def _fitting(self, n_pixels: int) -> Array | None:
        passed = []
        found = None
        for _ in range(KEPT):
            try:
                block = self._free.pop()
            except IndexError:  # empty, or another thread was quicker
                break
            if n_pixels <= block.size <= ROOM * n_pixels:
                found = block
                break
            passed.append(block)
        self._free.extend(reversed(passed))
        return found

    def __reduce__(self) -> tuple[type["ImageBuffers"], tuple[()]]:
        return ImageBuffers, ()


def _give_back(free: "weakref.ref[deque[Array]]", block: Array) -> None:
    blocks = free()
    if blocks is not None:  # else cleared meanwhile
        blocks.append(block)
