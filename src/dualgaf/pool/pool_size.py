"""Who draws: processes, threads or this thread, and how many.

Workers are never more than the CPUs this process may use, nor than there are chunks. The load of
other programs does not lower their number: see docs/design/0006-adaptive-pool.md.
"""

from dataclasses import dataclass

from dualgaf.pool.settings import PoolSettings
from dualgaf.system.machine import cpu_count, format_bytes

PROCESS_FROM_BYTES = 16 << 30
"""Stores from this size on are filled by processes where ``parallel.backend=auto``. Threads draw as
fast, since the kernel releases the GIL, and processes take half a second to start, which is a tenth
of the build from here on; a crash in one does not take the training with it."""
WORKER_BYTES = 80 << 20
"""What a worker process takes of its own: 67 to 70 MiB while it draws, and room for its block."""
MEMORY_PARTS = 4
"""With ``n_jobs=-1`` processes take at most a quarter of the memory that is left."""


@dataclass(frozen=True)
class PoolSize:
    """Who draws, and why."""

    backend: str
    """``process``, ``thread``, ``serial``, or ``none`` where nothing is drawn."""
    workers: int
    """How many."""
    reasons: tuple[str, ...] = ()
    """Why, a sentence each."""

    @property
    def processes(self) -> int:
        """Workers that are processes."""
        return self.workers if self.backend == "process" else 0

    @property
    def bytes(self) -> int:
        """Memory that they take of their own."""
        return self.processes * WORKER_BYTES


def choose_pool_size(
    settings: PoolSettings, n_windows: int, store_bytes: int, shared: bool, left_bytes: int
) -> PoolSize:
    """Decide who draws a store.

    Args:
        settings: what the user asked for.
        n_windows: N, windows of the store.
        store_bytes: its size.
        shared: whether processes can reach it.
        left_bytes: memory that is left.

    Example:
        >>> choose_pool_size(PoolSettings(n_jobs=1), 1000, 1 << 20, True, 1 << 33).backend
        'thread'
    """
    if not settings.enabled:
        return PoolSize("serial", 1, ("parallel.enabled=false: everything in this process",))
    if settings.backend == "serial":
        return PoolSize("serial", 1)
    cpus, reasons = cpu_count(), []
    chunk_rows = 1 if settings.chunk_size == "auto" else settings.chunk_size
    asked = cpus if settings.n_jobs == -1 else settings.n_jobs
    workers = min(asked, cpus, -(-n_windows // chunk_rows))
    if settings.n_jobs > cpus:
        reasons.append(f"n_jobs={settings.n_jobs} was asked; this process may use {cpus} CPUs")
    fitting = workers
    if settings.n_jobs == -1:
        fitting = max(1, min(workers, left_bytes // MEMORY_PARTS // WORKER_BYTES))
    backend = settings.backend
    if backend == "auto":
        large = store_bytes >= PROCESS_FROM_BYTES
        backend = "process" if large and shared and fitting > 1 else "thread"
        reasons.append(
            f"parallel.backend=auto: {backend} (processes pay from "
            f"{format_bytes(PROCESS_FROM_BYTES)} of shared images and two workers on)"
        )
    if backend == "process" and fitting < workers:
        reasons.append(
            f"n_jobs=-1: {fitting} processes; one for each of {workers} CPUs would take more than "
            f"a quarter of the {format_bytes(left_bytes)} that are left"
        )
        workers = fitting
    return PoolSize(backend, workers, tuple(reasons))
