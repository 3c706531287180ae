"""Grad-CAM on the extractors of both fields, or on the one that sees both.

For each extractor and a score y of a class:

1. Take a feature map A (F, h, w) of the extractor: the last one that is not too coarse to tell
   times apart (`MAP_SIDE`), or the image itself where the extractor makes no map.
2. With the gradient g = dy / dA, the relevance of a position is ``relu(sum_k g_k A_k)``. Where a
   network averages its last map over all positions, g is the same everywhere, and this is the map
   of Selvaraju et al. but for its scale. Our extractors average over cells, so that places differ;
   then g must not be averaged over the whole map (Draelos and Carin).
3. Bilinear interpolation to S x S; the sum stays what it was.
4. An extractor that sees one image at a time gives a map for each. One that sees several at once
   (``arrangement=stacked``, ``fusion=early``) gives one map for all of them; each of its positions
   is then dealt out to the images by their weights of ``|dy / dX * X|`` in the part of the image X
   that belongs to it (the guided Grad-CAM of the paper combines the two likewise).

Sources: Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based
localization", ICCV 2017; Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful
explanations of convolutional neural networks", arXiv:2011.08891 (2020).
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dualgaf.models.net import DualGAFNet
from dualgaf.models.signal_groups import GroupedExtractor

MAP_SIDE = 8
"""A feature map of fewer positions a side is passed over for an earlier one, unless the image has
fewer than four times as many: 3 x 3 positions tell thirds of a window apart, and no hours."""


def grad_cam(
    net: DualGAFNet,
    images: tuple[Tensor, Tensor],
    series: Tensor | None,
    score: Callable[[Tensor], Tensor],
) -> Tensor:
    """Maps of one class for each window.

    Args:
        net: the network, eval_mode.
        images: GASF and GADF, each (B, C, S, S).
        series: (B, C, T), where the network uses it.
        score: logits (B, K) -> (B,), what is explained.

    Returns:
        (B, 2, C, S, S), 0 or more; zeros for a field that is not used.

    Example:
        >>> net = DualGAFNet(3, 2, use_statistics=False, use_minirocket=False, use_forest=False)
        >>> image = torch.rand(1, 3, 24, 24)
        >>> grad_cam(net, (image, image), None, lambda logits: logits[:, 0]).shape
        torch.Size([1, 2, 3, 24, 24])
    """
    # Clones: what an inference mode made can be given no gradient.
    leaves = [image.detach().clone().requires_grad_() for image in images]
    taps = _taps(net)
    with ExitStack() as stack:
        for tap in taps:
            stack.enter_context(tap)
        scores = score(net.by_images(leaves[0], leaves[1], series))
    wanted = [*leaves, *(tap.map for tap in taps)]
    gradients = torch.autograd.grad(scores.sum(), wanted, allow_unused=True)
    attributed = [
        torch.zeros_like(values) if gradient is None else (gradient * values).detach()
        for gradient, values in zip(gradients, wanted, strict=True)
    ]
    maps = torch.stack([torch.zeros_like(image) for image in images], dim=1)
    for tap, product in zip(taps, attributed[2:], strict=True):
        of_pixels = torch.stack([attributed[field][:, tap.channels] for field in tap.fields], dim=2)
        found = tap.relevance(product, of_pixels)
        for number, field in enumerate(tap.fields):
            maps[:, field, tap.channels] = found[:, :, number]
    return maps


class _Tap:
    """Keeps the feature map of one extractor, while the block runs.

    Args:
        extractor: the module.
        fields: those that it sees, 0 GASF, 1 GADF.
        channels: the signals that pass through it.
    """

    def __init__(
        self, extractor: nn.Module, fields: Sequence[int], channels: Sequence[int]
    ) -> None:
        self.fields = list(fields)
        self.channels = list(channels)
        self.map = torch.empty(0)
        self._extractor = extractor
        self._least = 0

    def __enter__(self) -> Self:
        inner = (part for part in self._extractor.modules() if part is not self._extractor)
        self._handles = [
            self._extractor.register_forward_pre_hook(self._begin),
            *(part.register_forward_hook(self._keep) for part in inner),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _begin(self, module: nn.Module, given: tuple[Tensor, ...]) -> None:
        self.map = given[0]
        self._least = min(MAP_SIDE, given[0].shape[-1] // 4)

    def _keep(self, module: nn.Module, given: tuple[Any, ...], result: object) -> None:
        if (
            isinstance(result, Tensor)
            and result.ndim == 4
            and len(result) == len(self.map)
            and min(result.shape[-2:]) >= self._least
            and result.requires_grad
        ):
            self.map = result

    def relevance(self, product: Tensor, of_pixels: Tensor) -> Tensor:
        """Maps of the images that pass here.

        Args:
            product: (N, F, h, w) gradient times feature map; N = B G for signals one by one, else
                B.
            of_pixels: (B, G, fields, S, S) gradient times image.

        Returns:
            (B, G, fields, S, S).
        """
        found = product.sum(dim=1, keepdim=True).relu()  # (N, 1, h, w)
        height, width = found.shape[-2:]
        side = of_pixels.shape[-1]
        together = of_pixels.reshape(len(found), -1, side, side)  # (N, images, S, S)
        weights = F.adaptive_avg_pool2d(together.abs(), (height, width))
        total = weights.sum(dim=1, keepdim=True)
        equal = torch.full_like(weights, 1 / together.shape[1])
        found = found * torch.where(total > 0, weights / total, equal)
        large = F.interpolate(found, side, mode="bilinear", align_corners=False)
        sums = large.sum(dim=(-2, -1), keepdim=True)
        kept = found.sum(dim=(-2, -1), keepdim=True)
        dealt = torch.where(sums > 0, large * (kept / sums), torch.zeros_like(large))
        return dealt.view(of_pixels.shape)


def _taps(net: DualGAFNet) -> list[_Tap]:
    taps = []
    seen = (((0,), net.gasf_extractor), ((1,), net.gadf_extractor), ((0, 1), net.joint_extractor))
    for fields, extractor in seen:
        if isinstance(extractor, GroupedExtractor):
            parts = zip(extractor.extractors, extractor.channels, strict=True)
            taps += [_Tap(part, fields, group) for part, group in parts]
        elif extractor is not None:
            taps.append(_Tap(extractor, fields, range(net.settings["n_channels"])))
    return taps
