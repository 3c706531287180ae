"""Extractors of others: what a factory must give, timm by a stand-in, and checkpoints."""

import sys
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dualgaf.errors import ConfigError
from dualgaf.models.backbone import Backbone, TimmBackbone, extractor_maker
from dualgaf.models.net import DualGAFNet


class TinyMap(nn.Module):
    """(N, in_channels, S, S) -> (N, 6, S / 2, S / 2), with running means."""

    def __init__(self, in_channels: int, *, features: int = 6) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, features, 3, stride=2, padding=1), nn.BatchNorm2d(features)
        )

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.layers(images)
        return maps


def tiny_vector(in_channels: int) -> nn.Module:
    """(N, in_channels, S, S) -> (N, 5)."""
    return nn.Sequential(nn.Conv2d(in_channels, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


@pytest.mark.parametrize("factory", [TinyMap, tiny_vector, partial(TinyMap, features=3)])
@pytest.mark.parametrize("arrangement", ["per_signal", "stacked"])
def test_a_module_of_yours_is_an_extractor(factory: Any, arrangement: str) -> None:
    net = DualGAFNet(3, 4, extractor=factory, arrangement=arrangement, width=8, dropout=0.0)
    image, series = torch.rand(4, 3, 24, 24), torch.randn(4, 3, 24)
    logits = net(image, image.flip(0), series)
    assert logits.shape == (4, 4)
    logits.square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    assert net.gasf_extractor is not net.gadf_extractor


def test_the_trial_changes_neither_running_means_nor_the_mode() -> None:
    module = TinyMap(3)
    Backbone(module, 8, in_channels=3, image_size=24)
    assert module.training
    assert torch.equal(module.layers[1].running_mean, torch.zeros(6))  # type: ignore[arg-type]
    assert module.layers[1].num_batches_tracked == 0


def test_a_map_is_read_cell_by_cell_and_a_vector_whole() -> None:
    # the identity as module, so that the readout alone speaks
    assert Backbone(nn.Identity(), 8, in_channels=2).readout.project.in_features == 2 * 16
    vector = Backbone(tiny_vector(1), 8, in_channels=1).readout
    assert isinstance(vector, nn.Linear)
    assert vector.in_features == 5


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (nn.Conv2d(2, 4, 3), r"Conv2d does not take images of shape \(2, 3, 24, 24\): .*channels"),
        (nn.Flatten(0), r"Flatten makes \(3456,\) of images .*needed: \(N, F, h, w\) or \(N, F\)"),
        (nn.AdaptiveMaxPool2d(2, return_indices=True), r"makes tuple of images"),
    ],
)
def test_a_module_that_does_not_fit_is_named(module: nn.Module, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Backbone(module, 8, in_channels=3, image_size=24)


def test_a_module_instead_of_a_factory_says_what_to_type() -> None:
    with pytest.raises(ConfigError, match=r"extractor=TinyMap .*type _partial_: true beside"):
        DualGAFNet(3, 4, extractor=TinyMap(1))  # type: ignore[arg-type]


def test_a_checkpoint_names_the_factory_and_never_calls_it() -> None:
    net = DualGAFNet(3, 4, extractor=partial(TinyMap, features=3), width=8)
    qualified_name = net.settings["extractor"]
    assert qualified_name == {"path": f"{__name__}.TinyMap"}
    with pytest.raises(ConfigError, match=r"load_from_checkpoint\(path, net=net\)"):
        DualGAFNet(**net.settings)
    twin = DualGAFNet(**{**net.settings, "extractor": partial(TinyMap, features=3)})
    twin.load_state_dict(net.state_dict())


def test_an_unknown_name_lists_the_allowed_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"extractor='resnet' is not known; .*, largest; type model.ext"
    ):
        extractor_maker("resnet", 8, None)


def test_a_backbone_of_timm_is_asked_for_a_map(monkeypatch: pytest.MonkeyPatch) -> None:
    # A stand-in with the call that timm documents: create_model(name, pretrained, **options).
    asked: dict[str, Any] = {}

    def create_model(model_name: str, pretrained: bool, **options: Any) -> nn.Module:
        asked.update(model_name=model_name, pretrained=pretrained, **options)
        return TinyMap(options["in_chans"])

    stand_in = ModuleType("timm")
    stand_in.create_model = create_model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", stand_in)
    backbone = TimmBackbone(3, model_name="resnet18")
    assert backbone(torch.zeros(2, 3, 24, 24)).shape == (2, 6, 12, 12)
    assert asked == {
        "model_name": "resnet18",
        "pretrained": False,
        "in_chans": 3,
        "num_classes": 0,
        "global_pool": "",
    }


def test_without_timm_the_error_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError) as error:
        TimmBackbone(1, model_name="resnet18")
    assert str(error.value) == (
        "model_name=resnet18 is a backbone of timm, which is not installed; type pip install "
        "timm, or choose another extractor"
    )


def test_a_part_in_evaluation_stays_so() -> None:
    module = TinyMap(3)
    module.layers[1].eval()
    Backbone(module, 8, in_channels=3, image_size=24)
    assert module.training
    assert not module.layers[1].training


def test_a_model_that_timm_has_not_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def create_model(model_name: str, pretrained: bool, **options: Any) -> nn.Module:
        raise RuntimeError(f"Unknown model ({model_name})")  # as timm does

    stand_in = ModuleType("timm")
    stand_in.create_model = create_model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", stand_in)
    with pytest.raises(ConfigError, match=r"timm has no model_name=resnt: .*list_models"):
        TimmBackbone(3, model_name="resnt")


def test_a_module_of_one_image_size_is_tried_with_it_again() -> None:
    def flat(in_channels: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(in_channels * 26 * 26, 7))

    net = DualGAFNet(3, 4, extractor=flat, image_size=26, width=8)
    twin = DualGAFNet(**{**net.settings, "extractor": flat})
    twin.load_state_dict(net.state_dict())
    image, series = torch.rand(2, 3, 26, 26), torch.randn(2, 3, 26)
    assert torch.equal(twin.eval()(image, image, series), net.eval()(image, image, series))
