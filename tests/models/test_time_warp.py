"""A warped image is the image of a warped series, and the line of a warp is a line of time."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.data.batch import draw_on_device as draw
from dualgaf.errors import ConfigError
from dualgaf.models.time_warp import TimeWarp, interpolation


def angles(n: int, channels: int, steps: int) -> torch.Tensor:
    """Cosine and sine (N, 2, C, T) of random angles in [0, pi]."""
    phi = torch.rand(n, channels, steps, dtype=torch.float64) * torch.pi
    return torch.stack([phi.cos(), phi.sin()], dim=1)


def test_a_line_worked_out_on_paper() -> None:
    # Steps 0 to 3 are read at 0, 0.9, 1.5 and 3: the first half is slow.
    places = torch.tensor([[0.0, 0.3, 0.5, 1.0]], dtype=torch.float64)
    wanted = [[1, 0, 0, 0], [0.1, 0.9, 0, 0], [0, 0.5, 0.5, 0], [0, 0, 0, 1]]
    got = interpolation(places, 4)[0]
    torch.testing.assert_close(got, torch.tensor(wanted, dtype=torch.float64))


@given(
    seed=st.integers(0, 1 << 30),
    steps=st.integers(2, 40),
    speed=st.floats(0, 2),
    crop=st.floats(0, 0.9),
)
def test_a_warp_of_the_image_is_the_image_of_the_warp(
    seed: int, steps: int, speed: float, crop: float
) -> None:
    torch.manual_seed(seed)
    old = angles(2, 3, steps)
    gasf, gadf = draw(old)

    def warped(series: torch.Tensor) -> tuple[torch.Tensor, ...]:
        torch.manual_seed(seed)  # the same line for all
        return TimeWarp(speed, crop)(gasf.float(), gadf.float(), series.float())

    cosine, sine = warped(old[:, 0])[2], warped(old[:, 1])[2]
    wanted = draw(torch.stack([cosine, sine], dim=1))
    got = warped(old[:, 0])
    torch.testing.assert_close(got[0], wanted[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(got[1], wanted[1], atol=1e-5, rtol=0)


@given(
    seed=st.integers(0, 1 << 30),
    side=st.integers(2, 30),
    speed=st.floats(0, 2),
    crop=st.floats(0, 0.9),
    p=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_some_pixels_of_a_warp_are_those_of_the_whole_image(
    seed: int, side: int, speed: float, crop: float, p: float
) -> None:
    torch.manual_seed(seed)
    gasf, gadf, series = *torch.rand(2, 3, 2, side, side), torch.randn(3, 2, side + 3)
    row, column = torch.randint(0, side, (2, 4, 5))
    warp = TimeWarp(speed, crop, p)
    torch.manual_seed(seed)
    whole = warp(gasf, gadf, series)
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    got = warp.of_pixels(gasf, gadf, series, row, column)
    assert torch.equal(torch.get_rng_state(), state)  # the same numbers were drawn
    assert torch.equal(got[2], whole[2])
    for pixels, image in zip(got[:2], whole[:2], strict=True):
        torch.testing.assert_close(pixels, image[:, :, row, column], atol=1e-5, rtol=0)


@given(seed=st.integers(0, 1 << 30), speed=st.floats(0, 2), crop=st.floats(0, 0.9))
def test_a_line_runs_forwards_and_keeps_what_crop_leaves(
    seed: int, speed: float, crop: float
) -> None:
    torch.manual_seed(seed)
    line = TimeWarp(speed, crop)._line(8, torch.device("cpu"))
    assert (line.diff(dim=1) >= 0).all()
    first, last = line[:, 0], line[:, -1]
    assert (first >= 0).all()
    assert (last <= 1 + 1e-6).all()
    assert (last - first >= 1 - crop - 1e-6).all()


def test_windows_of_a_batch_get_lines_of_their_own_and_signals_the_same() -> None:
    torch.manual_seed(0)
    series = torch.linspace(0, 1, 30).expand(2, 3, 30)
    image = torch.zeros(2, 3, 8, 8)
    *_, warped = TimeWarp(0.4, 0.2)(image, image, series)
    assert torch.equal(warped[:, 0], warped[:, 2])
    assert not torch.allclose(warped[0], warped[1])


def test_nothing_is_drawn_where_nothing_is_warped() -> None:
    image, series = torch.rand(1, 1, 4, 4), torch.rand(1, 1, 4)
    state = torch.get_rng_state()
    got = TimeWarp()(image, image, series)
    assert got[0] is image
    assert got[2] is series
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("speed", "crop"), [(-0.1, 0.0), (0.1, 1.0), (0.1, -0.2)])
def test_numbers_out_of_range_are_refused(speed: float, crop: float) -> None:
    option = "time_warp" if speed < 0 else "crop"
    with pytest.raises(ConfigError, match=rf"classifier.{option}=.* type classifier.{option}=0"):
        TimeWarp(speed, crop)


@given(seed=st.integers(0, 1 << 30), steps=st.integers(1, 40), speed=st.floats(0, 2))
def test_series_alone_change_as_they_do_beside_images(seed: int, steps: int, speed: float) -> None:
    series = torch.rand(3, 2, steps)
    warp = TimeWarp(speed, 0.3, p=1.0)
    torch.manual_seed(seed)
    wanted = series @ interpolation(warp._line(3, torch.device("cpu")), steps).mT
    torch.manual_seed(seed)
    torch.testing.assert_close(warp.of_series(series), wanted, atol=1e-5, rtol=0)


def test_about_half_of_the_windows_stay_as_they_are() -> None:
    torch.manual_seed(0)
    series, image = torch.rand(400, 1, 30), torch.rand(400, 1, 8, 8)
    gasf, _, got = TimeWarp(0.4, 0.2)(image, image, series)
    same = ((got - series).abs() < 1e-5).all(dim=-1)[:, 0]
    assert 150 < int(same.sum()) < 250
    assert torch.equal(same, ((gasf - image).abs() < 1e-5).flatten(1).all(dim=1))
    with pytest.raises(ConfigError, match="p=2"):
        TimeWarp(p=2)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_windows_are_changed_or_none(share: float) -> None:
    image, series = torch.rand(6, 1, 20, 20), torch.rand(6, 1, 20)
    warped = TimeWarp(0.4, 0.2, share)(image, image, series)[2]
    assert (warped != series).any(dim=2).float().mean() == share
