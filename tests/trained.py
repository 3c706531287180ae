"""A checkpoint of a network that was trained for one step: what it says does not matter."""

import datetime

import lightning as L
import torch

import dualgaf

STEPS = 12
DAY = datetime.datetime(2020, 1, 1)


def plant_table(
    days=8,
    *,
    first=DAY,
    columns=("time", "temp", "flow", "fault"),
    minutes=60,
    shift=0.0,
    left_out=(),
):
    """A CSV: temp 60 to 72.6, flow 1 to 4.2, a fault a day; ``left_out`` are numbers of rows."""
    lines = [",".join(columns)]
    for k in range(days * 24 * 60 // minutes):
        if k in left_out:
            continue
        time = first + datetime.timedelta(minutes=k * minutes)
        day = (time - DAY).days
        cells = {
            "time": f"{time:%Y-%m-%d %H:%M}",
            "temp": f"{60 + (time.hour * (1 + day % 2)) % 13 - (day % 3) / 5 + shift:.3f}",
            "flow": f"{1 + (time.hour * 7 + day) % 17 / 5:.3f}",
            "fault": "ab"[day % 2],
            "extra": "5",
        }
        lines.append(",".join(cells[name] for name in columns))
    return "\n".join(lines) + "\n"


def checkpoint_of(source, path, **settings):
    """Train for one step and write ``path``; returns the DataModule and the trainer."""
    torch.manual_seed(0)
    dm = dualgaf.DualGAFDataModule(source, image_size=4, **settings)
    net = dualgaf.DualGAFNet(
        dm.n_channels, dm.num_classes, width=8, use_minirocket=False, use_forest=False
    )
    trainer = L.Trainer(
        max_epochs=1,
        limit_train_batches=1,
        limit_val_batches=0,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    model = dualgaf.DualGAFClassifier(net, class_names=dm.class_names)
    trainer.fit(model, datamodule=dm)
    trainer.save_checkpoint(path)
    return dm, trainer, model


def trained_on_plant(folder, **settings):
    """A folder with ``plant/a.csv`` and ``best.ckpt``; returns what `checkpoint_of` does."""
    (folder / "plant").mkdir()
    (folder / "plant" / "a.csv").write_text(plant_table())
    source = dualgaf.TableSource(folder / "plant", window_size=STEPS, stride=6)
    return checkpoint_of(source, folder / "best.ckpt", **settings)
