"""Changed windows: by how much, in which units, and only where they may be."""

import numpy as np
import pytest
import torch

from dualgaf import DualGAFDataModule
from dualgaf.data.augmentation import SeriesAugmentation
from dualgaf.errors import ConfigError
from dualgaf.imaging.gaf import dual_gaf


def data(**settings):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2, 12)) * np.array([1.0, 1000.0])[:, None] + 50
    y = np.arange(40) % 2
    dm = DualGAFDataModule.from_arrays(
        (x, y), val=(x[:10], y[:10]), overlap="allow", batch_size=40, **settings
    )
    dm.setup("fit")
    return dm


def test_noise_and_factors_are_as_large_as_told():
    torch.manual_seed(0)
    series = torch.full((400, 3, 50), 2.0, dtype=torch.float64)
    noise = SeriesAugmentation(jitter=0.3)(series) - series
    assert float(noise.std()) == pytest.approx(0.3, rel=0.02)
    factor = SeriesAugmentation(scaling=0.2)(series) / series
    assert torch.equal(factor, factor[..., :1].expand_as(factor))  # one a window and signal
    assert float(factor[..., 0].log().std()) == pytest.approx(0.2, rel=0.1)


def test_the_images_are_those_of_the_changed_series():
    dm = data(images="on_device", scaling="window", augmentation={"jitter": 0.5})
    torch.manual_seed(0)
    gasf, gadf, series, _ = next(iter(dm.train_dataloader()))
    raw = dm.series_scaler.inverse_transform(series.numpy())
    wanted = dual_gaf(raw, feature_range=(0.0, 1.0))
    np.testing.assert_allclose(gasf, wanted[:, 0], atol=2e-4)
    np.testing.assert_allclose(gadf, wanted[:, 1], atol=2e-4)
    plain = data(images="on_device", scaling="window")
    moved = next(iter(plain.train_dataloader())).series - series
    # in deviations of the training split, so equal for both signals
    assert moved.std(dim=(0, 2)).tolist() == pytest.approx([0.5, 0.5], rel=0.15)


def test_only_training_windows_change_and_each_time_anew():
    dm = data(images="on_device", augmentation=SeriesAugmentation(scaling=0.1))
    one, other = (next(iter(dm.val_dataloader())).series for _ in range(2))
    assert torch.equal(one, other)
    one, other = (next(iter(dm.train_dataloader())).series for _ in range(2))
    assert not torch.equal(one.sort(dim=0).values, other.sort(dim=0).values)


@pytest.mark.parametrize("scaling", ["window", "train"])
def test_a_channel_that_is_constant_in_training_stays_so(scaling):
    x = np.random.default_rng(0).normal(size=(40, 3, 12))
    x[:, 1] = 1.4
    x[:, 2] = np.where(x[:, 2] > 0, 14.62, np.nextafter(14.62, 15))  # a dead sensor
    how = {"images": "on_device", "scaling": scaling, "feature_range": (-1.0, 1.0)}
    dm = DualGAFDataModule.from_arrays(
        (x, np.arange(40) % 2), batch_size=40, augmentation={"jitter": 0.5, "scaling": 0.5}, **how
    )
    dm.setup("fit")
    (one,), (other,) = dm.train_dataloader(), dm.train_dataloader()
    assert (one.gasf[:, 1:] == 1).all()
    assert not one.gadf[:, 1:].any()
    assert one.series[:, 1:].abs().max() < 1e-14
    assert not torch.equal(one.gasf[:, 0], other.gasf[:, 0])


def test_values_stay_in_the_range_of_scaling_none():
    x = np.clip(np.random.default_rng(0).normal(size=(20, 1, 8)), -1, 1)
    dm = DualGAFDataModule.from_arrays(
        (x, np.arange(20) % 2), images="on_device", scaling="none", augmentation={"jitter": 3.0}
    )
    dm.setup("fit")
    gasf, gadf, *_ = next(iter(dm.train_dataloader()))
    assert torch.isfinite(gasf).all()
    assert torch.isfinite(gadf).all()
    assert float(gasf.abs().max()) <= 1 + 1e-6


@pytest.mark.parametrize("images", ["precompute", "auto"])
def test_images_that_are_kept_cannot_change(images):
    with pytest.raises(ConfigError, match=r"type images=on_device, or leave it at 0"):
        data(images=images, augmentation={"jitter": 0.1})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"jiter": 0.1}, "a mapping with the keys jitter, scaling"),
        ({"jitter": -1}, "augmentation.jitter=-1 is not allowed"),
        ({"jitter": True}, "augmentation.jitter=True is not allowed"),
        (0.1, "augmentation=0.1 is not allowed"),
    ],
)
def test_a_wrong_value_names_the_allowed_ones(value, text):
    with pytest.raises(ConfigError, match=text):
        SeriesAugmentation.of(value)


def test_zeros_change_nothing_and_go_with_every_way_of_imaging():
    assert SeriesAugmentation.of({"jitter": 0.0, "scaling": 0}) is None
    data(augmentation={"jitter": 0.0})
