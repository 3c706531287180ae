"""In which order windows come, and which of them each rank gets.

1. The order of a training epoch is a function of seed and epoch alone: whatever loader workers
   there are, when the loader was made, and from where a training goes on. A Trainer tells the epoch
   (``set_epoch``). Outside of one each pass through a training loader of a DataModule is its next
   epoch, whichever loader it is.
2. Ranks of a Trainer deal the windows out in turn. In training each gets as many, so up to as many
   windows as there are ranks come twice in an epoch: gradients are added up in step. In an
   evaluation each window comes once, and each rank has as many batches: networks of several ranks
   exchange their buffers with every batch.

Lightning deals windows out itself, and repeats some, where a sampler is no `DistributedSampler`.
"""

import warnings
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, Literal

import lightning as L
import numpy as np
from lightning.pytorch.utilities import rank_zero_only
from torch.utils.data import Sampler
from torch.utils.data.distributed import DistributedSampler
from torchmetrics import Metric

from dualgaf.data.augmentation import Turn
from dualgaf.errors import FallbackWarning

Use = Literal["train", "evaluate", "predict"]
_ORDER = 1
"""Orders are drawn from this, seed and epoch, `dualgaf.data.augmentation` draws from 2 first."""


class Passes:
    """Counts the passes through training loaders outside of a Trainer."""

    def __init__(self) -> None:
        self._next = 0

    def begin(self) -> int:
        """The epoch that a new pass is."""
        self._next += 1
        return self._next - 1


class EpochOrder(Sampler[int]):
    """Every window once, in an order drawn from seed and epoch.

    Args:
        n_windows: N.
        seed: 0 or more.
        passes: tells the epoch where nobody else does.
        marked: whether the indices are `Turn`, for windows that are changed at random.

    Example:
        >>> order = EpochOrder(5, 0, Passes())
        >>> epochs = [list(order) for _ in range(3)]
        >>> [sorted(epoch) for epoch in epochs] == [[0, 1, 2, 3, 4]] * 3
        True
        >>> order.set_epoch(1)
        >>> list(order) == epochs[1]
        True
    """

    def __init__(self, n_windows: int, seed: int, passes: Passes, marked: bool = False) -> None:
        self._n_windows = n_windows
        self._seed = seed
        self._passes = passes
        self._marked = marked
        self._epoch: int | None = None

    def set_epoch(self, epoch: int) -> None:
        """The epoch that the next pass is; those after it follow."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._n_windows

    def __iter__(self) -> Iterator[int]:
        epoch = self._passes.begin() if self._epoch is None else self._epoch
        if self._epoch is not None:
            self._epoch = epoch + 1
        rng = np.random.default_rng((_ORDER, self._seed, epoch))
        indices: list[int] = rng.permutation(self._n_windows).tolist()
        if self._marked:
            indices = [Turn.of(index, self._seed, epoch) for index in indices]
        return iter(indices)


class RankOrder(DistributedSampler[int]):
    """What one of several ranks gets of an order: each takes the next window in turn.

    Args:
        order: of all windows, the same in every rank.
        n_ranks: R.
        rank: 0 to R - 1.
        repeats: whether windows come twice so that each rank gets as many.
        n_samples: what each gets, with ``repeats``; None = as few as show every window.

    Example:
        >>> [list(RankOrder(range(5), 2, rank, repeats=False)) for rank in (0, 1)]
        [[0, 2, 4], [1, 3]]
        >>> [list(RankOrder(range(5), 2, rank, repeats=True)) for rank in (0, 1)]
        [[0, 2, 4], [1, 3, 0]]
    """

    def __init__(
        self, order: Any, n_ranks: int, rank: int, *, repeats: bool, n_samples: int | None = None
    ) -> None:
        super().__init__(order, n_ranks, rank, shuffle=False)
        self.order = order
        self.repeats = repeats
        if n_samples is not None:
            self.num_samples, self.total_size = n_samples, n_samples * n_ranks
        if not repeats:
            self.num_samples = len(range(rank, len(order), n_ranks))

    def set_epoch(self, epoch: int) -> None:
        """Of the order, where it has epochs."""
        if isinstance(self.order, EpochOrder):
            self.order.set_epoch(epoch)

    def __iter__(self) -> Iterator[int]:
        indices = list(self.order)
        n_windows = len(indices)
        while self.repeats and len(indices) < self.total_size:
            indices += indices[: min(n_windows, self.total_size - len(indices))]
        return iter(indices[self.rank :: self.num_replicas])


def order_for(
    use: Use, order: EpochOrder, batch_size: int, trainer: L.Trainer | None, split: str
) -> tuple[Sampler[int] | None, int]:
    """In which order this rank takes the windows, None as they are, and how many in a batch.

    Args:
        use: ``predict`` leaves the windows to Lightning, which deals each out once.
        order: of a training on these windows.
        batch_size: as asked for.
        trainer: that uses them; None outside of one.
        split: its name, for a warning.
    """
    n_ranks, rank = (1, 0) if trainer is None else _ranks(trainer)
    if use == "train":
        shared = RankOrder(order, n_ranks, rank, repeats=True)
        return (order if n_ranks == 1 else shared), batch_size
    if use == "predict" or n_ranks == 1:
        return None, batch_size
    assert trainer is not None
    n_windows = len(order)
    if n_windows < n_ranks:
        _warn(
            f"the {split} split has {n_windows} windows, fewer than there are ranks ({n_ranks}): "
            "some are counted twice; evaluate in one process: type Trainer(devices=1)"
        )
    elif n_windows % n_ranks and not _has_metrics(trainer.lightning_module):
        _warn(
            f"the {n_windows} windows of the {split} split cannot be dealt out evenly to {n_ranks} "
            "ranks; each is counted once, and self.log(..., sync_dist=True) rounds the number of "
            "windows of a rank down (Lightning 2.6): log metrics of torchmetrics, or evaluate in "
            "one process: type Trainer(devices=1)"
        )
    dealt = RankOrder(range(n_windows), n_ranks, rank, repeats=n_windows < n_ranks)
    return dealt, batch_size_for_ranks(n_windows, n_ranks, batch_size)


def order_of_share(order: EpochOrder, shares: Sequence[int], trainer: L.Trainer) -> RankOrder:
    """In which order this rank takes the windows of its machine, where machines share them.

    Args:
        order: of a training on the windows of this machine.
        shares: windows of each machine.
        trainer: that uses them.
    """
    n_ranks, rank = (1, 0) if _ranks(trainer)[0] == 1 else (trainer.num_devices, trainer.local_rank)
    n_samples = -(-max(shares) // n_ranks)
    return RankOrder(order, n_ranks, rank, repeats=True, n_samples=n_samples)


def batch_size_for_ranks(n_windows: int, n_ranks: int, batch_size: int) -> int:
    """The batch size with which every rank has as many batches: the largest up to ``batch_size``.

    Ranks have c or c + 1 windows. With a batch size that divides c those with one more would have
    a batch of their own for it. Where every smaller one divides c it is the next larger.

    Example:
        >>> [batch_size_for_ranks(11, 2, size) for size in (1, 4, 5, 6)]
        [2, 4, 4, 6]
    """
    fewest = n_windows // n_ranks
    if n_windows % n_ranks == 0 or fewest == 0:
        return batch_size
    smaller = (size for size in range(batch_size, 1, -1) if fewest % size)
    larger = (size for size in count(max(2, batch_size + 1)) if fewest % size)
    return next(smaller, None) or next(larger)


def _ranks(trainer: L.Trainer) -> tuple[int, int]:
    """Ranks that share the windows, and which one this is; (1, 0) where the user deals them out."""
    connector = getattr(trainer, "_accelerator_connector", None)
    dealt = getattr(trainer, "distributed_sampler_kwargs", None)
    if dealt is None or not getattr(connector, "use_distributed_sampler", True):
        return 1, 0
    return max(1, dealt["num_replicas"]), dealt["rank"]


def _has_metrics(module: L.LightningModule | None) -> bool:
    return module is not None and any(isinstance(part, Metric) for part in module.modules())


@rank_zero_only
def _warn(text: str) -> None:
    warnings.warn(text, FallbackWarning, stacklevel=5)
