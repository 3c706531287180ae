"""A real SLURM with two nodes, and two hosts on one machine.

Each is started for a module and ended by the ids of its processes, also where a test has failed.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster_programs import Place, environment_of, needs, script


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Two nodes, n1 and n2; both have the disk and the shared memory of this machine."""
    needs("slurmctld", "slurmd", "munged", "srun", "sbatch", "scontrol")
    folder = tmp_path_factory.mktemp("slurm")
    up = script("slurm.sh", "up", str(folder))
    if up.returncode:
        pytest.skip(f"SLURM does not start here: {(up.stdout + up.stderr)[-300:]}")
    # The names of its nodes are known to SLURM alone, so ranks do not meet by them.
    own = {"SLURM_CONF": str(folder / "slurm.conf"), "MASTER_ADDR": "127.0.0.1"}
    place = Place(folder, environment_of(tmp_path_factory.mktemp("runtime")) | own)
    try:
        yield place
    finally:
        place.end()
        down = script("slurm.sh", "down", str(folder))
    assert down.returncode == 0, down.stdout + down.stderr


@pytest.fixture(scope="module")
def two_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """host0 and host1: networks, processes, shared memory and temporary folders of their own."""
    needs("ip", "unshare", "setpriv")
    folder = tmp_path_factory.mktemp("hosts")
    up = script("two_hosts.sh", "up", str(folder))
    if up.returncode:
        pytest.skip(f"no hosts can be made here: {(up.stdout + up.stderr)[-300:]}")
    place = Place(folder, environment_of(tmp_path_factory.mktemp("runtime")))
    try:
        yield place
    finally:
        place.end()
        script("two_hosts.sh", "down", str(folder))
    assert not [*Path("/run/netns").glob("dualgaf*")]
