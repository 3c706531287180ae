from functools import partial
from pathlib import Path

import lightning as L
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from dualgaf.errors import ConfigError, OtherDataError
from dualgaf.inference.checkpoint import Checkpoint, check_sizes
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.models.net import DualGAFNet
from dualgaf.training.classifier import trained_model

OWN = partial(nn.Conv2d, out_channels=4, kernel_size=3)


def saved(path: Path, net: DualGAFNet) -> DualGAFClassifier:
    model = DualGAFClassifier(net, class_names=["a", "b"])
    trainer = L.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(path)
    return model


def test_a_classifier_comes_back_as_it_was(tmp_path: Path) -> None:
    model = saved(tmp_path / "some.ckpt", DualGAFNet(3, 2, width=8, extractor="dilated"))
    twin = Checkpoint(tmp_path / "some.ckpt").classifier()
    assert twin.class_names == ["a", "b"]
    assert Checkpoint(tmp_path / "some.ckpt").own_extractor is None
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, twin.state_dict()[name])


def test_an_extractor_of_ones_own_is_named_and_must_be_given(tmp_path: Path) -> None:
    net = DualGAFNet(3, 2, width=8, extractor=OWN)
    model = saved(tmp_path / "some.ckpt", net)
    checkpoint = Checkpoint(tmp_path / "some.ckpt")
    settings = checkpoint.settings["net"]
    assert checkpoint.own_extractor == "torch.nn.modules.conv.Conv2d"
    with pytest.raises(ConfigError, match="runs no code but the package's own"):
        Checkpoint(tmp_path / "some.ckpt").classifier()
    given = DualGAFNet(**{**settings, "extractor": OWN})
    twin = Checkpoint(tmp_path / "some.ckpt").classifier(given)
    assert twin.net is given
    image, series = torch.rand(2, 3, 9, 9), torch.rand(2, 3, 9)
    assert torch.equal(twin.eval()(image, image, series), model.eval()(image, image, series))
    with pytest.raises(ConfigError, match="is not a checkpoint"):  # other weights
        Checkpoint(tmp_path / "some.ckpt").classifier(DualGAFNet(3, 2, width=8))


def test_another_extractor_in_the_configuration_is_named(tmp_path: Path) -> None:
    saved(tmp_path / "some.ckpt", DualGAFNet(3, 2, width=8, extractor=OWN))
    checkpoint = Checkpoint(tmp_path / "some.ckpt")
    cfg = OmegaConf.create({"model": {"extractor": "dilated"}})
    says = r"the extractor of the checkpoint is torch\.nn.*, model\.extractor is 'dilated'; type"
    with pytest.raises(ConfigError, match=says):
        trained_model(cfg, checkpoint)
    own = {"_target_": "torch.nn.Conv2d", "_partial_": True, "out_channels": 4, "kernel_size": 3}
    cfg = OmegaConf.create({"model": {"extractor": own}})
    assert trained_model(cfg, checkpoint).class_names == ["a", "b"]


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        ((4, 2), "n_channels=3"),
        ((3, 5), "num_classes=2"),
    ],
)
def test_data_of_other_sizes_are_refused(sizes: tuple[int, int], says: str) -> None:
    model = DualGAFClassifier(DualGAFNet(3, 2, width=8))
    check_sizes(model, 3, 2)
    with pytest.raises(OtherDataError, match=f"{says}.*give data of that size"):
        check_sizes(model, *sizes)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04"])
def test_what_is_no_checkpoint_is_refused_in_a_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "some.ckpt"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"some.ckpt is not a checkpoint of"):
        Checkpoint(path)


@pytest.mark.parametrize("held", [{"state_dict": {}}, [1, 2], torch.zeros(2)])
def test_a_file_of_something_else_is_refused(held: object, tmp_path: Path) -> None:
    torch.save(held, tmp_path / "some.ckpt")
    with pytest.raises(ConfigError, match="is not a checkpoint of DualGAFClassifier"):
        _ = Checkpoint(tmp_path / "some.ckpt").settings


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"net": DualGAFNet(3, 2, width=16)}, r"trained with model.width=8, .* got 16; type"),
        (
            {"learning_rate": 0.5},
            r"classifier.learning_rate=0.004, .* got 0.5; type the classifier",
        ),
        ({"schedule": "none"}, r"classifier.schedule=cosine, .* got none; type"),
        ({"mixup": 0.0}, None),
    ],
)
def test_a_training_is_resumed_with_its_own_settings(
    options: dict[str, object], text: str | None, tmp_path: Path
) -> None:
    saved(tmp_path / "some.ckpt", DualGAFNet(3, 2, width=8))
    model = DualGAFClassifier(**{"net": DualGAFNet(3, 2, width=8), **options})
    checkpoint = Checkpoint(tmp_path / "some.ckpt")
    if text is None:  # what is drawn for each batch may be another
        checkpoint.check_resumable(model)
        return
    with pytest.raises(ConfigError, match=text):
        checkpoint.check_resumable(model)
