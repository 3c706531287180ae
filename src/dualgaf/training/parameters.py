"""`NetParameters`: what an estimator is told, each under the name of the option of ``train.py``."""

from typing import TYPE_CHECKING, Any

OF_DATA = ("batch_size", "num_workers", "image_size", "scaling", "feature_range", "storage",
           "layout", "images", "augmentation", "hardware", "parallel", "cache_dir",
           "cache_verify")  # fmt: skip
OF_NET = ("extractor", "arrangement", "groups", "fields", "fusion", "attention", "head",
          "use_statistics", "statistics", "statistics_fusion", "use_minirocket", "use_forest",
          "width", "dropout", "budget_gflop")  # fmt: skip
OF_CLASSIFIER = ("learning_rate", "weight_decay", "optimizer", "schedule", "mixup", "time_warp",
                 "crop", "loss")  # fmt: skip


class NetParameters:
    """Parameters of an estimator; they are checked where they are handed to, in a fit."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """A parameter, or what a fit has left."""

    def __init__(
        self,
        *,
        max_epochs: int | str = "auto",
        max_steps: int = -1,
        random_state: Any = None,
        verbose: int = 0,
        ragged: str = "resample",
        batch_size: int | str = "auto",
        num_workers: int = 0,
        image_size: int | str | None = "auto",
        scaling: str = "auto",
        feature_range: Any = "auto",
        storage: str = "uint8",
        layout: str = "dual",
        images: str = "precompute",
        augmentation: Any = None,
        hardware: Any = "auto",
        parallel: Any = None,
        cache_dir: Any = None,
        cache_verify: str = "size",
        extractor: Any = "auto",
        arrangement: str = "stacked",
        groups: Any = None,
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
        learning_rate: float = 4e-3,
        weight_decay: float = 1e-2,
        optimizer: str = "adamw",
        schedule: str = "cosine",
        mixup: float = 0.4,
        time_warp: float = 0.4,
        crop: float = 0.2,
        loss: Any = None,
        class_weights: Any = None,
        accelerator: str = "auto",
        precision: str = "32-true",
    ) -> None:
        given = dict(locals())
        for name in PARAMETERS:
            setattr(self, name, given[name])
        super().__init__()


PARAMETERS = tuple(
    name for name in NetParameters.__init__.__annotations__ if name not in ("return", "self")
)
"""Names of all parameters."""
