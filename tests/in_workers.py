"""What tests run in loader workers. A worker that is spawned imports this file and what it needs.

The file of the test would do, but it needs Lightning, which takes a worker seconds to import.
"""

import re
from pathlib import Path

from torch.utils.data import get_worker_info


def spoil(dataset):
    """Everything in a dataset that can be changed in place; says how many bytes are shared."""
    arrays = [dataset.windows.flat, dataset.windows.starts, dataset.scaler.mean]
    if isinstance(dataset.images, tuple):
        arrays.append(dataset.images[0].array)
    for array in arrays:
        array[...] = 1
        assert (array == 1).all()
    dataset.labels[...] = 1
    return sum(array.nbytes for array in arrays)


def spoil_in_worker(batch):
    """A collate function with every mistake; it runs in the loader worker."""
    for part in batch:
        part.zero_()
        assert not part.any()
    spoil(get_worker_info().dataset)
    return batch


def watched(batch):
    """A collate function that tells of the worker: the stores it maps, and its own memory."""
    inodes, own_pages, ours = set(), 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        fields = line.split()
        if not fields[0].endswith(":"):
            ours = "memfd:dualgaf" in line
            inodes |= {int(fields[4])} if ours else set()
        elif ours and fields[0] == "Anonymous:":
            own_pages += int(fields[1])
    rollup = Path("/proc/self/smaps_rollup").read_text()
    (own,) = re.findall(r"^Anonymous:\s+(\d+) kB$", rollup, re.MULTILINE)
    return batch, inodes, own_pages, int(own) << 10
