import numpy as np
import pytest
import torch
from hypothesis import given

from dualgaf.data.batch import Batch, PolarBatch, StoredBatch, to_images
from dualgaf.data.on_device import decode, draw
from dualgaf.imaging.gaf import dual_gaf
from dualgaf.imaging.packing import decode as decode_numpy
from dualgaf.imaging.packing import unpack
from strategies import windows as drawn_windows


@pytest.mark.parametrize("layout", ["dual", "packed"])
@pytest.mark.parametrize("storage", ["float32", "float16", "uint8", "uint16"])
@given(x=drawn_windows())
def test_decode_on_the_device_is_decode_in_numpy(storage, layout, x):
    stored = dual_gaf(x, dtype=storage, layout=layout)
    gasf, gadf = decode(torch.from_numpy(stored))
    want = decode_numpy(unpack(stored) if layout == "packed" else stored)
    assert np.array_equal(gasf.numpy(), want[:, 0])
    assert np.array_equal(gadf.numpy(), want[:, 1])
    assert gasf.dtype == gadf.dtype == torch.float32


def test_draw_is_the_formula():
    phi = torch.tensor([[[0.3, 1.2, 2.9]]], dtype=torch.float64)
    gasf, gadf = draw(torch.stack([phi.cos(), phi.sin()], dim=1).float())
    row, column = phi.unsqueeze(-1), phi.unsqueeze(-2)
    torch.testing.assert_close(gasf.double(), (row + column).cos(), atol=2e-7, rtol=0)
    torch.testing.assert_close(gadf.double(), (row - column).sin(), atol=2e-7, rtol=0)


def test_to_images_knows_all_three_kinds_and_is_idempotent():
    rest = torch.zeros(1, 1, 3), torch.zeros(1, dtype=torch.int64)
    stored = to_images(StoredBatch(torch.zeros(1, 2, 1, 3, 3, dtype=torch.uint16), *rest))
    drawn = to_images(PolarBatch(torch.zeros(1, 2, 1, 3), *rest))
    assert isinstance(stored, Batch)
    assert isinstance(drawn, Batch)
    assert to_images(drawn) is drawn
    gasf, gadf, series, label = drawn
    assert gasf.shape == gadf.shape == (1, 1, 3, 3)
    assert series is rest[0]
    assert label is rest[1]
