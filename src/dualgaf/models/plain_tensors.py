"""What a kernel outside of torch can read, for code that has one beside torch's own way."""

import torch
from torch import Tensor


def is_plain(*tensors: Tensor) -> bool:
    """Whether all are float32 on the CPU, no gradient follows them, and torch records nothing.

    It records while a program is exported or compiled: what is done outside of torch would be left
    out of it.

    Example:
        >>> is_plain(torch.ones(2)), is_plain(torch.ones(2, requires_grad=True))
        (True, False)
    """
    if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
        return False
    follows = torch.is_grad_enabled()
    return all(
        type(tensor) is Tensor
        and tensor.device.type == "cpu"
        and tensor.dtype == torch.float32
        and not (follows and tensor.requires_grad)
        for tensor in tensors
    )
