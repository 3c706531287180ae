"""`DualGAFNet`: GASF and GADF images, and the window itself -> class logits.

1. Every signal's image goes through the extractor of its field: (B, C, S, S) -> (B, V, W). V is the
   number of signals; with ``arrangement=stacked`` signals go through it together and V is 1, or the
   number of groups.
2. The fusion makes one feature vector of the two fields': (B, V, W). With ``fusion=early`` both
   images go through one extractor instead.
3. The attention weighs the V vectors.
4. They are laid side by side, (B, V W); the statistics branch adds its embedding of the window,
   (B, W), or changes them by it.
5. The head gives the logits, (B, K).
6. Outside training, probabilities are an equal-weight ensemble with those of the MiniRocket branch
   and of the forest.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from dualgaf.errors import ConfigError, SeriesError, check_number, check_whole, unknown_choice
from dualgaf.models.attention import ATTENTIONS, build_attention
from dualgaf.models.backbone import ExtractorFactory, extractor_maker, qualified_name
from dualgaf.models.extractors.diagonals import SIDE, DiagonalExtractor, lag_pixels
from dualgaf.models.extractors.largest import Workload, choose_extractor
from dualgaf.models.forest.branch import ForestBranch
from dualgaf.models.fusion import EARLY, FUSIONS, build_fusion
from dualgaf.models.heads import HEADS, build_head
from dualgaf.models.minirocket.branch import MiniRocketBranch
from dualgaf.models.signal_groups import (
    ARRANGEMENTS,
    ExtractorMaker,
    GroupedExtractor,
    SignalGroup,
    all_groups,
    field_extractor,
    resolve_groups,
)
from dualgaf.models.statistics import KINDS, StatisticsBranch
from dualgaf.models.statistics_fusion import STATISTICS_FUSIONS, build_statistics_fusion
from dualgaf.plain import plain_settings
from dualgaf.renamed import refuses_old_keywords

FIELDS = ("both", "gasf", "gadf")
"""What ``fields=`` may name."""
CHOICES: dict[str, Collection[str]] = {
    "arrangement": ARRANGEMENTS,
    "fields": FIELDS,
    "fusion": (*FUSIONS, EARLY),
    "attention": ATTENTIONS,
    "head": HEADS,
    "statistics": KINDS,
    "statistics_fusion": STATISTICS_FUSIONS,
}
"""The closed lists; the extractor's is open."""

log = logging.getLogger(__name__)


class DualGAFNet(nn.Module):
    """Classifier of windows by their two Gramian angular fields.

    Args:
        n_channels: signals C of a window.
        num_classes: classes K.
        extractor: image -> features: a name in `EXTRACTORS`; ``auto``, which is ``diagonal`` for
            several signals and ``large_kernel`` for one; ``largest``, the costliest within
            ``budget_gflop`` (see `choose_extractor`); or a factory of your own, called with the
            number of input channels (see `Backbone`).
        arrangement: ``per_signal`` or ``stacked``, see `signal_groups`.
        groups: signals with an extractor of their own, see `resolve_groups`.
        fields: the images that are used: ``both``, ``gasf`` or ``gadf``.
        fusion: how the two fields are joined, a name in `FUSIONS`, or ``early``: both are input
            channels of one extractor. ``auto`` is ``early`` with ``diagonal``, else ``adaptive``.
        attention: how the signals are weighed, a name in `ATTENTIONS`; with ``stacked`` and no
            groups there is one vector, and nothing to weigh.
        head: features -> logits, a name in `HEADS`.
        use_statistics: also use statistics of the window, beside the images, in the regression of
            the MiniRocket branch and in the forest.
        statistics: which beside the images, a name in `KINDS`.
        statistics_fusion: how they are joined with the images, a name in `STATISTICS_FUSIONS`.
        use_minirocket: also read the window by fixed kernels, see `MiniRocketBranch`. They do not
            count before ``net.minirocket.fit``, which a `DualGAFClassifier` calls in training.
        use_forest: also read the window by extra trees, see `ForestBranch`. They do not count
            before ``net.forest.fit``, which a `DualGAFClassifier` calls in training.
        width: features of an extractor, W; a multiple of 8.
        dropout: fraction of features dropped in training.
        budget_gflop: 1e9 operations per window that ``extractor=largest`` may spend.
        image_size: S, where it is known; for ``largest`` and to try extractors of your own.
        channel_names: names of the signals; needed for groups by name.

    Raises:
        ConfigError: an option is unknown or a number is out of range.

    Example:
        >>> import torch
        >>> net = DualGAFNet(n_channels=6, num_classes=4)
        >>> image, series = torch.zeros(2, 6, 26, 26), torch.zeros(2, 6, 26)
        >>> net(image, image, series).shape
        torch.Size([2, 4])
    """

    @refuses_old_keywords("model")
    @plain_settings
    def __init__(
        self,
        n_channels: int,
        num_classes: int,
        *,
        extractor: str | ExtractorFactory | Mapping[str, str] = "auto",
        arrangement: str = "stacked",
        groups: Mapping[str, Any] | None = None,
        fields: str = "both",
        fusion: str = "auto",
        attention: str = "none",
        head: str = "mlp",
        use_statistics: bool = True,
        statistics: str = "basic",
        statistics_fusion: str = "concat",
        use_minirocket: bool = True,
        use_forest: bool = True,
        width: int = 64,
        dropout: float = 0.2,
        budget_gflop: float = 1.0,
        image_size: int | None = None,
        channel_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        _check_numbers(n_channels, num_classes, width, dropout)
        if extractor == "auto":
            extractor = "diagonal" if n_channels > 1 else "large_kernel"
        if fusion == "auto":
            fusion = EARLY if extractor == "diagonal" else "adaptive"
        choices: dict[str, Any] = {
            "arrangement": arrangement,
            "fields": fields,
            "fusion": fusion,
            "attention": attention,
            "head": head,
            "statistics": statistics,
            "statistics_fusion": statistics_fusion,
        }
        _check_choices(choices)
        named = resolve_groups(groups or {}, n_channels, channel_names)
        listed = all_groups(named, n_channels) if named else []
        self._settings: dict[str, Any] = {
            "n_channels": n_channels,
            "num_classes": num_classes,
            "extractor": qualified_name(extractor),
            "groups": {name: group.settings for name, group in named.items()} or None,
            **choices,
            "use_statistics": use_statistics,
            "use_minirocket": use_minirocket,
            "use_forest": use_forest,
            "width": width,
            "dropout": dropout,
            "image_size": image_size,
        }
        if extractor == "largest":
            extractor = _chosen(self._settings, listed, budget_gflop)
            self._settings["extractor"] = extractor
        self._build(extractor_maker(extractor, width, image_size), listed)

    @property
    def settings(self) -> dict[str, Any]:
        """The constructor's arguments as plain values: ``DualGAFNet(**net.settings)``.

        What ``auto`` and ``largest`` chose and the numbers of named signals stand there, so that a
        checkpoint needs neither. An extractor of your own is named only: it must be given again.
        """
        return dict(self._settings)

    def forward(
        self, gasf: Tensor, gadf: Tensor, series: Tensor | None = None, *, bands: bool = False
    ) -> Tensor:
        """Logits of a batch.

        Args:
            gasf: (B, C, S, S) float32 in [-1, 1].
            gadf: likewise.
            series: (B, C, T) float32, standardised; needed where ``use_statistics``,
                ``use_minirocket`` or ``use_forest`` is true.
            bands: gasf and gadf are the pixels that `read_pixels` names, (B, C, ...), alone.

        Returns:
            (B, K). While the network is in training mode, those of images and statistics alone.

        Raises:
            SeriesError: a shape does not fit, or ``series`` is missing.
        """
        logits = self.by_images(gasf, gadf, series, bands=bands)
        return logits if series is None or self.training else self.ensemble(logits, series)

    def ensemble(self, logits: Tensor, series: Tensor) -> Tensor:
        """Logits (B, K) of the images and windows (B, C, T) -> logits (B, K) of all members.

        The mean is of probabilities, not of logits: one that is sure and wrong cannot decide alone.
        """
        if not self.apart:
            return logits
        found = sum(self.contributions(logits, series).values())
        return torch.log(cast(Tensor, found).clamp(min=1e-12))

    def contributions(self, logits: Tensor, series: Tensor) -> dict[str, Tensor]:
        """What each member adds to the probabilities, (B, K) each: ``images`` and those `apart`.

        Example:
            >>> net, series = DualGAFNet(1, 2), torch.rand(6, 1, 24)
            >>> net.minirocket.fit(series, torch.arange(6) % 2)
            >>> net.forest.fit(series, torch.arange(6) % 2, others=2)
            >>> found = net.contributions(torch.zeros(6, 2), series)
            >>> {name: round(float(added.sum(dim=1)[0]), 3) for name, added in found.items()}
            {'images': 0.333, 'kernels': 0.333, 'forest': 0.333}
        """
        found = {"images": torch.softmax(logits.float(), dim=1)}
        for name, branch in self.apart.items():
            weight = branch.ensemble_weight
            found = {other: (1 - weight) * added for other, added in found.items()}
            found[name] = weight * torch.softmax(branch(series), dim=1)
        return found

    @property
    def apart(self) -> dict[str, MiniRocketBranch | ForestBranch]:
        """The branches that are learned apart from the images and before them: name -> branch."""
        branches = {"kernels": self.minirocket, "forest": self.forest}
        return {name: branch for name, branch in branches.items() if branch is not None}

    def read_pixels(
        self, gasf: Tensor, gadf: Tensor, series: Tensor | None
    ) -> tuple[Tensor, Tensor] | None:
        """Which pixels of each image of a batch are read; None where it may be any.

        Returns:
            Row and column of each, (L, S), where both fields go through one `DiagonalExtractor` and
            images are not made smaller before. A tenth of the pixels is enough then.

        Raises:
            SeriesError: as `forward`.
        """
        self._check_shapes(gasf, gadf, series)
        if not self.reads_diagonals(int(gasf.shape[-1])):
            return None
        row, column, _ = lag_pixels(int(gasf.shape[-1]), gasf.device)
        return row, column

    def reads_diagonals(self, side: int) -> bool:
        """Whether of images of S x S only the pixels of `LAGS` are read, by one extractor."""
        return isinstance(self.joint_extractor, DiagonalExtractor) and side <= SIDE

    def by_images(
        self, gasf: Tensor, gadf: Tensor, series: Tensor | None = None, *, bands: bool = False
    ) -> Tensor:
        """Logits (B, K) of images and statistics alone: what follows the gradient in training."""
        if not bands:
            self._check_shapes(gasf, gadf, series)
        return self.of_features(self._fields(gasf, gadf, bands), series)

    def of_features(self, features: Tensor, series: Tensor | None) -> Tensor:
        """Features (B, V, W) of the images and windows (B, C, T) -> logits (B, K)."""
        features = self.attention(features)
        if self.statistics is None:
            joined = features.flatten(1)  # (B, V W)
        else:
            joined = self.statistics_fusion(features, self.statistics(series))
        logits: Tensor = self.head(joined)
        return logits

    def _build(self, make: ExtractorMaker, groups: list[SignalGroup]) -> None:
        told = self._settings
        n_channels, width, fields = told["n_channels"], told["width"], told["fields"]
        arrangement = told["arrangement"]
        # The order of these lines is the order of the random numbers, and so of a seed's result.
        self.gasf_extractor = self.gadf_extractor = self.joint_extractor = self.fusion = None
        self.statistics = self.minirocket = self.forest = None
        if fields == "both" and told["fusion"] == EARLY:
            self.joint_extractor = field_extractor(make, groups, n_channels, arrangement, 2)
        else:
            if fields != "gadf":
                self.gasf_extractor = field_extractor(make, groups, n_channels, arrangement)
            if fields != "gasf":
                self.gadf_extractor = field_extractor(make, groups, n_channels, arrangement)
            if fields == "both":
                self.fusion = build_fusion(told["fusion"], width)
        n_vectors = n_channels if arrangement == "per_signal" else max(1, len(groups))
        self.attention = build_attention(told["attention"], n_vectors, width)
        n_features = n_vectors * width
        if told["use_statistics"]:
            self.statistics = StatisticsBranch(n_channels, width, told["statistics"])
            self.statistics_fusion = build_statistics_fusion(told["statistics_fusion"], width)
            n_features += width if told["statistics_fusion"] == "concat" else 0
        self.head = build_head(
            told["head"],
            n_features,
            told["num_classes"],
            hidden=2 * width,
            dropout=told["dropout"],
        )
        if told["use_minirocket"]:
            self.minirocket = MiniRocketBranch(
                n_channels, told["num_classes"], told["use_statistics"]
            )
        if told["use_forest"]:
            self.forest = ForestBranch(n_channels, told["num_classes"], told["use_statistics"])

    def _fields(self, gasf: Tensor, gadf: Tensor, bands: bool) -> Tensor:
        """(B, C, S, S), (B, C, S, S) -> (B, V, W)."""
        if self.joint_extractor is not None:
            both = torch.stack((gasf, gadf), dim=2)
            if not bands:
                return self._features(self.joint_extractor, both)
            extractor = cast(DiagonalExtractor, self.joint_extractor)
            return ARRANGEMENTS[self._settings["arrangement"]](extractor.of_bands, both)
        found = [
            self._features(extractor, images.unsqueeze(2))
            for extractor, images in ((self.gasf_extractor, gasf), (self.gadf_extractor, gadf))
            if extractor is not None
        ]
        fused: Tensor = found[0] if self.fusion is None else self.fusion(*found)
        return fused

    def _features(self, extractor: nn.Module, images: Tensor) -> Tensor:
        """(B, C, F, S, S) -> (B, V, W)."""
        if isinstance(extractor, GroupedExtractor):
            features: Tensor = extractor(images)
            return features
        return ARRANGEMENTS[self._settings["arrangement"]](extractor, images)

    def _check_shapes(self, gasf: Tensor, gadf: Tensor, series: Tensor | None) -> None:
        n_channels = self._settings["n_channels"]
        wrong = gasf.ndim != 4 or gasf.shape[1] != n_channels or gasf.shape[2] != gasf.shape[3]
        if wrong or gadf.shape != gasf.shape:
            raise SeriesError(
                f"gasf has shape {tuple(gasf.shape)} and gadf {tuple(gadf.shape)}; needed: both "
                f"(B, {n_channels}, S, S)"
            )
        if self.statistics is None and not self.apart:
            return
        if series is None:
            raise SeriesError(
                "series is missing, which use_statistics=true, use_minirocket=true and "
                "use_forest=true need; call net(gasf, gadf, series) or build the net with "
                "use_statistics=False, use_minirocket=False, use_forest=False"
            )
        if series.ndim != 3 or series.shape[:2] != gasf.shape[:2]:
            raise SeriesError(
                f"series has shape {tuple(series.shape)}; needed: "
                f"({gasf.shape[0]}, {n_channels}, T)"
            )


def _check_numbers(n_channels: int, num_classes: int, width: int, dropout: float) -> None:
    check_whole("n_channels", n_channels, 1, 6)
    check_whole("num_classes", num_classes, 2, 2)
    check_whole("model.width", width, 8, 64)
    check_number("model.width", width, lambda w: w % 8 == 0, "multiples of 8", 64)
    check_number("model.dropout", dropout, lambda d: 0 <= d < 1, "0 to below 1", 0.2)


def _check_choices(choices: Mapping[str, Any]) -> None:
    for option, got in choices.items():
        if got not in CHOICES[option]:
            allowed = ("auto", *CHOICES[option]) if option == "fusion" else CHOICES[option]
            raise ConfigError(unknown_choice(f"model.{option}", got, allowed))


def _chosen(told: Mapping[str, Any], groups: Sequence[SignalGroup], budget_gflop: float) -> str:
    work = Workload(
        told["n_channels"],
        2 if told["fields"] == "both" else 1,
        told["image_size"],
        told["width"],
        stacked=told["arrangement"] == "stacked",
        early=told["fusion"] == EARLY,
        groups=tuple(groups),
    )
    choice = choose_extractor(work, budget_gflop)
    log.info(choice.reason)
    return choice.extractor
