"""Normalisations inside convolutions: what the extractor gives, up to float32's rounding."""

import pytest
import torch
from torch import nn

from dualgaf.models.extractors.diagonals import DiagonalExtractor, along_diagonals
from dualgaf.models.extractors.folded import FoldedDiagonals


def learned(in_channels=2, width=8):
    """An extractor that has seen something: no mean is 0 and no deviation 1."""
    torch.manual_seed(0)
    extractor = DiagonalExtractor(width, in_channels).eval()
    for module in extractor.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.1, 2)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 2)
                nn.init.uniform_(module.bias, -1, 1)
    return extractor


def read(folded, images):
    pixels, there = along_diagonals(images)
    rows = pixels.flatten(1, 2).mT  # (N, S, M)
    rows = (rows - torch.from_numpy(folded.centre)) * torch.from_numpy(folded.scale)
    return folded(rows * there.repeat(images.shape[1], 1).T)


@pytest.mark.parametrize("size", [2, 7, 24])
@pytest.mark.parametrize("n", [1, 5])
def test_the_features_are_those_of_the_extractor(size, n):
    extractor = learned()
    images = torch.rand(n, 2, size, size) * 2 - 1
    with torch.inference_mode():
        wanted = extractor(images)
        found = read(FoldedDiagonals(extractor), images)
    torch.testing.assert_close(found, wanted, atol=2e-6, rtol=1e-5)


def test_weights_are_those_of_the_time_when_it_was_folded():
    extractor, images = learned(), torch.rand(2, 2, 9, 9)
    folded = FoldedDiagonals(extractor)
    with torch.inference_mode():
        before = read(folded, images)
        extractor.readout.bias += 1
        extractor.normalise.running_mean += 1
        assert torch.equal(read(folded, images), before)
        assert not torch.equal(read(FoldedDiagonals(extractor), images), before)
