"""The journal: torn and damaged lines are passed over, and ranges add up."""

import json
import os
import stat

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.errors import HandleError
from dualgaf.store.journal import Coverage, Journal, JournalHead, RowRange, read_journal
from dualgaf.store.layout import HEADER_BYTES, StoreLayout

LAYOUT = StoreLayout(10, (3,), "uint8")
HEAD = JournalHead(bytes(range(16)), LAYOUT, "0" * 32)
ROWS = [RowRange(0, 2, "a" * 16), RowRange(4, 10, "b" * 16), RowRange(2, 3, "c" * 16)]


def written(path, rows=ROWS):
    journal = Journal.begin(path, HEAD)
    for one in rows:
        journal.add(one)
    journal.close()
    return path


def test_what_is_written_is_read(tmp_path):
    path = written(tmp_path / "x.journal")
    assert read_journal(path) == (HEAD, ROWS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_wherever_it_is_cut_off_the_whole_lines_are_good(tmp_path):
    path = written(tmp_path / "x.journal")
    whole = path.read_bytes()
    ends = [at for at, byte in enumerate(whole) if byte == ord("\n")]
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        if size < ends[0]:
            with pytest.raises(HandleError, match="the journal has no head"):
                read_journal(path)
        else:
            assert read_journal(path)[1] == ROWS[: sum(size >= end for end in ends[1:])]


def test_a_flipped_bit_costs_its_line_only(tmp_path):
    path = written(tmp_path / "x.journal")
    whole = path.read_bytes()
    head = whole.index(b"\n") + 1
    for at in range(head, len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        found = read_journal(path)[1]
        assert set(found) < set(ROWS)
        assert len(found) >= len(ROWS) - 2  # two, where the bit is in the end of a line


def test_one_that_was_torn_is_gone_on_with(tmp_path):
    path = written(tmp_path / "x.journal", ROWS[:2])
    os.truncate(path, path.stat().st_size - 5)
    journal = Journal.go_on(path)
    journal.add(ROWS[2])
    journal.close()
    assert read_journal(path) == (HEAD, [ROWS[0], ROWS[2]])


@pytest.mark.parametrize(
    "line",
    [
        b"null",
        b"[1, 2]",
        b'[0, 11, "a"]',
        b'[-1, 2, "a"]',
        b'[3, 3, "a"]',
        b'[true, 2, "a"]',
        b'[0, 2.0, "a"]',
        b"[0, 2, 7]",
        b"[" * 100_000,
        b"1e999",
        b'{"a": 1}',
        b"\xff\xfe",
    ],
)
def test_a_line_with_a_good_check_and_nonsense_before_it_is_passed_over(line, tmp_path):
    path = written(tmp_path / "x.journal", ROWS[:1])
    with path.open("ab") as file:
        file.write(line + b" " + xxhash.xxh3_64_hexdigest(line).encode() + b"\n")
    assert read_journal(path)[1] == ROWS[:1]


OTHER_VERSION = json.dumps({**HEAD.to_json(), "version": 1}).encode()


@pytest.mark.parametrize("head", [b"{}", b"[]", b"3", b'{"version": 1}', OTHER_VERSION])
def test_a_head_of_another_kind_is_refused(head, tmp_path):
    path = tmp_path / "x.journal"
    path.write_bytes(head + b" " + xxhash.xxh3_64_hexdigest(head).encode() + b"\n")
    with pytest.raises(HandleError, match="the journal has no head"):
        read_journal(path)


def test_the_checksum_is_xxh3_of_the_rows_and_needs_them_all(tmp_path):
    path = tmp_path / "x.store"
    data = np.random.default_rng(0).bytes(LAYOUT.data_bytes)
    path.write_bytes(bytes(HEADER_BYTES) + data)
    with path.open("rb") as file:
        found = RowRange.of(file.fileno(), LAYOUT, 2, 5)
        assert found == RowRange(2, 5, xxhash.xxh3_64_hexdigest(data[6:15]))
        assert found.is_good(file.fileno(), LAYOUT)
        assert not RowRange(2, 5, "0" * 16).is_good(file.fileno(), LAYOUT)
        os.truncate(path, HEADER_BYTES + 14)
        with pytest.raises(HandleError, match="the store ends at byte 4110, 4111 are needed"):
            RowRange.of(file.fileno(), LAYOUT, 2, 5)


def test_a_range_larger_than_a_block_is_read_in_several(tmp_path):
    layout = StoreLayout(3, (1 << 20,), "uint8")
    data = np.random.default_rng(1).bytes(layout.data_bytes)
    (tmp_path / "x").write_bytes(bytes(HEADER_BYTES) + data)
    with (tmp_path / "x").open("rb") as file:
        found = RowRange.of(file.fileno(), layout, 0, 3)
    assert found.checksum == xxhash.xxh3_64_hexdigest(data)


bounds = st.tuples(st.integers(0, 30), st.integers(1, 10)).map(lambda x: (x[0], x[0] + x[1]))


@given(st.lists(bounds, max_size=8), bounds)
def test_coverage_is_the_union(ranges, asked):
    rows = {row for first, last in ranges for row in range(first, last)}
    there = Coverage(ranges)
    assert there.n_rows == len(rows)
    assert there.covers(*asked) == (set(range(*asked)) <= rows)
    gaps = {row for first, last in there.gaps(40) for row in range(first, last)}
    assert gaps == set(range(40)) - rows
    assert all(a[1] < b[0] for a, b in zip(there.spans, there.spans[1:], strict=False))
