"""What the advice of `doctor` depends on."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dualgaf.errors import DependencyError
from dualgaf.imaging.compiled import kernel_folder
from dualgaf.system.machine import Machine, format_bytes, is_in_memory


@dataclass(frozen=True)
class Facts:
    """What the advice depends on."""

    machine: Machine
    """Memory, CPUs, huge pages, limits."""
    broken: str
    """Why the compiled kernels cannot be imported, so that no image is drawn; empty where they
    can."""
    kernel_cache: Path | None
    """Folder of the compiled kernels; None where no folder for them can be written."""
    disk_folder: bool
    """Whether a temporary folder lies on a disk, not in memory."""
    omp_wait_policy: str
    """OMP_WAIT_POLICY of the environment; empty where it is not set."""

    @classmethod
    def read(cls) -> Self:
        """Read everything now."""
        folders = [Path(tempfile.gettempdir()), Path("/var/tmp")]
        kernel_cache, broken = None, ""
        try:
            kernel_cache = kernel_folder()
        except DependencyError as error:
            broken = str(error.__cause__ or error)
        return cls(
            machine=Machine.read(),
            broken=broken,
            kernel_cache=kernel_cache,
            disk_folder=any(folder.is_dir() and not is_in_memory(folder) for folder in folders),
            omp_wait_policy=os.environ.get("OMP_WAIT_POLICY", ""),
        )

    def __str__(self) -> str:
        locked = self.machine.memlock
        limit = "no limit" if locked is None else format_bytes(locked)
        drawn = f"numba, {self.kernel_cache or 'but no folder for them can be written'}"
        rows = (
            f"{'memlock':11} {limit} (nothing here locks memory)",
            f"{'kernels':11} {(self.broken and f'none: {self.broken}') or drawn}",
        )
        return "\n".join([str(self.machine), *rows])
