"""Attribution: which hour of which signal speaks for a class.

What is explained is how likely the class is against all others, the log odds
``y_c - log sum_(k != c) exp y_k`` of the logits y. ``method="integrated"``, integrated gradients
(Sundararajan et al.): each pixel X of both fields, and each step X of the series that the
statistics branch reads, gets

    X * integral over a from 0 to 1 of d odds(a X) / d (a X)

what it adds to the log odds on the way from images of zeros (no angle is told) and a series at the
mean of the training split to this window. All of them together are the difference of the log odds
at the two ends. ``method="grad_cam"`` is the older and coarser one, see
`dualgaf.inference.grad_cam`; the series then get X d odds / dX.

From pixels to hours:

1. Row i and column i of a GAF are the same time, so segment i of a signal gets
   ``(sum of row i + sum of column i) / 2``, over both fields.
2. A segment of PAA gives each of its steps an equal part, so all sums are kept.
3. Steps that spoke against the class get 0.

What images and statistics say is explained, `DualGAFNet.by_images`. The MiniRocket branch and the
forest count in which class is predicted; what they read is in no image. `Explanation.members` says
what part of the probability comes from each: where that of the images is small, so is what their
hours explain.

The statistics branch sees no times: what it added is kept apart, signal by signal. Where
`Explanation.statistics_fraction` is large, the hours are the smaller part of the reasons.

Which method to believe was tried on windows where 12 of the 64 steps of one of three signals tell
the classes apart (those of tests/inference/test_attribution.py; both arrangements, three seeds; all
networks were right in all windows). The most relevant step of all was of that signal and in that
place, two steps wider at either end, in 50 to 100 % of the windows with ``integrated``, 76 % on
average, and in 12 to 50 % with ``grad_cam``, 29 % on average; by chance it is in 8 %. (That was
with ``extractor=large_kernel``. With ``diagonal`` and steps that tell by their pace ``integrated``
put the most relevant steps on that signal in 53 to 100 % of the windows, and in the place in 50 to
63 %: seven trainings on two machines.)

Sources: Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", ICML 2017; Selvaraju
et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization", ICCV
2017.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dualgaf.errors import ConfigError, SeriesError, unknown_choice
from dualgaf.inference.grad_cam import grad_cam
from dualgaf.models.eval_mode import eval_mode
from dualgaf.models.net import DualGAFNet

Array = npt.NDArray[Any]
Score = Callable[[Tensor], Tensor]

METHODS = ("integrated", "grad_cam")
"""What ``method=`` may name."""
N_POINTS = 32
"""Points of the integral. They lie closer near zero: layers that normalise make a network change
most there. With the default width of the network the sum is then right to 1 %."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """Attribution of a class, in each window of a batch; made by `explain`.

    Example:
        >>> net = DualGAFNet(n_channels=3, num_classes=4)
        >>> image, series = torch.zeros(2, 3, 24, 24), torch.randn(2, 3, 48)
        >>> found = explain(net, image, image, series)
        >>> found.steps.shape, found.statistics_fraction.shape
        (torch.Size([2, 3, 48]), torch.Size([2]))
    """

    classes: Tensor
    """(B,) int64: the class that is explained."""
    probabilities: Tensor
    """(B, K) of all classes."""
    maps: Tensor
    """(B, 2, C, S, S): what each pixel adds to the log odds; field 0 GASF, 1 GADF. Below 0 it spoke
    against the class; ``grad_cam`` gives no such values."""
    steps: Tensor
    """(B, C, T), 0 or more: what each step of each signal added by way of the images."""
    statistics: Tensor
    """(B, C): what each signal added by way of the statistics branch; zeros without one."""
    members: dict[str, Tensor]
    """(B,) each: part of the class's probability that comes from a member of the ensemble,
    ``images``, ``kernels`` or ``forest``. They add up to 1."""

    @property
    def statistics_fraction(self) -> Tensor:
        """(B,) in [0, 1]: fraction of the statistics in all relevance for the class."""
        own = self.statistics.relu().sum(dim=1)
        total = own + self.steps.sum(dim=(1, 2))
        return torch.where(total > 0, own / total, torch.zeros_like(total))


@dataclass(frozen=True)
class TopInterval:
    """Where the relevance of a signal is densest."""

    channel: int
    """Number of the signal."""
    first: int
    """First step of the shortest run of steps that holds half of the signal's relevance."""
    last: int
    """Its last step."""
    fraction: float
    """Its fraction of the relevance of all signals."""


def explain(
    net: DualGAFNet,
    gasf: Tensor,
    gadf: Tensor,
    series: Tensor | None = None,
    classes: Tensor | None = None,
    method: str = "integrated",
) -> Explanation:
    """What each pixel and each step added to a class.

    Args:
        net: the network, ``classifier.net`` of a `DualGAFClassifier`. It is left as it was.
        gasf: (B, C, S, S), as for the network.
        gadf: likewise.
        series: (B, C, T); without it T is taken to be S.
        classes: (B,) int64 to explain; the predicted ones where left out.
        method: ``integrated`` or ``grad_cam``.

    Returns:
        The relevance, on the device of the images.

    Raises:
        SeriesError: a shape does not fit, or there is no such class.
        ConfigError: there is no such method.

    Example:
        >>> net = DualGAFNet(n_channels=3, num_classes=2)
        >>> image, series = torch.rand(1, 3, 24, 24), torch.rand(1, 3, 48)
        >>> found = explain(net, image, image, series)
        >>> found.maps.shape, found.steps.shape
        (torch.Size([1, 2, 3, 24, 24]), torch.Size([1, 3, 48]))
    """
    if method not in METHODS:
        raise ConfigError(unknown_choice("method", method, METHODS))
    with eval_mode(net), torch.inference_mode(False), torch.enable_grad():
        given = [x.detach().clone() for x in (gasf, gadf, series) if x is not None]
        with torch.no_grad():
            images = net.by_images(*given)
            found = {"images": torch.softmax(images, dim=1)}
            if series is not None:
                found = net.contributions(images, given[2])
            likely = torch.stack(list(found.values())).sum(dim=0)
        chosen = likely.argmax(dim=1) if classes is None else _checked(classes, likely)
        score = partial(log_odds, classes=chosen)
        maps, added = _relevance(net, given, score, method)
    nothing = torch.zeros_like(maps[:, 0, :, 0, 0])
    by_statistics = nothing if series is None else added[2].sum(dim=-1)
    n_steps = gasf.shape[-1] if series is None else series.shape[-1]
    return Explanation(
        classes=chosen,
        probabilities=likely,
        maps=maps,
        steps=step_relevance(maps, n_steps).relu(),
        statistics=by_statistics,
        members=_parts(found, chosen),
    )


def _relevance(
    net: DualGAFNet, given: list[Tensor], score: Score, method: str
) -> tuple[Tensor, list[Tensor]]:
    """Of the pixels of both images, (B, 2, C, S, S), and what each number of each input added."""
    if method == "integrated":
        added = _integrated(net, given, score)
        return torch.stack(added[:2], dim=1), added
    window = given[2] if len(given) > 2 else None
    maps = grad_cam(net, (given[0], given[1]), window, score)
    return maps, [x * g for x, g in zip(given, _gradients(net, given, score), strict=True)]


def _parts(found: dict[str, Tensor], classes: Tensor) -> dict[str, Tensor]:
    """What members add to all classes, (B, K) each -> parts of that of one class, (B,) each."""
    own = {name: added.gather(1, classes[:, None])[:, 0] for name, added in found.items()}
    total = torch.stack(list(own.values())).sum(dim=0).clamp(min=1e-30)
    return {name: added / total for name, added in own.items()}


def log_odds(logits: Tensor, classes: Tensor) -> Tensor:
    """Log odds of one class of each window: (B, K), (B,) -> (B,).

    Example:
        >>> log_odds(torch.tensor([[2.0, 0.5]]), torch.tensor([0]))
        tensor([1.5000])
    """
    column = classes[:, None]
    others = logits.scatter(1, column, -torch.inf).logsumexp(dim=1)
    return logits.gather(1, column)[:, 0] - others


def step_relevance(maps: Tensor, window_size: int) -> Tensor:
    """Relevance of pixels -> relevance of steps; the sum stays.

    A pixel is spread over its part of the time axis. The steps that it averages are one more or
    one less where S does not divide T; over these the picture would have stripes.

    Args:
        maps: (B, 2, C, S, S).
        window_size: T, steps of a window, S or more.

    Returns:
        (B, C, T).

    Example:
        >>> maps = torch.zeros(1, 2, 1, 2, 2)
        >>> maps[0, 0, 0] = torch.tensor([[4.0, 2.0], [0.0, 0.0]])
        >>> step_relevance(maps, 4).tolist()
        [[[2.5, 2.5, 0.5, 0.5]]]
    """
    segments = (maps.sum(dim=-1) + maps.sum(dim=-2)).sum(dim=1) / 2  # (B, C, S)
    side = maps.shape[-1]
    edges = torch.arange(side + 1, dtype=torch.float64)[:, None] * (window_size / side)
    steps = torch.arange(window_size)
    shared = torch.minimum(edges[1:], steps + 1) - torch.maximum(edges[:-1], steps)  # (S, T)
    return segments @ (shared.clamp(min=0) * (side / window_size)).to(segments)


def top_intervals(steps: Tensor) -> list[TopInterval]:
    """Where the relevance of each signal is densest, the most relevant signal first.

    Args:
        steps: (C, T) relevance, 0 or more.

    Returns:
        An entry a signal; signals without relevance are left out.

    Example:
        >>> top_intervals(torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 3.0, 0.0]]))
        [TopInterval(channel=1, first=2, last=2, fraction=1.0)]
    """
    values = steps.double().cpu().numpy()
    total = values.sum()
    found = [
        TopInterval(channel, *_shortest_half(signal), fraction=float(signal.sum() / total))
        for channel, signal in enumerate(values)
        if signal.sum() > 0
    ]
    return sorted(found, key=lambda found: -found.fraction)


def _integrated(net: DualGAFNet, given: list[Tensor], score: Score) -> list[Tensor]:
    """What each value of the images, and of the series where there are, adds to the score."""
    sums = [torch.zeros_like(x) for x in given]
    for number in range(N_POINTS):
        # a = u^3, at the middle of equal parts of u; each part counts by its length in a
        middle = ((number + 0.5) / N_POINTS) ** 3
        length = ((number + 1) ** 3 - number**3) / N_POINTS**3
        gradients = _gradients(net, [middle * x for x in given], score)
        for total, gradient in zip(sums, gradients, strict=True):
            total += gradient * length
    return [total * x for total, x in zip(sums, given, strict=True)]


def _gradients(net: DualGAFNet, given: list[Tensor], score: Score) -> list[Tensor]:
    """Gradient of the score by each of the inputs; zeros for one that is not used."""
    leaves = [x.detach().requires_grad_() for x in given]
    found = torch.autograd.grad(score(net.by_images(*leaves)).sum(), leaves, allow_unused=True)
    return [
        torch.zeros_like(leaf) if gradient is None else gradient
        for leaf, gradient in zip(leaves, found, strict=True)
    ]


def _checked(classes: Tensor, logits: Tensor) -> Tensor:
    n_windows, n_classes = logits.shape
    fits = classes.shape == (n_windows,) and not classes.is_floating_point()
    if not fits or classes.min() < 0 or classes.max() >= n_classes:
        raise SeriesError(
            f"classes are {classes.tolist()}; needed: one for each of {n_windows} windows, from 0 "
            f"to {n_classes - 1}"
        )
    return classes.to(logits.device)


def _shortest_half(signal: Array) -> tuple[int, int]:
    """First and last step of the shortest run that holds half of the sum; the first of several."""
    reached = np.concatenate([[0.0], np.cumsum(signal)])
    half = reached[-1] / 2
    # A little less than half, as sums are rounded: of two equal halves either is one.
    ends = np.searchsorted(reached, reached[:-1] + half * (1 - 1e-9))
    lengths = np.where(ends < len(reached), ends - np.arange(len(signal)), len(signal))
    first = int(lengths.argmin())
    return first, int(ends[first]) - 1
