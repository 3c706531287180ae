import numpy as np
import torch
from sklearn.preprocessing import StandardScaler

from dualgaf.data.series_scaler import SeriesScaler


def test_agrees_with_scikit_learn_on_series_of_unequal_length():
    rng = np.random.default_rng(0)
    series = [rng.normal(1e5, 3.0, (2, 7)), rng.normal(1e5, 1.0, (2, 12))]
    theirs = StandardScaler().fit(np.concatenate(series, axis=1).T)
    ours = SeriesScaler.fit(series)
    np.testing.assert_allclose(ours.mean, theirs.mean_, rtol=1e-12)
    np.testing.assert_allclose(ours.std, theirs.scale_, rtol=1e-9)


def test_inverse_gives_the_raw_values_also_of_a_tensor():
    x = np.random.default_rng(0).normal(50.0, 9.0, (4, 3, 10))
    scaler = SeriesScaler.fit(list(x))
    scaled = scaler.transform(x)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaler.inverse_transform(torch.from_numpy(scaled)), x, rtol=1e-5)


def test_a_constant_channel_does_not_divide_by_zero():
    scaler = SeriesScaler.fit([np.full((1, 4), 7.0)])
    assert scaler.transform(np.full((1, 4), 7.0)).tolist() == [[0, 0, 0, 0]]
