"""`Constants`: tensors of a module that are neither weights nor buffers."""

from collections.abc import Callable
from typing import Self

from torch import Tensor, nn


class Constants(nn.Module):
    """A module whose tensors follow it to a device, and nowhere else.

    What averages weights or sends buffers to other ranks takes them to have the same shape before
    and after a training. Trees have not, and an average of the numbers of nodes is no node. So they
    are plain attributes, and a checkpoint has them as one tensor, the extra state of the branch.

    Example:
        >>> import torch
        >>> held = Constants()
        >>> held.numbers = torch.ones(2)
        >>> held.double().numbers.dtype, len(held.state_dict())
        (torch.float64, 0)
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, value in list(vars(self).items()):
            if isinstance(value, Tensor):
                setattr(self, name, fn(value))
        return self
