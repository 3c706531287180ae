"""Which epoch is in ``best.ckpt``, and what is kept beside it."""

import json
import math

import pytest
import torch

from dualgaf.training.config import load_config, make_data
from dualgaf.training.run import train
from preloaded import run
from semaphores import needs_semaphores

SMALL = (
    *("data=simulated", "data.n_windows=60", "data.window_size=24", "datamodule.image_size=16"),
    *(
        "model.use_minirocket=false",
        "model.use_forest=false",
        "report=false",
        "model.width=8",
        "refit=false",
        "logger=csv",
    ),
)


def trained(folder, *overrides):
    """A run in this process: its metrics, and the epoch that is in each checkpoint."""
    told = [*SMALL, "trainer.accelerator=cpu", "trainer.max_epochs=4", *overrides]
    train(load_config([*told, f"paths.run_dir={folder}"]))
    chosen = [path for path in folder.rglob("*.ckpt") if path.name != "last.ckpt"]
    epochs = {path.name: torch.load(path, weights_only=True)["epoch"] for path in chosen}
    return json.loads((folder / "metrics.json").read_text()), epochs


@pytest.mark.parametrize(("kept", "others"), [(1, ()), (3, (0, 1, 2)), (-1, (0, 1, 2, 3))])
def test_best_is_the_best_epoch_however_many_are_kept(kept, others, tmp_path):
    # The first epoch counts as the best, so that those which are kept come after it.
    options = ("callbacks.checkpoint.monitor=epoch", f"callbacks.checkpoint.save_top_k={kept}")
    _, epochs = trained(tmp_path, *options)
    assert epochs == {"best.ckpt": 0, **{f"best-epoch={n}.ckpt": n for n in others}}


def test_the_loss_that_is_reported_is_that_of_the_best_epoch(tmp_path):
    metrics, epochs = trained(tmp_path, "callbacks.checkpoint.save_top_k=2")
    text = (tmp_path / "csv" / "metrics.csv").read_text().splitlines()
    column = text[0].split(",").index("val/loss")
    losses = [float(cell) for line in text[1:] if (cell := line.split(",")[column])]
    assert len(losses) == 5  # of four epochs, and of the validation at the end
    assert metrics["val/loss"] == pytest.approx(min(losses))
    assert epochs.pop("best.ckpt") == losses.index(min(losses[:4]))
    best_two = sorted(range(4), key=losses.__getitem__)[:2]
    assert sorted(epochs.values()) == sorted(best_two)


@pytest.mark.parametrize("kept", ["0", "-2", "true", "2.5"])
def test_what_keeps_no_epoch_is_refused(kept, tmp_path):
    text = f"save_top_k={kept.capitalize()} is not allowed; allowed: .* type .*save_top_k=1"
    with pytest.raises(SystemExit, match=text):
        trained(tmp_path, f"callbacks.checkpoint.save_top_k={kept}")


@pytest.mark.parametrize("option", ["filename='mine-{epoch}'", "dirpath=DIR"])
def test_what_is_tested_is_best_whatever_the_callback_calls_it(option, tmp_path):
    option = option.replace("DIR", str(tmp_path / "elsewhere"))
    monitor = "callbacks.checkpoint.monitor=epoch"
    trained(tmp_path, f"callbacks.checkpoint.{option}", monitor)
    best = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["epoch"] == 0


@needs_semaphores
def test_spawned_ranks_train_and_count_as_others_do(tmp_path):
    spawned = ("trainer=ddp_sim", "trainer.strategy=ddp_spawn", "refit=true", "report=true")
    no_limit = ("trainer.max_epochs=-1", "callbacks.early_stopping.patience=1")
    options = (*SMALL, *spawned, *no_limit, f"paths.run_dir={tmp_path}")
    # Two ranks that fit, and two that fit again.
    run(*options, "trainer.min_epochs=3", cwd=tmp_path, others=4)
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert found["refit/epochs"] == found["fit/epochs"] >= 3
    best = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    data = make_data(load_config(options))
    n_windows = sum(len(data.windows.indices[split]) for split in ("train", "val"))
    steps = math.ceil(math.ceil(n_windows / 2) / data.batch_size)
    assert best["global_step"] == found["refit/epochs"] * steps
    assert best["optimizer_states"][0]["state"]
    assert (tmp_path / "curves.png").stat().st_size > 5000
