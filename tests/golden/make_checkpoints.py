"""Makes the checkpoints of this folder, with the build of commit 837ca8d.

    git worktree add OLD 837ca8d
    cd OLD && PYTHONPATH=src python .../tests/golden/make_checkpoints.py FOLDER

Option names, classes and their places in the package are those of that commit. A later build must
load what it left, and give the test figures that it found (`tests/test_golden.py`).

``run/``      a run folder of train.py: simulated plant, kernel branch, focal loss
``api.ckpt``  a Lightning project of somebody's own: arrays, extractor=auto, no kernel branch
``plain.ckpt``  arrays of one channel, ``extractor=None`` (which it resolved), kernel branch

``figures.json`` has what each was tested with.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import lightning as L
import numpy as np
import torch

import dualgaf

OPTIONS = (
    "data=simulated",
    "data.n_windows=60",
    "data.window_size=24",
    "datamodule.image_size=12",
    "model.width=8",
    "loss=hybrid_focal",
    "loss.share=0.4",
    "classifier.class_weights=balanced",
    "trainer.max_epochs=12",
    "logger=csv",
    "seed=3",
)


def arrays(n_channels: int) -> dict[str, tuple[np.ndarray, list[str]]]:
    """Windows of two classes, told apart by the pace of a sine; from a seed."""
    draws = np.random.default_rng(7)
    found = {}
    for split, n in (("train", 24), ("test", 12)):
        label = np.arange(n) % 2
        steps = np.linspace(0, 6, 20) * (1 + label[:, None, None])
        x = np.sin(steps) + 0.6 * draws.normal(size=(n, n_channels, 20))
        found[split] = (x, [("slow", "fast")[k] for k in label])
    return found


def main(folder: Path) -> None:
    """Train, test and keep the three."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {}
    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    command = [sys.executable, "train.py", *OPTIONS, f"hydra.run.dir={run}"]
    subprocess.run(command, check=True)
    metrics = json.loads((run / "metrics.json").read_text())
    figures["run"] = {key: metrics[key] for key in ("test/acc", "test/f1_macro", "test/loss")}
    kept = {run / "checkpoints/best.ckpt", run / ".hydra/config.yaml", run / ".hydra/hydra.yaml",
            run / ".hydra/overrides.yaml"}  # fmt: skip
    for path in sorted(run.rglob("*"), reverse=True):
        if path.is_file() and path not in kept:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    for path in (run / ".hydra").iterdir():  # not where it was made
        text = (
            path.read_text().replace(str(run), "/runs/golden").replace(str(Path.cwd()), "/project")
        )
        path.write_text(text)
    for name, n_channels, settings in (
        ("api", 3, {"extractor": "auto", "budget_gflop": 0.001, "use_kernels": False}),
        ("plain", 1, {"extractor": None, "use_kernels": True}),
    ):
        L.seed_everything(5, verbose=False)
        data = dualgaf.DualGAFDataModule.from_arrays(
            **arrays(n_channels), batch_size=8, image_size=10
        )
        net = dualgaf.DualGAFNet(n_channels, 2, width=8, image_size=10, **settings)
        model = dualgaf.DualGAFClassifier(net, class_names=["fast", "slow"])
        options = {"logger": False, "enable_progress_bar": False, "accelerator": "cpu"}
        trainer = L.Trainer(max_epochs=12, enable_checkpointing=False, **options)
        trainer.fit(model, datamodule=data)
        trainer.save_checkpoint(folder / f"{name}.ckpt")
        (scores,) = trainer.test(model, datamodule=data, verbose=False)
        figures[name] = {key: float(value) for key, value in scores.items()}
        data.close()
    for path in [*folder.glob("*.ckpt"), run / "checkpoints/best.ckpt"]:
        # A training that goes on needs it, a test does not; it is most of the bytes.
        saved = torch.load(path, weights_only=True)
        saved["optimizer_states"], saved["lr_schedulers"] = [], []
        torch.save(saved, path)
    (folder / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
