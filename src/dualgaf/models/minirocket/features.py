"""How often the window itself looks like each of 84 short patterns, at twelve widths in time.

A pattern is one of the 84 kernels of nine steps that MiniRocket uses: three steps weigh 2, the
others -1, so a level gives 0. At each dilation a kernel reads the sum of a few signals that are
drawn once, and gives `BIASES` numbers: the fraction of steps at which its response is above a bias.
Biases are responses to training windows. Nothing of it follows a gradient.

Of a window with a single signal, every second width reads the differences of neighbouring steps:
there is nothing else that kernels of nearly the same width could read. (MultiRocket reads both.)

Here the fraction is that of a sigmoid, not of a step: a response that is just below the bias counts
almost half.

Source: Dempster, Schmidt & Webb, "MiniRocket: a very fast (almost) deterministic transform for time
series classification", KDD 2021. Tan et al., "MultiRocket: multiple pooling operators and
transformations for fast and effective time series classification", 2022.

Windows on the CPU are read by a compiled kernel (`kernel`). What follows a gradient, is on another
device, or is exported or compiled by torch, is read by torch; both give the same to 1e-6.
"""

import itertools
import math
from functools import cache
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dualgaf.imaging.compiled import load
from dualgaf.imaging.threads import share_out
from dualgaf.models.plain_tensors import is_plain

LENGTH = 9
"""Steps of a kernel."""
TWOS = tuple(itertools.combinations(range(LENGTH), 3))
"""Of each kernel, the three steps that weigh 2."""
_TWOS = np.array(TWOS)
DILATIONS = 12
"""Widths in time: from steps side by side to a kernel as long as the window."""
BIASES = 4
"""Numbers of a kernel at each dilation."""
N_FEATURES = DILATIONS * len(TWOS) * BIASES
"""All numbers of a window, whatever its size."""
MOST_SIGNALS = 9
"""The most signals that a kernel reads."""
SOFTNESS = 0.05
"""Width of the sigmoid, in deviations of the kernel's responses."""
LEARNED_FROM = (200, 1 << 16)
"""The most windows, and the most steps of all of them, that biases are drawn from."""
WORTH_A_THREAD = 1 << 21
"""Fractions of how many steps a second thread is started for; one needs 0.5 ms for so many."""


@cache
def kernel() -> ModuleType:
    """`dualgaf.models.minirocket.kernel`, which numba compiles; loaded when it is first used.

    Raises:
        DependencyError: numba cannot be imported.
    """
    return load("dualgaf.models.minirocket.kernel")


def dilations(n_steps: int) -> list[int]:
    """`DILATIONS` distances of the steps of a kernel, for windows of so many steps.

    They rise evenly in the logarithm; a short window has some of them more than once, with other
    signals and biases.

    Example:
        >>> dilations(100)
        [1, 1, 1, 1, 2, 3, 3, 4, 6, 7, 9, 12]
    """
    widest = math.log2(max(1.0, (n_steps - 1) / (LENGTH - 1)))
    return [int(2 ** (widest * i / (DILATIONS - 1)) + 1e-9) for i in range(DILATIONS)]


class MiniRocketFeatures(nn.Module):
    """Windows (B, C, T) -> (B, `N_FEATURES`) fractions in [0, 1].

    Args:
        n_channels: signals C. Which of them a kernel reads is drawn from torch's generator.

    Example:
        >>> features = MiniRocketFeatures(3)
        >>> features.fit(torch.randn(10, 3, 50))
        >>> features(torch.randn(2, 3, 50)).shape
        torch.Size([2, 4032])
    """

    kernels: Tensor
    mixture: Tensor
    bias: Tensor
    width: Tensor

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        kernels = torch.full((len(TWOS), 1, LENGTH), -1.0)
        for kernel, twos in zip(kernels, TWOS, strict=True):
            kernel[0, list(twos)] = 2.0
        grid = (DILATIONS, len(TWOS))
        most = math.log2(min(n_channels, MOST_SIGNALS) + 1)
        n_read = (2 ** (torch.rand(*grid, 1) * most)).floor().clamp(1, n_channels)
        place = torch.rand(*grid, n_channels).argsort(dim=-1).argsort(dim=-1)
        self.register_buffer("kernels", kernels)
        # What each kernel reads: weights of the signals, (DILATIONS, 84, C).
        self.register_buffer("mixture", (place < n_read).float() / n_read.sqrt())
        self.register_buffer("bias", torch.zeros(*grid, BIASES))
        self.register_buffer("width", torch.ones(*grid))

    @torch.no_grad()
    def fit(self, series: Tensor) -> None:
        """Take biases and widths from training windows (N, C, T)."""
        windows, steps = LEARNED_FROM
        few = max(1, min(windows, steps // series.shape[-1]))
        if len(series) > few:
            series = series[torch.randperm(len(series))[:few]]
        for at, dilation in enumerate(dilations(series.shape[-1])):
            responses = self._responses(series, at, dilation)  # (N, 84, T)
            last = series.shape[0] * series.shape[-1] - 1
            ranks = (torch.rand(len(TWOS), BIASES, device=series.device) * last).long()
            for kernel, rank in enumerate(ranks.cpu()):
                # NumPy sorts in a quarter of the time that torch takes.
                found = np.sort(responses[:, kernel].cpu().numpy(), axis=None)
                ordered = torch.from_numpy(found)
                self.bias[at, kernel] = ordered[rank]
                self.width[at, kernel] = SOFTNESS * ordered.std(correction=0) + 1e-6

    def forward(self, series: Tensor) -> Tensor:
        """(B, C, T) -> (B, N_FEATURES)."""
        if is_plain(series, self.mixture, self.bias):
            return self._counted(series)
        found = []
        for at, dilation in enumerate(dilations(series.shape[-1])):
            width = self.width[at, :, None]
            responses = self._responses(series, at, dilation) / width  # (B, 84, T)
            bias = self.bias[at] / width  # (84, BIASES)
            for which in range(BIASES):
                # Not in place: torch's exporter to ONNX takes much longer for that.
                above = torch.sigmoid(responses - bias[:, which, None])
                found.append(above.mean(dim=-1))
        return torch.cat(found, dim=1)

    def _counted(self, series: Tensor) -> Tensor:
        """What `forward` gives, by the compiled kernel."""
        n_windows, n_channels, n_steps = series.shape
        widths = np.array(dilations(n_steps))
        differs = (np.arange(len(widths)) % 2 == 1) & (n_channels == 1)
        fixed = (self.mixture, self.bias, self.width)
        mixture, bias, width = (tensor.contiguous().numpy() for tensor in fixed)
        read = series.detach().contiguous().numpy()
        out = np.empty((n_windows, len(widths), bias.shape[2], len(TWOS)), dtype=np.float32)

        def work(part: slice) -> None:
            kernel().fractions(read[part], widths, differs, _TWOS, mixture, bias, width, out[part])

        small = out.size * n_steps < WORTH_A_THREAD
        share_out(work, n_windows, 1 if small else torch.get_num_threads())
        return torch.from_numpy(out).flatten(1)

    def _responses(self, series: Tensor, at: int, dilation: int) -> Tensor:
        """(B, C, T) -> (B, 84, T): what each kernel gives at each step."""
        if series.shape[1] == 1 and at % 2:
            series = torch.diff(series, dim=-1, prepend=series[..., :1])
        reach = dilation * (LENGTH // 2)
        if (
            series.shape[1] == 1
        ):  # one convolution of 84 outputs; 84 of one each take ten times as long
            weights = self.mixture[at, :, :, None] * self.kernels
            return F.conv1d(series, weights, padding=reach, dilation=dilation)
        read = torch.einsum("bct,kc->bkt", series, self.mixture[at])
        return F.conv1d(read, self.kernels, padding=reach, dilation=dilation, groups=len(TWOS))
