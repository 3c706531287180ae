"""How many loader workers /dev/shm can serve; it really refuses in tests/faults/test_places.py."""

import multiprocessing
import warnings

import pytest

from dualgaf.data import loader as loading
from dualgaf.data.loader import loader_workers
from dualgaf.errors import FallbackWarning
from semaphores import needs_semaphores

MIB = 1 << 20


@pytest.mark.parametrize(
    ("asked", "batch_bytes", "expected"),
    [
        (0, 1 << 50, (0, None)),
        (4, MIB, (4, 2)),  # 8 MiB under way, half of 16 MiB
        (1, 4 * MIB, (1, 2)),
        (4, 0, (4, 2)),
    ],
)
@needs_semaphores
def test_what_fits_is_given_without_a_word(monkeypatch, asked, batch_bytes, expected):
    monkeypatch.setattr(loading, "disk_free", lambda folder: 16 * MIB)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert loader_workers(asked, batch_bytes) == expected


@pytest.mark.parametrize(
    ("asked", "batch_bytes", "expected", "says"),
    [
        (4, MIB + 1, (4, 1), "4 loader workers with one batch in advance each"),
        (4, 2 * MIB + 1, (3, 1), "3 loader workers"),
        (4, 8 * MIB, (1, 1), r"1 loader workers .* type num_workers=1$"),
        (1, 8 * MIB + 1, (0, None), r"makes the batches itself: /dev/shm has 16.00 MiB free"),
    ],
)
@needs_semaphores
def test_fewer_where_there_is_less_room(monkeypatch, asked, batch_bytes, expected, says):
    monkeypatch.setattr(loading, "disk_free", lambda folder: 16 * MIB)
    with pytest.warns(FallbackWarning, match=says):
        assert loader_workers(asked, batch_bytes) == expected


def test_none_without_semaphores(monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(multiprocessing.get_context("fork"), "Semaphore", refuse, raising=False)
    with pytest.warns(
        FallbackWarning, match=r"no semaphore \(Permission denied\); .*num_workers=0"
    ):
        assert loader_workers(2, 1) == (0, None)


@needs_semaphores
def test_a_system_without_dev_shm_is_not_asked_for_room(monkeypatch, tmp_path):
    monkeypatch.setattr(loading, "_SHM", tmp_path / "none")
    assert loader_workers(2, 1 << 50) == (2, 2)
