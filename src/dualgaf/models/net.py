"""`DualGAFNet`: GASF and GADF images, and the window itself -> class logits.

1. Every signal's image goes through the extractor of its field: (B, C, S, S) -> (B, C, W).
2. The fusion makes one feature vector a signal of the two fields': (B, C, W).
3. The attention weighs the signals.
4. The features of all signals are laid side by side, (B, C W); the statistics branch adds its
   embedding of the window, (B, W).
5. The head gives the logits, (B, K).
"""

from typing import Any

import torch
from torch import Tensor, nn

from dualgaf.errors import ConfigError, SeriesError, check_whole
from dualgaf.models.attention import build_attention
from dualgaf.models.extractors import build_extractor
from dualgaf.models.fusion import build_fusion
from dualgaf.models.heads import build_head
from dualgaf.models.statistics import StatisticsBranch


class DualGAFNet(nn.Module):
    """Classifier of windows by their two Gramian angular fields.

    Args:
        n_channels: signals C of a window.
        num_classes: classes K.
        extractor: image -> features, shared by the signals: ``large_kernel``.
        fusion: how the two fields are joined: ``adaptive``, ``concat``.
        attention: how the signals are weighed: ``channel``, ``none``.
        head: features -> logits: ``mlp``.
        use_statistics: also use five statistics of each signal of the window.
        width: features a signal, W; a multiple of 8.
        dropout: share of features dropped in training.

    Raises:
        ConfigError: an option is unknown or a number is out of range.

    Example:
        >>> net = DualGAFNet(n_channels=6, num_classes=4)
        >>> image, series = torch.zeros(2, 6, 26, 26), torch.zeros(2, 6, 26)
        >>> net(image, image, series).shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        n_channels: int,
        num_classes: int,
        *,
        extractor: str = "large_kernel",
        fusion: str = "adaptive",
        attention: str = "channel",
        head: str = "mlp",
        use_statistics: bool = True,
        width: int = 32,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        check_whole("n_channels", n_channels, 1, 6)
        check_whole("num_classes", num_classes, 2, 2)
        check_whole("model.width", width, 8, 32)
        if width % 8 or not 0.0 <= dropout < 1.0:
            raise ConfigError(
                f"model.width={width}, model.dropout={dropout} is not allowed; allowed: a multiple "
                "of 8, and 0 to below 1; type model.width=32 model.dropout=0.2"
            )
        self._settings: dict[str, Any] = {
            "n_channels": n_channels,
            "num_classes": num_classes,
            "extractor": extractor,
            "fusion": fusion,
            "attention": attention,
            "head": head,
            "use_statistics": use_statistics,
            "width": width,
            "dropout": dropout,
        }
        self.gasf_extractor = build_extractor(extractor, width)
        self.gadf_extractor = build_extractor(extractor, width)
        self.fusion = build_fusion(fusion, width)
        self.attention = build_attention(attention, n_channels)
        self.statistics = StatisticsBranch(n_channels, width) if use_statistics else None
        n_features = width * (n_channels + int(use_statistics))
        self.head = build_head(head, n_features, num_classes, hidden=2 * width, dropout=dropout)

    @property
    def settings(self) -> dict[str, Any]:
        """The constructor's arguments as plain values: ``DualGAFNet(**net.settings)``."""
        return dict(self._settings)

    def forward(self, gasf: Tensor, gadf: Tensor, series: Tensor | None = None) -> Tensor:
        """Logits of a batch.

        Args:
            gasf: (B, C, S, S) float32 in [-1, 1].
            gadf: likewise.
            series: (B, C, T) float32, standardised; needed where ``use_statistics`` is true.

        Returns:
            (B, K).

        Raises:
            SeriesError: a shape does not fit, or ``series`` is missing.
        """
        self._check_shapes(gasf, gadf, series)
        features = self.fusion(
            _by_signal(self.gasf_extractor, gasf), _by_signal(self.gadf_extractor, gadf)
        )
        joined = self.attention(features).flatten(1)  # (B, C W)
        if self.statistics is not None:
            joined = torch.cat((joined, self.statistics(series)), dim=1)  # (B, C W + W)
        logits: Tensor = self.head(joined)
        return logits

    def _check_shapes(self, gasf: Tensor, gadf: Tensor, series: Tensor | None) -> None:
        n_channels = self._settings["n_channels"]
        wrong = gasf.ndim != 4 or gasf.shape[1] != n_channels or gasf.shape[2] != gasf.shape[3]
        if wrong or gadf.shape != gasf.shape:
            raise SeriesError(
                f"gasf has shape {tuple(gasf.shape)} and gadf {tuple(gadf.shape)}; needed: both "
                f"(B, {n_channels}, S, S)"
            )
        if self.statistics is None:
            return
        if series is None:
            raise SeriesError(
                "series is missing, which use_statistics=true needs; call net(gasf, gadf, series) "
                "or build the net with use_statistics=False"
            )
        if series.ndim != 3 or series.shape[:2] != gasf.shape[:2]:
            raise SeriesError(
                f"series has shape {tuple(series.shape)}; needed: "
                f"({gasf.shape[0]}, {n_channels}, T)"
            )


def _by_signal(extractor: nn.Module, images: Tensor) -> Tensor:
    """(B, C, S, S) -> (B, C, W): every signal's image through the same extractor."""
    features: Tensor = extractor(images.flatten(0, 1).unsqueeze(1))  # (B C, 1, S, S) -> (B C, W)
    return features.view(*images.shape[:2], -1)
