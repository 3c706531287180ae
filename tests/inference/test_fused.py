"""Networks that read diagonals, from raw windows: the probabilities of whole images."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import dualgaf
from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.errors import SeriesError
from dualgaf.imaging.bounds import fit_bounds
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.inference import probabilities as module
from dualgaf.inference.probabilities import WindowClassifier
from dualgaf.models import idle_threads

STEPS, CHANNELS = 20, 3


def raw(n=9, seed=0):
    series = np.random.default_rng(seed).normal(size=(n, CHANNELS, STEPS)).cumsum(axis=2)
    return 50 + 7 * series


def state(**recipe):
    x = raw(40, seed=1)
    windows = Windows.stacked(x)
    made = ImagingRecipe(**{"image_size": 10, "scaling": "train", **recipe})
    trained = made.scaling == "train"
    bounds = fit_bounds(windows, np.arange(40), made.image_size) if trained else None
    scaler = SeriesScaler.fit(list(x))
    return ImagingState(made, STEPS, bounds, scaler, ("a", "b", "c"), ("cold", "hot"), "1f")


def classifier(net=None, **options):
    """One whose normalisations and MiniRocket branch have seen something."""
    torch.manual_seed(0)
    made = net or dualgaf.DualGAFNet(CHANNELS, 2, width=8, **options)
    for norm in made.modules():
        if isinstance(norm, nn.BatchNorm1d):
            norm.running_mean.uniform_(-0.5, 0.5)
            norm.running_var.uniform_(0.1, 2)
    series = torch.from_numpy(state().scaler.transform(raw(24, seed=2)))
    if made.minirocket is not None:
        made.minirocket.fit(series, torch.arange(24) % 2)
    return dualgaf.DualGAFClassifier(made, class_names=["cold", "hot"])


def both(model, imaging, x, monkeypatch, on_device=False):
    """Probabilities by diagonals, and by whole images."""
    found = WindowClassifier(model, imaging, on_device)(Windows.stacked(x))
    with monkeypatch.context() as patched:
        patched.setattr(module, "reads_only_diagonals", lambda *_: False)
        wanted = WindowClassifier(model, imaging, on_device)(Windows.stacked(x))
    return found, wanted


def is_fused(model, imaging):
    return isinstance(WindowClassifier(model, imaging, False)._logits, module.FusedNet)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"arrangement": "per_signal", "attention": "channel"},
        {"use_minirocket": False, "use_statistics": False},
        {"statistics_fusion": "gated", "head": "simple"},
    ],
)
def test_probabilities_are_those_of_whole_images(options, monkeypatch):
    model = classifier(**options)
    assert is_fused(model, state())
    found, wanted = both(model, state(), raw(), monkeypatch)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert np.ptp(wanted[:, 0]) > 1e-3  # windows are told apart


@pytest.mark.parametrize(
    "recipe",
    [
        {"storage": "float16", "layout": "packed"},
        {"storage": "float32", "scaling": "window", "feature_range": (0.0, 1.0)},
        {"image_size": 2},
    ],
)
@pytest.mark.parametrize("on_device", [False, True])
def test_pixels_are_rounded_as_they_were_stored(recipe, on_device, monkeypatch):
    found, wanted = both(classifier(), state(**recipe), raw(), monkeypatch, on_device)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


class Own(dualgaf.DualGAFNet):
    """A network of somebody's own, which may look at any pixel."""

    def forward(self, gasf, gadf, series=None, *, bands=False):
        return super().forward(gasf, gadf, series) + gasf.mean() * torch.tensor([1.0, 0.0])


@pytest.mark.parametrize("options", [{"extractor": "large_kernel"}, {"fusion": "adaptive"}])
def test_a_network_that_may_read_any_pixel_is_given_whole_images(options):
    assert not is_fused(classifier(**options), state())


def test_a_network_of_ones_own_is_given_whole_images():
    own = Own(CHANNELS, 2, width=8)
    assert not is_fused(classifier(own), state())
    assert is_fused(classifier(), state())


def test_neither_order_nor_neighbours_change_a_window():
    classify, x = WindowClassifier(classifier(), state(), False), raw(70)
    found = classify(Windows.stacked(x))
    turned = classify(Windows.stacked(x[::-1].copy()))
    np.testing.assert_array_equal(turned[::-1], found)
    np.testing.assert_allclose(classify(Windows.stacked(x[:1])), found[:1], atol=1e-6)


def test_a_window_that_cannot_be_drawn_is_named_by_its_number():
    x = raw() * 0
    x[6, 1, 4] = 3.0
    classify = WindowClassifier(classifier(), state(scaling="none"), False)
    with pytest.raises(SeriesError, match="window 6, channel 1 leaves"):
        classify(Windows.stacked(x))


def test_a_network_in_training_is_read_in_evaluation_and_stays_in_training():
    model = classifier()
    classify = WindowClassifier(model, state(), False)
    wanted = WindowClassifier(copy.deepcopy(model).eval(), state(), False)(Windows.stacked(raw()))
    model.train()
    np.testing.assert_array_equal(classify(Windows.stacked(raw())), wanted)
    assert all(each.training for each in model.net.modules())


def test_few_windows_are_read_by_one_thread_and_many_by_as_many_as_before(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "dualgaf.inference.fused.FoldedDiagonals.__call__",
        lambda self, pixels: seen.append(torch.get_num_threads()) or torch.zeros(len(pixels), 8),
    )
    classify = WindowClassifier(classifier(), state(), False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        classify(Windows.stacked(raw(idle_threads.FEW)))
        classify(Windows.stacked(raw(idle_threads.FEW + 1)))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 2]
