from pathlib import Path

import pytest

import leaks
from dualgaf.bench.limits import MEMSET, PWRITE, limit_sides

N_BYTES = 3_000_001

pytestmark = pytest.mark.usefixtures("leaves_nothing")


def files():
    """The memfds of a benchmark that this process holds; a map holds its file once more."""
    links = leaks.open_files().items()
    paths = [Path("/proc/self/fd", number) for number, link in links if "dualgaf-bench" in link]
    return {found.st_ino: found for found in (path.stat() for path in paths)}.values()


def written():
    return sorted(file.st_size for file in files())


def sides(workers):
    return {side.name: side for side in limit_sides(30, N_BYTES, workers)}


@pytest.mark.parametrize(
    ("name", "workers", "sizes"),
    [
        (MEMSET["private"], 2, []),
        (MEMSET["shared"], 3, [N_BYTES]),
        (PWRITE, 1, [N_BYTES]),
        (PWRITE, 3, [1_000_000, 1_000_000, 1_000_001]),
    ],
)
def test_every_byte_is_written_into_its_kind_of_memory_and_freed(name, workers, sizes):
    assert written() == []
    with sides(workers)[name].work():
        assert written() == sizes
        if sizes and name != PWRITE:
            resident = Path("/proc/self/smaps").read_text().split("memfd:dualgaf-bench")[1]
            assert int(resident.split("Rss:")[1].split()[0]) * 1024 >= N_BYTES
    assert written() == []


def test_pwrite_leaves_no_hole():
    with sides(2)[PWRITE].work():
        taken = sum(file.st_blocks * 512 for file in files())
    assert taken >= N_BYTES


def test_limits_tell_how_much_they_write():
    for side in sides(2).values():
        assert (side.windows, side.n_bytes) == (30, N_BYTES)
