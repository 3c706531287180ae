"""Images on whatever device the tensors are: reading stored pixels back, or drawing them.

`decode` reverses `dualgaf.imaging.packing` (levels and packed layout); `draw` is the formula of
`dualgaf.imaging.gaf` on cosine and sine. Both give float32 in [-1, 1].
"""

import torch
from torch import Tensor

from dualgaf.imaging.packing import LEVELS

_N_LEVELS = {torch.uint8: LEVELS["uint8"], torch.uint16: LEVELS["uint16"]}


def decode(fields: Tensor) -> tuple[Tensor, Tensor]:
    """GASF and GADF from rows of a store.

    Args:
        fields: (B, 2, C, S, S), or (B, C, S, S) when packed, in storage type.

    Returns:
        gasf and gadf, each (B, C, S, S) float32.

    Example:
        >>> gasf, gadf = decode(torch.tensor([[[[128, 255], [1, 128]]]], dtype=torch.uint8))
        >>> gasf.tolist(), gadf.tolist()
        ([[[[0.0, 1.0], [1.0, 0.0]]]], [[[[0.0, 1.0], [-1.0, 0.0]]]])
    """
    n = _N_LEVELS.get(fields.dtype)
    # Dividing, not multiplying by 1 / n: the ends must come out as exactly -1 and 1.
    values = fields.float() if n is None else fields.float().sub_(n + 1).div_(n)
    if fields.ndim == 5:
        return values[:, 0], values[:, 1]
    upper, lower = values.triu(), values.tril(-1)
    return upper + upper.triu(1).mT, lower - lower.mT


def draw(angles: Tensor) -> tuple[Tensor, Tensor]:
    """GASF and GADF from cosine and sine.

    Args:
        angles: (B, 2, C, S) float32: index 0 the cosine x, index 1 the sine s.

    Returns:
        gasf = x_i x_j - s_i s_j and gadf = s_i x_j - x_i s_j, each (B, C, S, S) float32.

    Example:
        >>> gasf, gadf = draw(torch.tensor([[[[-1.0, 0.0]], [[0.0, 1.0]]]]))
        >>> gasf[0, 0].diagonal().tolist(), gadf.tolist()
        ([1.0, -1.0], [[[[0.0, 1.0], [-1.0, 0.0]]]])
    """
    cosine, sine = angles[:, 0], angles[:, 1]
    x_i, x_j = cosine.unsqueeze(-1), cosine.unsqueeze(-2)
    s_i, s_j = sine.unsqueeze(-1), sine.unsqueeze(-2)
    return x_i * x_j - s_i * s_j, s_i * x_j - x_i * s_j
