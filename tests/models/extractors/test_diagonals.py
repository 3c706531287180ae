"""The diagonals by a double loop, and what reading along them is for."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.models.extractors.diagonals import LAGS, DiagonalExtractor, along_diagonals


@given(side=st.integers(2, 40))
def test_the_diagonals_by_a_double_loop(side: int) -> None:
    images = torch.rand(2, 3, side, side)
    pixels, there = along_diagonals(images)
    assert pixels.shape == (2, 3, len(LAGS), side)
    for number, lag in enumerate(LAGS):
        for step in range(side):
            row, column = step - lag // 2, step - lag // 2 + lag
            inside = row >= 0 and column < side
            assert bool(there[number, step]) == inside
            if inside:
                assert torch.equal(pixels[:, :, number, step], images[:, :, row, column])


def test_every_pair_of_steps_of_a_lag_is_read_once() -> None:
    _, there = along_diagonals(torch.zeros(1, 1, 30, 30))
    assert there.sum(dim=1).tolist() == [30 - lag for lag in LAGS]


def test_what_comes_later_is_found_all_the_same() -> None:
    # A square far from the edges, moved along the diagonal, and one moved to the right of it.
    torch.manual_seed(0)
    extractor = DiagonalExtractor(16).double().eval()
    early, late, beside = torch.zeros(3, 1, 1, 64, 64, dtype=torch.float64)
    early[..., 24:30, 24:30] = 1.0
    late[..., 31:37, 31:37] = 1.0
    beside[..., 24:30, 31:37] = 1.0
    with torch.no_grad():
        size = (extractor(early) - extractor(torch.zeros_like(early))).norm()
        assert (extractor(early) - extractor(late)).norm() < 0.05 * size
        assert (extractor(early) - extractor(beside)).norm() > 0.3 * size


def test_what_moves_little_counts_as_what_moves_much() -> None:
    torch.manual_seed(0)
    extractor, images = DiagonalExtractor(16, in_channels=2).train(), torch.rand(8, 2, 24, 24)
    small = images * torch.tensor([1.0, 0.1]).view(2, 1, 1) + torch.tensor([0.0, 0.5]).view(2, 1, 1)
    torch.testing.assert_close(extractor(small), extractor(images), atol=0.02, rtol=0.02)


def test_images_that_are_all_the_same_are_no_trouble() -> None:
    extractor = DiagonalExtractor(16).train()
    features = extractor(torch.full((3, 1, 12, 12), 0.7))
    features.square().sum().backward()
    assert torch.isfinite(features).all()
    assert all(torch.isfinite(p.grad).all() for p in extractor.parameters() if p.grad is not None)
