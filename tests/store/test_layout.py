"""Where rows lie, and the header."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.errors import ConfigError, HandleError
from dualgaf.store.layout import FORMAT_VERSION, HEADER_BYTES, StoreLayout

LAYOUT = StoreLayout(10, (2, 3, 8, 8), "uint8")
NONCE = bytes(range(16))


def test_sizes_by_hand():
    assert LAYOUT.row_bytes == 2 * 3 * 8 * 8
    assert LAYOUT.data_bytes == 3840
    assert LAYOUT.total_bytes == 4096 + 3840
    assert LAYOUT.offset(0) == HEADER_BYTES == 4096
    assert LAYOUT.offset(3) == 4096 + 3 * 384
    assert StoreLayout(10, (3, 8, 8), "float32").row_bytes == 3 * 8 * 8 * 4


def test_sizes_beyond_32_bits():
    assert StoreLayout(10**6, (2, 32, 224, 224), "float32").data_bytes == 12845056 * 10**6


@pytest.mark.parametrize(("n", "shape"), [(0, (2, 2)), (-1, (2, 2)), (5, (2, 0)), (5, ())])
def test_an_empty_store_is_refused(n, shape):
    with pytest.raises(ConfigError, match="is empty; needed: at least one row and one element"):
        StoreLayout(n, shape, "uint8")


@pytest.mark.parametrize("dtype", ["complex64", "object", "U3", "uint9", 8])
def test_a_store_of_what_is_no_number_is_refused(dtype):
    with pytest.raises(ConfigError, match=f"a store of {dtype!r} is not allowed; allowed: NumPy"):
        StoreLayout(5, (2, 2), dtype)


def test_a_store_that_no_file_can_hold_is_refused():
    assert StoreLayout(2**62, (1,), "uint8").total_bytes > 2**62
    with pytest.raises(ConfigError, match=r"of shape \(2,\) is larger than any file"):
        StoreLayout(2**62, (2,), "uint8")


@given(st.integers(1, 500), st.integers(1, 600))
def test_chunks_cover_each_row_once(n_rows, chunk_rows):
    chunks = StoreLayout(n_rows, (1,), "uint8").chunks(chunk_rows)
    assert [row for first, last in chunks for row in range(first, last)] == list(range(n_rows))
    assert all(last - first == chunk_rows for first, last in chunks[:-1])


@pytest.mark.parametrize("chunk_rows", [0, -3])
def test_chunks_of_no_rows_are_refused(chunk_rows):
    with pytest.raises(ConfigError, match=f"chunk_size={chunk_rows} is not allowed"):
        LAYOUT.chunks(chunk_rows)


shapes = st.lists(st.integers(1, 300), min_size=1, max_size=5).map(tuple)
dtypes = st.sampled_from(["uint8", "uint16", "float16", "float32"])


@given(st.integers(1, 10**5), shapes, dtypes, st.binary(min_size=16, max_size=16))
def test_the_header_gives_the_layout_back(n_rows, shape, dtype, nonce):
    layout = StoreLayout(n_rows, shape, dtype)
    head = layout.header(nonce)
    assert len(head) == HEADER_BYTES
    assert StoreLayout.from_header(head) == (layout, nonce)
    assert StoreLayout.from_json(layout.to_json()) == layout


def test_a_stranger_is_no_store():
    for head in (b"", b"x" * 4096, LAYOUT.header(NONCE)[:20], b"\x93NUMPY" + bytes(4090)):
        with pytest.raises(HandleError, match="not a store of dualgaf"):
            StoreLayout.from_header(head)


def test_another_version_is_named():
    head = bytearray(LAYOUT.header(NONCE))
    head[8] = FORMAT_VERSION + 6
    with pytest.raises(HandleError, match="a store of format version 7; this package reads 1"):
        StoreLayout.from_header(bytes(head))


@pytest.mark.parametrize(
    "text", [b"{", b"[]", b"{}", b'{"n_rows": 0, "row_shape": [], "dtype": 1}']
)
def test_a_damaged_header_is_an_error_of_the_handle(text):
    head = bytearray(LAYOUT.header(NONCE))
    head[32:4096] = text.ljust(4064)
    with pytest.raises(HandleError, match="the header of the store is damaged"):
        StoreLayout.from_header(bytes(head))


def test_rows_are_where_numpy_would_put_them():
    rows = np.arange(LAYOUT.data_bytes, dtype=np.uint32).astype(np.uint8).reshape(10, *(2, 3, 8, 8))
    data = LAYOUT.header(NONCE) + rows.tobytes()
    start = LAYOUT.offset(7)
    assert data[start : start + LAYOUT.row_bytes] == rows[7].tobytes()
