"""``shard=node``: each of several machines holds its share of the training windows alone.

What is fitted (classes, scalers, bounds, class weights) comes from all training windows, and every
machine knows which those are: shares are computed, nobody sends anything. The rule:

1. The windows of each class, in the order of the source, are cut into as many runs as there are
   machines, a run each. So a machine has neighbours, which share their steps, and every class.
2. What is left over goes round from one class to the next. Machines have equal counts, but for one
   window; so have they of each class.
3. Each rank takes ``ceil(largest share / ranks of a machine)`` windows an epoch. A machine that has
   fewer takes the first ones of its order for that epoch twice: gradients are added up in step.

Images of the val and test splits are whole on every machine that needs them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import lightning as L
import numpy as np
import numpy.typing as npt

from dualgaf.data.windowed import WindowedSplits
from dualgaf.errors import ConfigError, SplitError, unknown_choice
from dualgaf.system.nodes import node_of_environment

Array = npt.NDArray[Any]
Sharding = Literal["none", "node"]


@dataclass(frozen=True)
class Shard:
    """Which machine this is, of how many that share the training windows.

    Example:
        >>> labels = np.array([0, 0, 0, 1, 1, 1, 1])
        >>> [Shard(node, 2).own(labels).tolist() for node in (0, 1)]
        [[0, 1, 3, 4], [2, 5, 6]]
    """

    node: int = 0
    """Number of this machine, from 0 on."""
    n_nodes: int = 1
    """How many machines share them; 1 = each holds all windows."""

    @property
    def is_whole(self) -> bool:
        """Whether this machine holds every window."""
        return self.n_nodes == 1

    def own(self, labels: Array) -> Array:
        """Which of windows with these labels this machine holds, in ascending order."""
        return np.flatnonzero(node_of_each(labels, self.n_nodes) == self.node)

    @classmethod
    def of(cls, asked: str, trainer: L.Trainer | None, n_nodes: int = 1) -> "Shard":
        """The share that is asked for, where this process runs.

        Args:
            asked: ``none`` or ``node``.
            trainer: knows its machines; without one torchrun's or SLURM's variables tell.
            n_nodes: machines, where neither tells.

        Raises:
            ConfigError: the ranks of the trainer are not as many on each machine as it says.
        """
        if asked == "none":
            return cls()
        if trainer is None:
            node, told = node_of_environment()
            return cls(node, told if told > 1 else n_nodes)
        if trainer.num_nodes * trainer.num_devices != trainer.world_size:
            raise ConfigError(
                f"datamodule.shard=node needs as many ranks on each machine, and there are "
                f"{trainer.world_size}, with trainer.num_nodes={trainer.num_nodes} and "
                f"trainer.devices={trainer.num_devices}; type their true numbers, or "
                "datamodule.shard=none"
            )
        return cls(trainer.node_rank, trainer.num_nodes)


def check_sharding(asked: object) -> None:
    """Raise ConfigError unless it is a way to share windows that is known."""
    if asked not in get_args(Sharding):
        raise ConfigError(unknown_choice("datamodule.shard", asked, get_args(Sharding)))


def node_of_each(labels: Array, n_nodes: int) -> Array:
    """(N,) number of the machine that holds each window.

    Args:
        labels: (N,) classes, in the order of the source.
        n_nodes: machines.

    Example:
        >>> node_of_each(np.array([0, 0, 0, 1, 1, 1]), 2).tolist()
        [0, 0, 1, 0, 1, 1]
    """
    found = np.empty(len(labels), dtype=np.int64)
    nodes, left_over = np.arange(n_nodes), 0
    for number in np.unique(labels):
        rows = np.flatnonzero(labels == number)
        each, rest = divmod(len(rows), n_nodes)
        found[rows] = np.repeat(nodes, each + ((nodes - left_over) % n_nodes < rest))
        left_over += rest
    return found


def windows_of_nodes(labels: Array, n_nodes: int) -> tuple[int, ...]:
    """How many of windows with these labels each machine holds.

    Raises:
        SplitError: there are fewer windows than machines.
    """
    return _checked(np.bincount(node_of_each(labels, n_nodes), minlength=n_nodes))


def not_learned(
    windowed: WindowedSplits, splits: Sequence[str], held_out: Array | None, shard: Shard
) -> tuple[Array, tuple[int, ...] | None]:
    """Rows of these splits that this machine does not learn.

    Args:
        windowed: windows and splits.
        splits: that are learned.
        held_out: rows that no machine learns; None = there are none.
        shard: which machine this is.

    Returns:
        The rows, and how many windows each machine learns; None where each learns all.

    Raises:
        SplitError: there are fewer windows than machines.
    """
    none = np.zeros(0, dtype=np.int64)
    held_out = none if held_out is None else held_out
    if shard.is_whole:
        return held_out, None
    foreign, counts = [held_out], np.zeros(shard.n_nodes, dtype=np.int64)
    for split in splits:
        rows = windowed.indices[split]
        nodes = node_of_each(windowed.labels[rows], shard.n_nodes)
        foreign.append(rows[nodes != shard.node])
        counts += np.bincount(nodes[~np.isin(rows, held_out)], minlength=shard.n_nodes)
    return np.concatenate(foreign), _checked(counts)


def _checked(counts: Array) -> tuple[int, ...]:
    if not counts.min():
        raise SplitError(
            f"datamodule.shard=node deals {counts.sum()} training windows out to {len(counts)} "
            "machines, and each needs one; type datamodule.shard=none"
        )
    return tuple(counts.tolist())
