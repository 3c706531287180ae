"""A disk store may be larger than the memory; the kernel must not refuse to map it."""

import os

import psutil
import pytest

import leaks
from dualgaf.store.backing import anonymous_file
from dualgaf.store.layout import StoreLayout
from dualgaf.store.segments import Segments
from dualgaf.store.store import Store


def test_a_disk_store_larger_than_the_memory_is_mapped_and_stays_private(tmp_path):
    row = 1 << 20
    memory = psutil.virtual_memory().total + psutil.swap_memory().total
    layout = StoreLayout(2 * memory // row, (row,), "uint8")
    nonce = bytes(16)
    files = leaks.open_files()
    descriptor = anonymous_file(tmp_path)
    try:
        os.ftruncate(descriptor, layout.total_bytes)  # sparse: takes no space
    except OSError as error:
        os.close(descriptor)
        pytest.skip(f"this file system takes no file of {layout.total_bytes} bytes: {error}")
    os.pwrite(descriptor, layout.header(nonce), 0)
    store = Store.from_segments(layout, "file", Segments((descriptor,), layout.total_bytes), nonce)
    store.array[-1, -1] = 7
    assert store.array[-1, -1] == 7
    assert os.pread(descriptor, 1, layout.total_bytes - 1) == b"\0"
    store.close()
    del store
    assert len(leaks.open_files()) <= len(files)
