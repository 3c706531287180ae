import numpy as np
import pytest

from dualgaf.errors import SeriesError
from dualgaf.imaging.packing import decode, encode, pack, unpack


@pytest.mark.parametrize(("storage", "n"), [("uint8", 127), ("uint16", 32767)])
def test_every_level_comes_back(storage, n):
    values = np.arange(-n, n + 1, dtype=np.float32) / np.float32(n)
    stored = encode(values, storage)
    assert stored.tolist() == list(range(1, 2 * n + 2))
    assert np.array_equal(decode(stored), values)


def test_levels_are_symmetric_about_an_exact_zero():
    g = np.random.default_rng(0).uniform(-1, 1, 10_000).astype(np.float32)
    g[:3] = [0.0, 0.5, -0.5]  # 0.5 * 127 is a tie
    stored = encode(g, "uint8").astype(int)
    assert np.array_equal(encode(-g, "uint8").astype(int), 256 - stored)
    assert decode(encode(np.zeros(1, np.float32), "uint8"))[0] == 0.0


def test_pack_puts_gasf_above_and_gadf_below():
    gasf = np.array([[1, 2], [2, 3]], dtype=np.float32)
    gadf = np.array([[0, 5], [-5, 0]], dtype=np.float32)
    packed = pack(np.stack([gasf, gadf])[:, None])
    assert packed.tolist() == [[[1, 2], [-5, 3]]]
    assert np.array_equal(unpack(packed), np.stack([gasf, gadf])[:, None])


def test_pack_names_a_wrong_shape():
    with pytest.raises(
        SeriesError, match=r"needs a \(\.\.\., 2, C, S, S\) array, got shape \(3, 1"
    ):
        pack(np.zeros((3, 1, 4, 4)))
