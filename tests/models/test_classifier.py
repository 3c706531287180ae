"""`DualGAFClassifier` in a real Trainer: logs, schedule, checkpoint, prediction."""

import math
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint
from sklearn.metrics import accuracy_score, f1_score
from torch.nn import functional as F
from torch.utils.data import DataLoader

from dualgaf.errors import ConfigError
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.models.losses.classification import CrossEntropyLoss, FocalLoss
from dualgaf.models.net import DualGAFNet
from dualgaf.models.optimization import make_optimizer
from dualgaf.models.time_warp import TimeWarp
from few_kernels import few_kernels


class WindowBatch(NamedTuple):
    """A batch as somebody else's loader would make it: the classifier only unpacks it."""

    gasf: torch.Tensor
    gadf: torch.Tensor
    series: torch.Tensor
    label: torch.Tensor | None


def batches(n_batches: int, n: int = 4, *, labels: str = "classes") -> list[WindowBatch]:
    generator = torch.Generator().manual_seed(1)
    made = []
    for _ in range(n_batches):
        gasf, gadf = torch.rand(2, n, 2, 9, 9, generator=generator) * 2 - 1
        series = torch.randn(n, 2, 12, generator=generator)
        label = torch.randint(0, 3, (n,), generator=generator)
        chosen = {"classes": label, "unknown": torch.full_like(label, -1), "none": None}[labels]
        made.append(WindowBatch(gasf, gadf, series, chosen))
    return made


def loader(made: list[WindowBatch]) -> DataLoader[WindowBatch]:
    return DataLoader(made, batch_size=None)  # type: ignore[arg-type]


def trainer(folder: Path, **options: Any) -> L.Trainer:
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    short = {"max_epochs": 1, "num_sanity_val_steps": 0, "default_root_dir": folder}
    return L.Trainer(**{"accelerator": "cpu", **quiet, **short, **options})


def classifier(**options: Any) -> DualGAFClassifier:
    torch.manual_seed(0)
    windows_as_they_are = {"time_warp": 0.0, "crop": 0.0}
    return DualGAFClassifier(DualGAFNet(2, 3, width=8), **{**windows_as_they_are, **options})


@pytest.fixture(autouse=True)
def _few_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    few_kernels(monkeypatch)


def logits_and_labels(
    model: DualGAFClassifier, made: list[WindowBatch]
) -> tuple[torch.Tensor, torch.Tensor]:
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(b.gasf, b.gadf, b.series) for b in made])
    return logits, torch.cat([b.label for b in made if b.label is not None])


def test_fit_logs_every_name(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.fit(classifier(), loader(batches(3)), loader(batches(2)))
    wanted = {"train/loss", "train/loss_step", "train/loss_epoch", "train/acc"}
    wanted |= {"val/loss", "val/acc", "val/f1_macro"}
    assert wanted <= set(run.callback_metrics)
    assert all(torch.isfinite(run.callback_metrics[name]) for name in wanted)


def test_test_metrics_equal_those_counted_by_hand(tmp_path: Path) -> None:
    # Batches of unequal length: a mean of batch means would differ from the mean over windows.
    model, made = classifier(), [*batches(3, n=7), *batches(1, n=2)]
    (logged,) = trainer(tmp_path).test(model, loader(made), verbose=False)
    logits, label = logits_and_labels(model, made)
    guess, truth = logits.argmax(dim=1).numpy(), label.numpy()
    f1 = []
    for k in range(3):
        hits = np.sum((guess == k) & (truth == k))
        counted = np.sum(guess == k) + np.sum(truth == k)
        if counted:
            f1.append(2 * hits / counted)
    assert set(logged) == {
        *("test/loss", "test/acc", "test/f1_macro"),
        *("test/images_acc", "test/kernels_acc", "test/forest_acc"),
    }
    # A branch that has learned nothing answers 0 for every class.
    assert logged["test/kernels_acc"] == pytest.approx(np.mean(truth == 0), abs=1e-6)
    assert logged["test/forest_acc"] == logged["test/kernels_acc"]
    assert logged["test/images_acc"] == logged["test/acc"]
    assert logged["test/acc"] == pytest.approx(np.mean(guess == truth), abs=1e-6)
    assert logged["test/f1_macro"] == pytest.approx(np.mean(f1), abs=1e-6)
    assert logged["test/loss"] == pytest.approx(F.cross_entropy(logits, label).item(), abs=1e-5)


def test_val_metrics_of_a_fit_agree_with_sklearn(tmp_path: Path) -> None:
    uneven = [*batches(2, n=7), *batches(1, n=5), *batches(1, n=1)]
    model, run = classifier(), trainer(tmp_path, max_epochs=2)
    run.fit(model, loader(batches(3)), loader(uneven))
    # the weights did not change after the last validation
    logits, label = logits_and_labels(model, uneven)
    truth, guess = label.numpy(), logits.argmax(dim=1).numpy()
    logged = {name: float(value) for name, value in run.callback_metrics.items()}
    assert logged["val/acc"] == pytest.approx(accuracy_score(truth, guess), abs=1e-6)
    f1 = f1_score(truth, guess, average="macro")
    assert logged["val/f1_macro"] == pytest.approx(f1, abs=1e-6)


def test_a_tiny_batch_is_learnt_by_heart_in_a_trainer(tmp_path: Path) -> None:
    model, (batch,) = classifier(mixup=0.0, learning_rate=5e-3), batches(1, n=6)
    trainer(tmp_path).fit(model, loader([batch] * 90), loader(batches(1)))
    logits, label = logits_and_labels(model, [batch])
    assert F.cross_entropy(logits, label) < 0.05


def test_the_configuration_and_python_have_the_same_defaults() -> None:
    conf = Path(__file__).resolve().parents[2] / "conf"
    net = yaml.safe_load((conf / "model" / "dualgafnet.yaml").read_text())
    whole = yaml.safe_load((conf / "train.yaml").read_text())["classifier"]
    for made, written in ((DualGAFNet, net), (DualGAFClassifier, whole)):
        defaults = {
            name: parameter.default
            for name, parameter in signature(made).parameters.items()
            if parameter.default is not parameter.empty and name != "class_names"
        }
        told = {k: v for k, v in written.items() if not k.startswith("_")}
        assert told.pop("loss", None) in (None, "${loss}")
        assert told == {k: v for k, v in defaults.items() if k != "loss"}


def test_metrics_start_anew_each_time(tmp_path: Path) -> None:
    model, made = classifier(), batches(2)
    run = trainer(tmp_path)
    first = run.test(model, loader(made), verbose=False)
    run.test(model, loader(batches(4, n=3)), verbose=False)
    assert run.test(model, loader(made), verbose=False) == first


def test_a_checkpoint_rebuilds_the_network_with_weights_only(tmp_path: Path) -> None:
    keep = ModelCheckpoint(tmp_path, monitor="val/loss")
    model = classifier(class_names=["a", "b", "c"], learning_rate=1e-2)
    run = trainer(tmp_path, enable_checkpointing=True, callbacks=[keep])
    run.fit(model, loader(batches(3)), loader(batches(2)))
    torch.load(keep.best_model_path, weights_only=True)
    twin = DualGAFClassifier.load_from_checkpoint(keep.best_model_path, weights_only=True)
    assert twin.class_names == ["a", "b", "c"]
    assert twin.learning_rate == 1e-2
    assert twin.net.settings == model.net.settings
    made = batches(2)
    assert torch.equal(logits_and_labels(twin, made)[0], logits_and_labels(model, made)[0])


def test_a_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.fit(classifier(), loader(batches(3)), loader(batches(1)))
    run.save_checkpoint(tmp_path / "half.ckpt")
    longer, model = trainer(tmp_path, max_epochs=2), classifier()
    longer.fit(
        model,
        loader(batches(3)),
        loader(batches(1)),
        ckpt_path=tmp_path / "half.ckpt",
        weights_only=True,
    )
    assert longer.global_step == 6
    assert model.optimizers().optimizer.state  # type: ignore[union-attr]


def test_the_settings_of_the_network_will_do() -> None:
    net = DualGAFNet(2, 3, width=8)
    assert DualGAFClassifier(net.settings).net.settings == net.settings


@pytest.mark.parametrize("labels", ["classes", "unknown", "none"])
def test_predict_gives_probabilities_with_or_without_labels(tmp_path: Path, labels: str) -> None:
    model, made = classifier(), batches(2, labels=labels)
    parts = trainer(tmp_path).predict(model, loader(made))
    assert parts is not None
    probabilities = torch.cat([torch.as_tensor(part) for part in parts])
    assert probabilities.shape == (8, 3)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(8))
    model.eval()
    with torch.no_grad():
        wanted = torch.cat([model(b.gasf, b.gadf, b.series) for b in made]).softmax(dim=1)
    torch.testing.assert_close(probabilities, wanted)


@pytest.mark.parametrize("options", [{"fast_dev_run": True}, {"max_steps": 1}])
def test_the_shortest_runs_work(tmp_path: Path, options: dict[str, Any]) -> None:
    run = trainer(tmp_path, **options)
    run.fit(classifier(), loader(batches(1, n=1)), loader(batches(1, n=1)))
    assert run.global_step == 1


@pytest.mark.parametrize(("n_batches", "accumulated"), [(4, 1), (7, 2)])
def test_the_rate_follows_the_schedule_step_by_step(
    tmp_path: Path, n_batches: int, accumulated: int
) -> None:
    rates: list[float] = []

    class Watch(L.Callback):
        def on_before_optimizer_step(self, run: L.Trainer, *_: object) -> None:
            rates.append(run.optimizers[0].param_groups[0]["lr"])

    options = {"max_epochs": 5, "accumulate_grad_batches": accumulated, "callbacks": [Watch()]}
    trainer(tmp_path, **options).fit(
        classifier(learning_rate=0.5), loader(batches(n_batches)), loader(batches(1))
    )
    # 20 steps: two of warm-up, then half a cosine down to a hundredth
    cosine = [0.01 + 0.99 * (1 + math.cos(math.pi * i / 18)) / 2 for i in range(18)]
    np.testing.assert_allclose(rates, 0.5 * np.array([0.5, 1.0, *cosine]))


def test_the_rate_is_constant_where_the_steps_are_unknown(tmp_path: Path) -> None:
    class Endless(torch.utils.data.IterableDataset[WindowBatch]):
        def __iter__(self) -> Any:
            yield from batches(2)

    # max_epochs=-1 and a loader without a length: Lightning estimates infinity.
    run = trainer(tmp_path, max_epochs=-1, max_time={"seconds": 0})
    run.fit(classifier(), DataLoader(Endless(), batch_size=None), loader(batches(1)))
    assert run.lr_scheduler_configs == []


def test_biases_and_normalisation_do_not_decay(tmp_path: Path) -> None:
    model = classifier(weight_decay=0.3)
    trainer(tmp_path, fast_dev_run=True).fit(model, loader(batches(1)), loader(batches(1)))
    optimizer = model.optimizers()
    matrices, vectors = optimizer.param_groups  # type: ignore[union-attr]
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.3, 0.0)
    assert all(p.ndim > 1 for p in matrices["params"])
    n_parameters = len(matrices["params"]) + len(vectors["params"])
    assert n_parameters == len(list(model.net.parameters()))


def test_label_smoothing_enters_the_training_loss() -> None:
    model, (batch,) = classifier(loss=CrossEntropyLoss(label_smoothing=0.2), mixup=0.0), batches(1)
    model.net.eval()
    model.log = lambda *_, **__: None  # type: ignore[method-assign,assignment]
    got = model.training_step(batch, 0)
    logits, label = logits_and_labels(model, [batch])
    smooth = torch.full((4, 3), 0.2 / 3)
    smooth[torch.arange(4), label] += 0.8
    wanted = -(smooth * logits.log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(got.detach(), wanted)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"learning_rate": 0.0}, {"learning_rate": None}, {"weight_decay": -1.0}),
        *({"mixup": -0.1}, {"mixup": math.nan}, {"mixup": None}, {"mixup": True}),
        *({"time_warp": -0.1}, {"time_warp": "0.4"}, {"crop": 1.0}, {"crop": None}),
    ],
)
def test_a_number_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    ((option, value),) = wrong.items()
    text = rf"classifier.{option}={value!r} is not allowed; allowed: .*type classifier.{option}="
    with pytest.raises(ConfigError, match=text):
        classifier(**wrong)


def test_mixup_adds_windows_and_losses_by_the_same_share(monkeypatch) -> None:
    model, (batch,) = classifier(mixup=0.4), batches(1)
    gasf, gadf, series, label = batch
    model.eval()  # no dropout, so that the loss can be computed by hand
    order = torch.arange(len(label)).roll(1)
    monkeypatch.setattr(torch, "randperm", lambda n, device: order)
    monkeypatch.setattr(
        torch.distributions.Beta, "sample", lambda self: torch.tensor(0.25)
    )  # so the larger share is 0.75
    monkeypatch.setattr(model, "log", lambda *args, **kwargs: None)
    logits = model(*(0.75 * x + 0.25 * x[order] for x in (gasf, gadf, series)))
    entropy = torch.nn.functional.cross_entropy
    want = 0.75 * entropy(logits, label) + 0.25 * entropy(logits, label[order])
    torch.testing.assert_close(model.training_step(batch, 0), want)


class OfImages(DualGAFClassifier):
    """A forward of somebody's own, who may look at any pixel."""

    def forward(
        self, gasf: torch.Tensor, gadf: torch.Tensor, series: torch.Tensor | None = None
    ) -> torch.Tensor:
        assert gasf.shape[-2:] == (9, 9)
        return super().forward(gasf, gadf, series)


@pytest.mark.parametrize("mixup", [0.0, 0.4])
def test_a_step_on_the_pixels_that_are_read_is_that_on_whole_images(
    monkeypatch: pytest.MonkeyPatch, mixup: float
) -> None:
    monkeypatch.setattr(DualGAFClassifier, "log", lambda *args, **kwargs: None)
    read = []
    of_pixels = TimeWarp.of_pixels
    monkeypatch.setattr(
        TimeWarp, "of_pixels", lambda *given: (read.append(1), of_pixels(*given))[1]
    )
    (batch,) = batches(1, n=8)
    found = []
    for kind in (DualGAFClassifier, OfImages):
        torch.manual_seed(0)
        model = kind(DualGAFNet(2, 3, width=8), mixup=mixup)
        torch.manual_seed(1)
        loss = model.training_step(batch, 0)
        loss.backward()
        found.append((loss, [p.grad for p in model.net.parameters()], torch.rand(3)))
    assert read == [1]
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-4)


def test_weights_on_the_cpu_are_followed_in_one_pass() -> None:
    how = classifier().optimization
    on_cpu = make_optimizer(torch.nn.Linear(2, 2), how)
    elsewhere = make_optimizer(torch.nn.Linear(2, 2, device="meta"), how)
    assert [group["fused"] for group in on_cpu.param_groups] == [True, True]
    assert [group["fused"] for group in elsewhere.param_groups] == [None, None]


@pytest.mark.parametrize("loss", [None, FocalLoss(gamma=1.0)])
def test_a_checkpoint_brings_its_loss_with_its_weights(
    tmp_path: Path, loss: torch.nn.Module | None
) -> None:
    model, made = classifier(loss=loss, class_weights=[1.0, 0.3, 7.0], schedule="none"), batches(3)
    run = trainer(tmp_path)
    run.fit(model, loader(made), loader(made))
    run.save_checkpoint(tmp_path / "some.ckpt")
    twin = DualGAFClassifier.load_from_checkpoint(tmp_path / "some.ckpt", weights_only=True)
    (before,) = run.test(model, loader(made), verbose=False)
    (after,) = trainer(tmp_path).test(twin, loader(made), verbose=False)
    assert after == before
    assert twin.optimization == model.optimization
    logits, label = logits_and_labels(model, made[:1])
    entropy = F.cross_entropy(logits, label, reduction="none")
    if loss is not None:
        entropy = entropy * (1 - (-entropy).exp())
    weights = torch.tensor([1.0, 0.3, 7.0])[label]
    torch.testing.assert_close(model.loss(logits, label), (weights * entropy).sum() / weights.sum())


def test_a_loss_of_ones_own_is_used_and_the_checkpoint_does_without_it(tmp_path: Path) -> None:
    class Twice(torch.nn.Module):
        def forward(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
            return 2 * F.cross_entropy(logits, label)

    model, made = classifier(loss=Twice()), batches(1)
    run = trainer(tmp_path)
    run.fit(model, loader(made), loader(made))
    (before,) = run.test(model, loader(made), verbose=False)
    run.save_checkpoint(tmp_path / "some.ckpt")
    twin = DualGAFClassifier.load_from_checkpoint(tmp_path / "some.ckpt", weights_only=True)
    (after,) = run.test(twin, loader(made), verbose=False)
    assert before["test/loss"] == pytest.approx(2 * after["test/loss"])


def test_bfloat16_trains_on_the_cpu_and_gives_float32_probabilities(tmp_path: Path) -> None:
    model, made = classifier(loss=FocalLoss()), batches(3)
    before = [p.detach().clone() for p in model.net.parameters()]
    run = trainer(tmp_path, precision="bf16-mixed")
    run.fit(model, loader(made), loader(made))
    assert all(p.isfinite().all() for p in model.net.parameters())
    changed = [not torch.equal(p, q) for p, q in zip(model.net.parameters(), before, strict=True)]
    assert any(changed)
    (first, *_) = run.predict(model, loader(made)) or []
    assert isinstance(first, torch.Tensor)
    assert first.dtype == torch.float32
    torch.testing.assert_close(first.sum(dim=1), torch.ones(4))


def test_weights_in_a_loss_are_one_for_each_class() -> None:
    with pytest.raises(ConfigError, match="a number for each of 3 classes"):
        classifier(loss=FocalLoss(class_weights=[1.0, 2.0]))


def test_a_loss_of_ones_own_leaves_a_checkpoint_that_loads(tmp_path: Path) -> None:
    weight = torch.tensor([1.0, 2.0, 3.0])
    model = classifier(loss=torch.nn.CrossEntropyLoss(weight=weight))  # the weight is a buffer
    run = trainer(tmp_path)
    run.fit(model, loader(batches(2)), loader(batches(1)))
    run.save_checkpoint(tmp_path / "own.ckpt")
    assert "loss.weight" in torch.load(tmp_path / "own.ckpt", weights_only=True)["state_dict"]
    twin = Checkpoint(tmp_path / "own.ckpt").classifier()
    assert isinstance(twin.loss, CrossEntropyLoss)
    made = batches(2)
    assert torch.equal(logits_and_labels(twin, made)[0], logits_and_labels(model, made)[0])
    longer = trainer(tmp_path, max_epochs=2)
    going_on = classifier(loss=torch.nn.CrossEntropyLoss(weight=torch.ones(3)))
    path = tmp_path / "own.ckpt"
    made = batches(1)
    longer.fit(going_on, loader(made), loader(made), ckpt_path=path, weights_only=True)
    assert torch.equal(going_on.loss.weight, weight)  # one that goes on has it all the same


NUMPY_NET = {
    "n_channels": np.int64(2),
    "num_classes": np.int32(2),
    "width": np.int64(8),
    "dropout": np.float32(0.5),
    "extractor": np.str_("dilated"),
    "use_minirocket": np.bool_(False),
    "groups": {"air": {"channels": np.array([0])}},
}
NUMPY_SETTINGS = {
    "learning_rate": np.logspace(-4, -2, 3)[1],
    "mixup": np.float64(0.2),
    "class_names": np.array(["run", "walk"]),
    "class_weights": np.array([1.0, 9.0]),
    "loss": FocalLoss(gamma=np.float64(1.5)),
}


def test_settings_of_numpy_are_kept_as_plain_values_and_load(tmp_path):
    model = DualGAFClassifier(DualGAFNet(**NUMPY_NET), **NUMPY_SETTINGS)
    runner = L.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
    runner.strategy.connect(model)
    runner.save_checkpoint(tmp_path / "some.ckpt")
    kept = torch.load(tmp_path / "some.ckpt", weights_only=True)["hyper_parameters"]
    again = DualGAFClassifier.load_from_checkpoint(tmp_path / "some.ckpt")
    assert (kept["learning_rate"], kept["mixup"]) == (pytest.approx(0.001), 0.2)
    assert kept["class_names"] == again.class_names == ["run", "walk"]
    assert kept["loss"] == {"loss": "FocalLoss", "gamma": 1.5, "class_weights": [1.0, 9.0]}
    assert kept["net"]["groups"] == {"air": {"channels": [0], "extractor": None}}
    assert (kept["net"]["width"], kept["net"]["dropout"]) == (8, 0.5)
    plain_twin = DualGAFClassifier(kept["net"], learning_rate=0.001)
    assert plain_twin.net.settings == again.net.settings == model.net.settings


def test_a_subclass_with_arrays_as_arguments_is_kept_too():
    class Mine(DualGAFClassifier):
        def __init__(self, net, weights):
            super().__init__(net, class_weights=weights)

    model = Mine(DualGAFNet(2, 2, width=8), np.array([1.0, 9.0]))
    assert model.hparams["loss"]["class_weights"] == [1.0, 9.0]
