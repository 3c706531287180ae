"""A fit and tests by two ranks, of windows that cannot be dealt out evenly, and what they measure.

Run by the tests as a user's script: ``python counting_program.py FOLDER``.
"""

import json
import sys
from pathlib import Path

import lightning as L
import numpy as np
import torch

import dualgaf

BATCH_SIZE = 5
WEIGHTS = (1.0, 9.0)
COUNTS = {"val": 11, "odd": 13, "even": 12}
"""Of ``even`` each rank has as many: what is measured there needs no care."""


def arrays(n):
    rng = np.random.default_rng(n)
    return rng.normal(size=(n, 2, 12)), np.array([k % 4 == 0 for k in range(n)]).astype(int)


def data(test, batch_size=BATCH_SIZE):
    return dualgaf.DualGAFDataModule.from_arrays(
        arrays(15), val=arrays(COUNTS["val"]), test=arrays(COUNTS[test]), batch_size=batch_size
    )


def model():
    torch.manual_seed(0)
    net = dualgaf.DualGAFNet(2, 2, width=8, use_minirocket=False, use_forest=False)
    return dualgaf.DualGAFClassifier(net, class_weights=WEIGHTS)


def trainer(**options):
    return L.Trainer(
        accelerator="cpu",
        max_epochs=2,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


def main():
    folder, learned, found = Path(sys.argv[1]), model(), {}
    fitting = trainer(devices=2, strategy="ddp")
    fitting.fit(learned, datamodule=data("odd"))
    logged = fitting.callback_metrics
    found["val"] = {name: float(logged[name]) for name in logged if name.startswith("val/")}
    fitting.save_checkpoint(folder / "last.ckpt")
    for test in ("odd", "even"):
        (found[test],) = fitting.test(learned, datamodule=data(test), verbose=False)
    if fitting.global_rank == 0:
        (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
