import numpy as np
import pytest
import torch
from hypothesis import given

from dualgaf.data.batch import (
    Batch,
    PolarBatch,
    StoredBatch,
    decode,
    draw_on_cpu,
    draw_on_device,
    read_all,
    to_images,
)
from dualgaf.data.buffers import ImageBuffers
from dualgaf.imaging.gaf import Renderer, dual_gaf
from dualgaf.imaging.packing import decode as decode_numpy
from dualgaf.imaging.packing import unpack
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from strategies import windows as drawn_windows


def bits(fields):
    return [field.contiguous().numpy().view(np.uint32) for field in fields]


@pytest.mark.parametrize("layout", ["dual", "packed"])
@pytest.mark.parametrize("storage", ["float32", "float16", "uint8", "uint16"])
@given(x=drawn_windows())
def test_decode_on_the_device_is_decode_in_numpy_and_on_the_cpu(storage, layout, x):
    stored = dual_gaf(x, dtype=storage, layout=layout)
    gasf, gadf = decode(torch.from_numpy(stored))
    want = decode_numpy(unpack(stored) if layout == "packed" else stored)
    assert np.array_equal(gasf.numpy(), want[:, 0])
    assert np.array_equal(gadf.numpy(), want[:, 1])
    assert gasf.dtype == gadf.dtype == torch.float32
    on_host = read_all(torch.from_numpy(stored), ImageBuffers())
    for one, other in zip(bits((gasf, gadf)), bits(on_host), strict=True):
        assert np.array_equal(one, other)


@given(x=drawn_windows())
def test_draw_on_the_device_gives_the_bits_of_the_cpu_and_of_a_float32_store(x):
    n, channels, steps = x.shape
    flat = np.ascontiguousarray(x.transpose(1, 0, 2)).reshape(channels, n * steps)
    windows = Windows(flat, np.arange(n) * steps, steps)
    renderer = Renderer(ImagingRecipe(steps, storage="float32"), steps)
    angles = torch.from_numpy(renderer.polar(windows, np.arange(n)))
    stored = torch.from_numpy(dual_gaf(x))
    want = bits((stored[:, 0], stored[:, 1]))
    for fields in (draw_on_device(angles), draw_on_cpu(angles, ImageBuffers())):
        for one, other in zip(bits(fields), want, strict=True):
            assert np.array_equal(one, other)


def test_draw_is_the_formula():
    phi = torch.tensor([[[0.3, 1.2, 2.9]]], dtype=torch.float64)
    gasf, gadf = draw_on_device(torch.stack([phi.cos(), phi.sin()], dim=1).float())
    row, column = phi.unsqueeze(-1), phi.unsqueeze(-2)
    torch.testing.assert_close(gasf.double(), (row + column).cos(), atol=2e-7, rtol=0)
    torch.testing.assert_close(gadf.double(), (row - column).sin(), atol=2e-7, rtol=0)


@pytest.mark.parametrize("storage", [torch.float32, torch.float16, torch.uint8, torch.uint16])
def test_decoding_leaves_what_was_shipped_as_it_is(storage):
    for shape in ((2, 2, 3, 4, 4), (2, 3, 4, 4)):
        fields = torch.full(shape, 1.0).to(storage)
        before = fields.clone()
        decode(fields)
        read_all(fields, ImageBuffers())
        assert torch.equal(fields, before)


def test_to_images_knows_all_three_kinds_and_is_idempotent():
    rest = torch.zeros(1, 1, 3), torch.zeros(1, dtype=torch.int64)
    buffers = ImageBuffers()
    pixels = torch.zeros(1, 2, 1, 3, 3, dtype=torch.uint16)
    stored = to_images(StoredBatch(pixels, *rest), buffers)
    drawn = to_images(PolarBatch(torch.zeros(1, 2, 1, 3), *rest), buffers)
    assert isinstance(stored, Batch)
    assert isinstance(drawn, Batch)
    assert to_images(drawn, buffers) is drawn
    gasf, gadf, series, label = drawn
    assert gasf.shape == gadf.shape == (1, 1, 3, 3)
    assert series is rest[0]
    assert label is rest[1]


def test_batches_on_another_device_are_made_there_by_torch():
    rest = torch.zeros(2, 3, 9), torch.zeros(2, dtype=torch.int64)
    stored = StoredBatch(torch.zeros(2, 2, 3, 5, 5, dtype=torch.uint8, device="meta"), *rest)
    packed = StoredBatch(torch.zeros(2, 3, 5, 5, dtype=torch.uint8, device="meta"), *rest)
    polar = PolarBatch(torch.zeros(2, 2, 3, 5, device="meta"), *rest)
    for shipped in (stored, packed, polar):
        batch = to_images(shipped, ImageBuffers())
        for field in (batch.gasf, batch.gadf):
            assert (field.device.type, field.dtype) == ("meta", torch.float32)
            assert field.shape == (2, 3, 5, 5)
