"""What would make a machine faster, and what that costs: a rule per setting.

Each rule is silent where its setting is well, and promises only what was measured.

Measured on one virtual machine (2 CPUs, Linux 6.18), medians of 5 repeats, the first thrown away,
GB/s of ``pwrite`` in blocks of 512 KiB into fresh memfds by one worker and by two, memory warm:

    shmem_enabled   never        advise       within_size    always
                    2.9, 2.9     2.6, 2.9     10.8, 13.8     13.2, 13.7

``advise`` gains nothing: it is for mappings that ask (madvise), and ``pwrite`` fills a store. The
store of 2000 windows (737 MB, 2 threads) was built in 0.25 s with ``within_size``, 0.50 s without.
"""

import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from dualgaf.cli.facts import Facts
from dualgaf.imaging.compiled import REINSTALL
from dualgaf.system.machine import format_bytes

WIDTH = 100
_PAGES = "/sys/kernel/mm/transparent_hugepage"
_ROOT = "needs root, lasts until the next start of the system"

LIMITED_BELOW = 0.8
"""A memory limit is worth a word when it leaves less than this fraction of what is available."""
SMALL_SHM_BYTES = 256 << 20
"""A /dev/shm under this is too small for batches of loader workers (Docker's has 64 MiB)."""


@dataclass(frozen=True)
class Advice:
    """One setting that could be better."""

    setting: str
    """What it is about."""
    now: str
    """Its value now."""
    type_this: str
    """What to type; where a host or a container decides, what to type there."""
    gain: str
    """What was measured."""
    cost: str
    """What it takes, and who must do it."""

    def __str__(self) -> str:
        rows = {"now": self.now, "type": self.type_this, "gain": self.gain, "cost": self.cost}
        lines = [f"  {self.setting}"]
        for name, text in rows.items():
            # A path or an option must stay in one piece, so that it can be copied.
            lines += textwrap.wrap(
                text,
                WIDTH,
                initial_indent=f"    {name:5} ",
                subsequent_indent=" " * 10,
                break_long_words=False,
                break_on_hyphens=False,
            )
        return "\n".join(lines)


def advise(facts: Facts) -> tuple[Advice, ...]:
    """The advice that applies here, the largest gain first.

    Args:
        facts: from `Facts.read`, or made up.

    Returns:
        Nothing where no setting could be better.
    """
    return tuple(advice for rule in _RULES if (advice := rule(facts)) is not None)


def _no_numba(facts: Facts) -> Advice | None:
    if not facts.broken:
        return None
    return Advice(
        "compiled kernels",
        f"numba cannot be imported: {facts.broken}",
        REINSTALL,
        "images at all: no speed is lost, every build ends with this error",
        "about 100 MB; NumPy may go back to the newest that numba takes",
    )


def _no_kernel_cache(facts: Facts) -> Advice | None:
    if facts.broken or facts.kernel_cache is not None:
        return None
    return Advice(
        "cache of the compiled kernels",
        "neither the package's folder nor your home folder can be written",
        "export NUMBA_CACHE_DIR=FOLDER   # one that can be written",
        "images at all: without such a folder numba ends with 'cannot cache function'. With the "
        "kernels in it a process has its first images after 0.3 s instead of 1.3 to 2.1 s",
        "a few megabytes in that folder",
    )


def _shared_pages(facts: Facts) -> Advice | None:
    if facts.machine.shmem_thp not in ("never", "advise", "deny"):
        return None
    return Advice(
        "huge pages of shared memory",
        f"shmem_enabled={facts.machine.shmem_thp}",
        f"echo within_size | sudo tee {_PAGES}/shmem_enabled",
        "a shared store is filled at 11 to 14 GB/s instead of 2.9 (pwrite, 1 and 2 workers); a "
        "build of 737 MB took 0.25 s instead of 0.50 s. 'advise' would gain nothing: it is for "
        "mappings that ask, and the store is filled by pwrite",
        f"{_ROOT}; shared memory of other programs takes 2 MiB at its first touch, too",
    )


def _private_pages(facts: Facts) -> Advice | None:
    if facts.machine.thp != "never":
        return None
    return Advice(
        "huge pages of private memory",
        "enabled=never",
        f"echo madvise | sudo tee {_PAGES}/enabled",
        "fresh memory at 14.7 GB/s instead of 2.7 with one worker, 22.4 instead of 5.4 with two: "
        "builds with parallel.shm=false, and every large array (NumPy asks for huge pages itself)",
        f"{_ROOT}; only programs that ask get huge pages",
    )


def _given_back(facts: Facts) -> Advice | None:
    if not facts.machine.gives_back:
        return None
    return Advice(
        "free memory of this virtual machine",
        "given back to the host about 2 s after it was freed (free page reporting)",
        "on the host: free-page-reporting=off for the balloon (QEMU), or no free_page_reporting "
        "(Firecracker); inside nothing can be typed",
        "the first touch of memory that was free for 5 s at 7.8 GB/s instead of 0.6 (one thread); "
        "builds soon after one another do not feel it",
        "the host cannot lend this machine's free memory to others; the host's owner must do it",
    )


def _quota(facts: Facts) -> Advice | None:
    machine = facts.machine
    if machine.cpus >= machine.cpus_allowed:
        return None
    return Advice(
        "CPU quota",
        f"a control group allows {machine.cpus} of {machine.cpus_allowed} CPUs",
        f"docker run --cpus={machine.cpus_allowed} ..., or limits.cpu: {machine.cpus_allowed} in "
        "Kubernetes, where the container is started",
        _MORE_CPUS,
        "others on this machine get less; whoever starts the container must do it",
    )


def _affinity(facts: Facts) -> Advice | None:
    machine = facts.machine
    if machine.cpus_allowed >= machine.cpus_present:
        return None
    every = f"0-{machine.cpus_present - 1}"
    return Advice(
        "CPU affinity",
        f"this process may use {machine.cpus_allowed} of {machine.cpus_present} CPUs",
        f"taskset -c {every} python train.py; in a container --cpuset-cpus={every} where it is "
        "started; under Slurm a larger --cpus-per-task",
        _MORE_CPUS,
        "others on this machine get less; ask whoever set the limit",
    )


def _one_cpu(facts: Facts) -> Advice | None:
    if facts.machine.cpus_present > 1:
        return None
    return Advice(
        "number of CPUs",
        "1 in the machine",
        "nothing here: take a machine with two CPUs or more",
        _MORE_CPUS,
        "the other machine",
    )


_MORE_CPUS = (
    "with two workers instead of one a shared store is filled at 6.5 GB/s instead of 3.4, and "
    "private memory draws 44 000 windows/s instead of 24 000; more than two were not measured"
)


def _memory_limit(facts: Facts) -> Advice | None:
    machine = facts.machine
    left, available = machine.headroom.bytes, machine.memory_available
    if left >= LIMITED_BELOW * available:
        return None
    gib = max(1, math.floor(available / 2**30))
    here = machine.headroom.limited_by == "RLIMIT_AS"
    return Advice(
        "memory limit",
        f"{format_bytes(left)} left ({machine.headroom.limited_by}), {format_bytes(available)} "
        "available in the machine",
        "ulimit -v unlimited"
        if here
        else f"docker run --memory={gib}g ..., or limits.memory: {gib}Gi in Kubernetes, where the "
        "container is started; under Slurm a larger --mem",
        "only for stores that do not fit now: in memory they are read at 26 GB/s, from the disk "
        "file that replaces it at 3.4 once its pages were evicted",
        "others on this machine get less; "
        + ("root, where the hard limit is lower" if here else "whoever set the limit must do it"),
    )


def _spinning_threads(facts: Facts) -> Advice | None:
    policy = facts.omp_wait_policy
    if policy.upper() in ("", "PASSIVE"):
        return None
    return Advice(
        "waiting threads",
        f"OMP_WAIT_POLICY={policy}",
        "unset OMP_WAIT_POLICY   # train.py then sets PASSIVE",
        "beside one other busy program a training took 14 s instead of 97 s (GunPoint)",
        "threads take a little longer to wake on a machine that runs nothing else",
    )


def _no_disk(facts: Facts) -> Advice | None:
    if facts.disk_folder:
        return None
    return Advice(
        "temporary folder",
        "TMPDIR and /var/tmp lie in memory",
        "export TMPDIR=FOLDER   # one on a disk",
        "no speed: a store that does not fit in memory can go to a disk file instead of failing",
        "disk space of the store's size while it is in use",
    )


def _small_shm(facts: Facts) -> Advice | None:
    free = facts.machine.shm_free
    if free is not None and free >= SMALL_SHM_BYTES:
        return None
    return Advice(
        "/dev/shm",
        "missing" if free is None else f"{format_bytes(free)} free",
        "docker run --shm-size=2g ..., where the container is started; or leave "
        "datamodule.num_workers=0",
        "no speed: loader workers ship batches through it and die when it is full. Without loader "
        "workers loading is 10 times faster (55 000 windows/s against 5 300 with two), and the "
        "store does not use /dev/shm",
        "none: memory is taken only while it is used",
    )


_RULES: tuple[Callable[[Facts], Advice | None], ...] = (
    _no_numba,
    _shared_pages,
    _given_back,
    _private_pages,
    _spinning_threads,
    _quota,
    _affinity,
    _one_cpu,
    _no_kernel_cache,
    _memory_limit,
    _no_disk,
    _small_shm,
)
