"""Images on an accelerator: stored pixels read back, or angles drawn, in few torch operations.

`decode` reverses `dualgaf.imaging.packing` (levels and packed layout); `draw` is the formula of
`dualgaf.imaging.gaf` on cosine and sine. Both work in place on the memory of their results, which
torch's allocator for the device hands out again when a batch is gone. Values are float32 in
[-1, 1], the same to the last bit as those of `dualgaf.data.on_cpu`.
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
    if fields.ndim == 5:
        return _values(fields[:, 0]), _values(fields[:, 1])
    values = _values(fields)
    above = torch.ones(fields.shape[-2:], dtype=torch.bool, device=fields.device).triu()
    gasf = torch.where(above, values, values.mT)
    gadf = torch.where(above, 0.0 - values.mT, values)
    gadf.diagonal(dim1=-2, dim2=-1).zero_()
    return gasf, gadf


def _values(codes: Tensor) -> Tensor:
    n = _N_LEVELS.get(codes.dtype)
    # Dividing, not multiplying by 1 / n: the ends must come out as exactly -1 and 1.
    return codes.float() if n is None else codes.float().sub_(n + 1).div_(n)


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
    # Not addcmul: it may join the product and the sum into one rounding, and GADF would no longer
    # be exactly antisymmetric.
    product = s_i * s_j
    gasf = (x_i * x_j).sub_(product)
    gadf = (s_i * x_j).sub_(torch.mul(x_i, s_j, out=product))
    return gasf, gadf
