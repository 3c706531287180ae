"""What a Trainer gets beside Lightning's own: whole checkpoints, and SIGTERM left alone."""

import resource
import signal

import lightning as L
import pytest
import torch
from omegaconf import OmegaConf

from dualgaf.errors import CheckpointError
from dualgaf.training.in_order import WholeCheckpointIO
from dualgaf.training.trainer import make_trainer


@pytest.fixture
def file_limit():
    """Sets RLIMIT_FSIZE of this process: beyond it a write fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(tmp_path, file_limit):
    path, io = tmp_path / "RUN" / "checkpoints" / "last.ckpt", WholeCheckpointIO()
    io.save_checkpoint({"weight": torch.ones(10)}, path)
    file_limit(20_000)
    with pytest.raises(CheckpointError) as refused:
        io.save_checkpoint({"weight": torch.ones(10_000)}, path)
    file_limit(resource.RLIM_INFINITY)
    assert str(refused.value).startswith(f"{path} cannot be written: File too large; earlier")
    assert f"resume={tmp_path}/RUN" in str(refused.value)
    assert torch.load(path, weights_only=True)["weight"].shape == (10,)
    assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]


def test_one_that_fits_is_what_was_saved(tmp_path, file_limit):
    file_limit(200_000)
    WholeCheckpointIO().save_checkpoint({"weight": torch.ones(10_000)}, tmp_path / "a" / "b.ckpt")
    found = WholeCheckpointIO().load_checkpoint(tmp_path / "a" / "b.ckpt", weights_only=True)
    assert torch.equal(found["weight"], torch.ones(10_000))


class Tiny(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.handlers = []

    def training_step(self, batch, batch_idx):
        self.handlers.append(signal.getsignal(signal.SIGTERM))
        return (self.weight * batch).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.ones(2, 1))


def configured(**trainer):
    options = {"_target_": "lightning.Trainer", "max_epochs": 1, "accelerator": "cpu", **trainer}
    quiet = dict.fromkeys(("enable_progress_bar", "enable_model_summary"), False)
    return OmegaConf.create({"trainer": {**options, **quiet, "enable_checkpointing": False}})


def test_sigterm_stays_with_whom_it_was_while_lightning_trains(monkeypatch):
    mine = lambda number, frame: None  # noqa: E731
    before = signal.signal(signal.SIGTERM, mine)
    try:
        model = Tiny()
        make_trainer(configured(), logger=False).fit(model)
        assert model.handlers == [mine, mine]
        assert signal.getsignal(signal.SIGTERM) is mine
        theirs = Tiny()  # a control: Lightning's own would be there
        options = configured().trainer
        del options["_target_"]
        L.Trainer(**options, logger=False).fit(theirs)
        assert mine not in theirs.handlers
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_plugin_that_was_typed_is_used():
    own = {"_target_": "lightning.pytorch.plugins.io.TorchCheckpointIO"}
    trainer = make_trainer(configured(plugins=[own]), logger=False)
    assert type(trainer.strategy.checkpoint_io).__name__ == "TorchCheckpointIO"
    ours = make_trainer(configured(), logger=False)
    assert isinstance(ours.strategy.checkpoint_io, WholeCheckpointIO)
