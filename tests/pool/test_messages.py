"""What travels between supervisor and worker."""

import os
import socket
from collections.abc import Iterator

import numpy as np
import pytest

import leaks
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.pool.messages import Job, map_windows, receive, send, share_windows
from dualgaf.store.bundle import Place, kinds_of, lay_out
from fills import layout_of, windows_of


@pytest.fixture(autouse=True)
def _leaves_nothing() -> Iterator[None]:
    yield from leaks.leaves_nothing()


def a_job(windows: Windows, arrays: tuple[Place, ...]) -> Job:
    recipe = ImagingRecipe(8, feature_range=(-0.5, 0.5))
    return Job(recipe, layout_of(windows, recipe), "memfd", 16, arrays)


def test_a_job_is_the_same_after_the_journey():
    windows = windows_of(5)
    arrays = {"starts": windows.starts, "flat": windows.flat}
    job = a_job(windows, lay_out(kinds_of(arrays)))
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with left, right:
        send(left, job.to_message())
        message, descriptors = receive(right)
    assert vars(Job.from_message(message)) == vars(job)
    assert descriptors == []


def test_open_files_travel_beside_a_message():
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fd = os.memfd_create("dualgaf-test")
    os.write(fd, b"hello")
    with left, right:
        send(left, {"kind": "job"}, (fd,))
        os.close(fd)
        _, (received,) = receive(right)
        assert os.pread(received, 5, 0) == b"hello"
        os.close(received)


def test_the_longest_error_text_fits_a_packet():
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    text = "\N{SNOWMAN}" * 20_000
    with left, right:
        send(left, {"text": text, "trace": text})
        assert receive(right)[0]["trace"] == text


def test_the_end_of_the_other_side_is_none():
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    left.close()
    with right:
        assert receive(right) == (None, [])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("memfd", [True, False])
def test_windows_and_bounds_are_the_same_and_aligned_on_the_other_side(
    dtype, fitted, memfd, monkeypatch
):
    if not memfd:
        monkeypatch.delattr(os, "memfd_create")
    # 3 x 23 float32 values: an odd number of four-byte values, which would shift what follows
    windows = windows_of(7, channels=3)
    windows = Windows(windows.flat.astype(dtype), windows.starts, windows.window_size)
    bounds = np.array([[-1.0, 0.1, 1 / 3], [2.0, 3.0, np.pi]]) if fitted else None
    source, arrays = share_windows(windows, bounds)
    got, got_bounds = map_windows(a_job(windows, arrays=arrays), source)
    os.close(source)
    np.testing.assert_array_equal(got.flat, windows.flat)
    np.testing.assert_array_equal(got.starts, windows.starts)
    assert got.flat.dtype == dtype
    assert got.flat.flags.aligned
    assert got.starts.flags.aligned
    assert not got.flat.flags.writeable
    if fitted:
        np.testing.assert_array_equal(got_bounds, bounds)
    else:
        assert got_bounds is None
