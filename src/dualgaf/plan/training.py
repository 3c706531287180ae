"""`MeasuredTraining`: what the training that follows a build takes, of a network that is known.

Its batches, its weights and what it keeps of a window are measured before it begins; the rest are
the figures of this page, which `benchmarks/training_memory.py` compares with real peaks.
"""

from dataclasses import dataclass

PROCESS_BYTES = 48 << 20
"""What a trainer and torch take from the plan on, in each rank."""
STATES = 3
"""Numbers beside each weight: its gradient and two moments (AdamW, RAdam)."""
SAVED = 3
"""A checkpoint is put together in memory: each weight and its two moments."""
BATCH_COPIES = 5
"""A batch as float32 images: decoded, warped, mixed, what the kernels read, and the next one."""
BACKWARD_PART = 0.2
"""Of what is kept for gradients, what gradients of activations and rewritten inputs take more."""
RETAINED_PART, RETURNED_FROM = 0.85, 32 << 20
"""Of what is kept for gradients, what the C library has not given back at the end of an epoch; and
the size from which it gives a block back at once."""
MOMENTS = 2
"""Of `STATES`, what there is only after the first step."""
LOADER_BYTES = 12 << 20
"""What a loader process writes of the memory that it shares with its rank."""


@dataclass(frozen=True)
class MeasuredTraining:
    """A training on the CPU: sizes of the network, its batches and its processes.

    Example:
        >>> alone = MeasuredTraining(weights_bytes=10 << 20, window_bytes=1 << 20, n_windows=100)
        >>> more = MeasuredTraining(10 << 20, 1 << 20, 100, ranks=2, rank_bytes=300 << 20)
        >>> [training.bytes(16, 1 << 17, 0) >> 20 for training in (alone, more)]
        [121, 548]
    """

    weights_bytes: int
    """Weights that have a gradient; they themselves are there already."""
    window_bytes: int
    """What the network keeps of a window for its gradients."""
    n_windows: int
    """Windows of the training split: a batch has no more."""
    batch_bytes: int = 0
    """What it keeps of a batch whatever its size, such as weights in half precision."""
    blocks: tuple[int, ...] = ()
    """The sizes of what is kept of a window in one piece."""
    n_batches: int | None = None
    """Batches of the full size in the whole training of a rank; None where that is not known."""
    ranks: int = 1
    """Processes of this machine that train together."""
    rank_bytes: int = 0
    """What each further rank takes before it trains: it is a process like this one."""
    loaders: int = 0
    """Loader processes of each rank."""
    shipped_bytes: int = 0
    """What the batches take that they have made in advance."""
    copies: int = 0
    """How many times the weights are kept besides: averages of callbacks, a network before."""
    is_solved: bool = False
    """Whether branches are learned before the network: the MiniRocket branch takes the most, and
    the forest, which is learned after it, less."""
    is_sure: bool = True
    """Whether the optimiser is known; where not, it may keep less, and nothing is refused."""

    def bytes(self, batch_size: int, image_bytes: int, solved_bytes: int) -> int:
        """What all ranks take at most, from the plan on.

        Args:
            batch_size: windows per batch and rank.
            image_bytes: of the float32 images of a window.
            solved_bytes: what the MiniRocket branch takes while it is solved.
        """
        windows = min(batch_size, self.n_windows)
        step = self._step_bytes(windows, image_bytes)
        if self.n_batches == 1:  # the only one of its size is the first step of all
            step -= MOMENTS * self.weights_bytes
            step = max(step, self._step_bytes(self.n_windows - windows, image_bytes))
        small = self.kept_bytes(windows) - sum(
            windows * block for block in self.blocks if windows * block >= RETURNED_FROM
        )
        saving = self.states_bytes + int(RETAINED_PART * small) + SAVED * self.weights_bytes
        loaders = self.loaders * LOADER_BYTES + self.shipped_bytes
        solved = solved_bytes if self.is_solved else 0  # it is over before the first step
        further = PROCESS_BYTES + loaders + max(step, solved)
        first = PROCESS_BYTES + loaders + max(step, saving, solved)
        return first + (self.ranks - 1) * (self.rank_bytes + further)

    def kept_bytes(self, windows: int) -> int:
        """What the network keeps of a batch for its gradients."""
        return self.batch_bytes + windows * self.window_bytes

    def _step_bytes(self, windows: int, image_bytes: int) -> int:
        """What a step takes, with moments of the steps before."""
        kept = self.kept_bytes(windows)
        copies = BATCH_COPIES * windows * image_bytes
        return self.states_bytes + copies + kept + int(BACKWARD_PART * kept)

    @property
    def states_bytes(self) -> int:
        """What gradients, moments and copies take; ranks exchange gradients in one more."""
        times = STATES + self.copies + (self.ranks > 1)
        return times * self.weights_bytes
