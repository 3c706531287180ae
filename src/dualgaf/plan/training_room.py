"""Whether a training fits what is left, and what to type where it does not."""

from dataclasses import replace

from dualgaf.errors import BudgetError
from dualgaf.plan.budget import Budget, MemoryLeft
from dualgaf.plan.request import BuildRequest
from dualgaf.plan.training import MeasuredTraining
from dualgaf.system.machine import format_bytes

ESTIMATE_ERROR = 0.2
"""How far a peak may be from what is planned for a training, measured on runs of many kinds."""


def reasons_of_training(budget: Budget, request: BuildRequest) -> list[str]:
    """What is said of a training for which there may be too little memory."""
    takes = (
        f"training in batches of {request.batch_size} windows takes about "
        f"{format_bytes(request.training_bytes)} on a CPU"
    )
    if request.training is None:
        if not budget.is_short_of_training:
            return []
        return [
            f"{takes} (measured with DualGAFNet), more than there is; type a smaller batch_size"
        ]
    if budget.left.bytes >= request.training_bytes * (1 + ESTIMATE_ERROR):
        return []
    return [
        f"{takes} ({parts_of(request, request.training)}), of {format_bytes(budget.left.bytes)}: "
        f"it may be more than there is; type {_less(request, budget.left)}"
    ]


def parts_of(request: BuildRequest, training: MeasuredTraining) -> str:
    """What a training takes, in words."""
    windows = min(request.batch_size, training.n_windows)
    ranks = f", {training.ranks} ranks each" if training.ranks > 1 else ""
    return (
        f"gradients and moments {format_bytes(training.states_bytes)}, a batch of {windows} "
        f"windows {format_bytes(training.kept_bytes(windows))}{ranks}"
    )


def check_training(request: BuildRequest, left: MemoryLeft) -> None:
    """Refuse a training that is known to take more than what is promised, before it begins.

    Raises:
        BudgetError: it would; the text says what to type.
    """
    promised = left.memory_bytes
    if request.training is None or promised is None or not request.training.is_sure:
        return
    needed = left.used_bytes + request.training_bytes
    if needed <= promised:
        return
    raise BudgetError(
        f"hardware={left.preset.name} promises {format_bytes(promised)}, and this run takes about "
        f"{format_bytes(needed)}: {format_bytes(left.used_bytes)} are in use, training takes "
        f"{format_bytes(request.training_bytes)} ({parts_of(request, request.training)}); type "
        f"{_less(request, left)}"
    )


def _less(request: BuildRequest, left: MemoryLeft) -> str:
    """What to type so that a training takes less, or may take more."""
    training = request.training
    assert training is not None
    room = int(left.bytes / (1 + ESTIMATE_ERROR))
    most = min(request.batch_size, training.n_windows)
    typed = []
    for n_ranks in sorted({training.ranks, 1}, reverse=True):
        asked = replace(training, ranks=n_ranks)
        sizes = (n for n in range(most, 0, -1) if request.training_bytes_with(asked, n) <= room)
        if n := next(sizes, 0):
            words = ["trainer.devices=1"] if n_ranks < training.ranks else []
            words += [f"datamodule.batch_size={n}"] if n < most else []
            typed.append(" ".join(words))
    if left.memory_bytes is not None:
        needed = left.used_bytes + int(request.training_bytes * (1 + ESTIMATE_ERROR))
        typed.append(f"hardware.memory={-(-needed // 2**20)}MiB, where the machine has so much")
    return ", or ".join(typed or ["a smaller model.width"])
