"""`DualGAFNet`: GASF and GADF images, and the window itself -> class logits.

1. Every signal's image goes through the extractor of its field: (B, C, S, S) -> (B, C, W).
2. The fusion makes one feature vector a signal of the two fields': (B, C, W).
3. The attention weighs the signals.
4. The features of all signals are laid side by side, (B, C W); the statistics branch adds its
   embedding of the window, (B, W).
5. The head gives the logits, (B, K).
"""

import torch
from torch import nn

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
        self._settings = {
            "n_channels": _whole("n_channels", n_channels, low=1),
            "num_classes": _whole("num_classes", num_classes, low=2),
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

    def forward(self, gasf, gadf, series=None):
        b, c = gasf.shape[:2]
        a = self.gasf_extractor(gasf.flatten(0, 1).unsqueeze(1)).unflatten(0, (b, c))
        d = self.gadf_extractor(gadf.flatten(0, 1).unsqueeze(1)).unflatten(0, (b, c))
        f = self.attention(self.fusion(a, d)).flatten(1)
        if self.statistics is not None:
            f = torch.cat((f, self.statistics(series)), 1)
        return self.head(f)


def _whole(option, value, low):
    return value
