"""`DualGAFNet`: shapes, gradients, determinism, learning, and what it refuses."""

from itertools import product
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from dualgaf.errors import ConfigError, SeriesError
from dualgaf.models.net import DualGAFNet


def windows(n: int, n_channels: int, size: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Images and series of random windows, by the formula of the fields."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, n_channels, size, generator=generator) * 2 - 1
    s = (1 - x * x).sqrt()
    gasf = x[..., :, None] * x[..., None, :] - s[..., :, None] * s[..., None, :]
    gadf = s[..., :, None] * x[..., None, :] - x[..., :, None] * s[..., None, :]
    return gasf, gadf, x


@pytest.mark.parametrize(("size", "n_channels"), list(product([2, 3, 7, 26, 100], [1, 3])))
@pytest.mark.parametrize(
    ("fusion", "attention", "use_statistics"),
    list(product(["adaptive", "concat"], ["channel", "none"], [True, False])),
)
def test_logits_for_every_size_and_option(
    size: int, n_channels: int, fusion: str, attention: str, use_statistics: bool
) -> None:
    options = {"fusion": fusion, "attention": attention, "use_statistics": use_statistics}
    net = DualGAFNet(n_channels, 5, **options)  # type: ignore[arg-type]
    gasf, gadf, series = windows(2, n_channels, size)
    logits = net(gasf, gadf, series if use_statistics else None)
    assert logits.shape == (2, 5)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(
    ("fusion", "attention", "use_statistics"),
    list(product(["adaptive", "concat"], ["channel", "none"], [True, False])),
)
def test_gradients_reach_every_parameter(fusion: str, attention: str, use_statistics: bool) -> None:
    torch.manual_seed(0)
    net = DualGAFNet(
        3, 4, fusion=fusion, attention=attention, use_statistics=use_statistics, dropout=0.0
    )
    gasf, gadf, series = windows(6, 3, 26)
    logits = net(gasf, gadf, series if use_statistics else None)
    F.cross_entropy(logits, torch.tensor([0, 1, 2, 3, 0, 1])).backward()
    unreached = [
        name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    ]
    assert unreached == []


def test_a_batch_of_one_trains_and_equals_its_row_in_a_larger_batch() -> None:
    net = DualGAFNet(1, 2, dropout=0.0).train()
    batch = windows(3, 1, 2)
    row = net(*[part[:1] for part in batch])
    torch.testing.assert_close(row, net(*batch)[:1], atol=1e-5, rtol=1e-5)
    row.sum().backward()


def test_eval_is_deterministic_and_train_drops() -> None:
    net = DualGAFNet(3, 4, dropout=0.5)
    batch = windows(2, 3, 26)
    assert not torch.equal(net(*batch), net(*batch))
    net.eval()
    assert torch.equal(net(*batch), net(*batch))


def test_each_field_has_its_own_weights() -> None:
    net = DualGAFNet(3, 4).eval()
    gasf, gadf, series = windows(2, 3, 26)
    gasf_weights = {id(p) for p in net.gasf_extractor.parameters()}
    assert gasf_weights.isdisjoint(id(p) for p in net.gadf_extractor.parameters())
    assert not torch.allclose(net(gasf, gadf, series), net(gadf, gasf, series), atol=1e-4)


def test_the_order_of_the_signals_matters() -> None:
    # All signals share an extractor, but a fault of signal 0 is not a fault of signal 1.
    net = DualGAFNet(3, 4, use_statistics=False).eval()
    gasf, gadf, _ = windows(1, 3, 26)
    assert not torch.allclose(net(gasf, gadf), net(gasf.flip(1), gadf.flip(1)), atol=1e-5)


def test_statistics_tell_windows_apart_whose_images_are_equal() -> None:
    gasf, gadf, series = windows(1, 3, 26)
    net = DualGAFNet(3, 4).eval()
    assert not torch.allclose(net(gasf, gadf, series), net(gasf, gadf, 5 * series), atol=1e-4)


def test_it_learns_a_tiny_batch_by_heart() -> None:
    torch.manual_seed(0)
    net = DualGAFNet(2, 4, dropout=0.0)
    batch, label = windows(8, 2, 26), torch.tensor([0, 1, 2, 3] * 2)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    for _ in range(40):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(*batch), label)
        loss.backward()
        optimizer.step()
    assert F.cross_entropy(net(*batch), label) < 0.05


def test_settings_build_a_twin() -> None:
    net = DualGAFNet(3, 4, fusion="concat", attention="none", use_statistics=False, width=16)
    assert net.settings["n_channels"] == 3
    assert net.settings["use_statistics"] is False
    twin = DualGAFNet(**net.settings)
    twin.load_state_dict(net.state_dict())
    gasf, gadf, _ = windows(2, 3, 26)
    assert torch.equal(twin.eval()(gasf, gadf), net.eval()(gasf, gadf))


def test_settings_are_a_copy() -> None:
    net = DualGAFNet(3, 4)
    net.settings["width"] = 999
    assert net.settings["width"] != 999


def test_the_default_is_modest_in_size() -> None:
    assert sum(p.numel() for p in DualGAFNet(12, 9).parameters()) < 300_000


@pytest.mark.parametrize("option", ["extractor", "fusion", "attention", "head"])
def test_an_unknown_option_is_refused_at_construction(option: str) -> None:
    choice: dict[str, Any] = {option: "nonesuch"}
    with pytest.raises(ConfigError, match=f"{option}='nonesuch' is not known; allowed: "):
        DualGAFNet(3, 4, **choice)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_channels": 0},
        {"n_channels": True},
        {"n_channels": 2.5},
        {"num_classes": 1},
        {"width": 12},
        {"width": 0},
        {"dropout": 1.0},
        {"dropout": -0.1},
    ],
)
def test_a_number_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    (option, value), *_ = wrong.items()
    with pytest.raises(ConfigError, match=f"{option}={value}.*is not allowed; allowed: "):
        DualGAFNet(**{"n_channels": 3, "num_classes": 4, **wrong})


@pytest.mark.parametrize(
    ("gasf", "gadf", "named"),
    [
        ((2, 5, 8, 8), (2, 5, 8, 8), r"\(2, 5, 8, 8\).*\(B, 3, S, S\)"),
        ((3, 8, 8), (3, 8, 8), r"\(3, 8, 8\).*\(B, 3, S, S\)"),
        ((2, 3, 8, 9), (2, 3, 8, 9), r"\(2, 3, 8, 9\).*\(B, 3, S, S\)"),
        ((2, 3, 8, 8), (2, 3, 7, 7), r"\(2, 3, 8, 8\).*\(2, 3, 7, 7\)"),
    ],
)
def test_a_wrong_image_shape_names_got_and_needed(
    gasf: tuple[int, ...], gadf: tuple[int, ...], named: str
) -> None:
    with pytest.raises(SeriesError, match=named):
        DualGAFNet(3, 4)(torch.zeros(gasf), torch.zeros(gadf), torch.zeros(2, 3, 8))


def test_a_missing_series_says_what_to_do() -> None:
    image = torch.zeros(2, 3, 8, 8)
    with pytest.raises(SeriesError) as error:
        DualGAFNet(3, 4, use_statistics=True)(image, image)
    assert str(error.value) == (
        "series is missing, which use_statistics=true needs; call net(gasf, gadf, series) "
        "or build the net with use_statistics=False"
    )


@pytest.mark.parametrize("shape", [(2, 3), (1, 3, 8), (2, 4, 8)])
def test_a_wrong_series_shape_names_got_and_needed(shape: tuple[int, ...]) -> None:
    image = torch.zeros(2, 3, 8, 8)
    with pytest.raises(SeriesError) as error:
        DualGAFNet(3, 4)(image, image, torch.zeros(shape))
    assert str(error.value) == f"series has shape {shape}; needed: (2, 3, T)"
