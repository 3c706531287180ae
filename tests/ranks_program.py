"""A training of several ranks that tells what each of them holds, and that can be made to fail.

Run by the tests as a user's script, so that Lightning starts it again for the other ranks:
``python ranks_program.py OPTIONS`` (JSON). `Tell` and `Fail` are callbacks for train.py, too.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import lightning as L
import numpy as np
import psutil
import torch
import xxhash

import dualgaf
from dualgaf.data import image_build
from dualgaf.store import live_stores
from programs import shared_bytes

SPLITS = {"train": 700, "val": 140, "test": 336}
CHANNELS, STEPS = 5, 64
ROW_BYTES = 2 * CHANNELS * STEPS * STEPS  # 840 windows of train and val: 34 MB


def arrays():
    rng = np.random.default_rng(11)
    return {
        split: (rng.normal(size=(n, CHANNELS, STEPS)), np.arange(n) % 2)
        for split, n in SPLITS.items()
    }


def bytes_of_this_test():
    """What all programs that this test has started map of stores."""
    run, total = os.environ.get("XDG_RUNTIME_DIR"), 0
    for process in psutil.process_iter():
        try:
            if process.environ().get("XDG_RUNTIME_DIR") == run:
                total += shared_bytes(process.pid)
        except (psutil.Error, OSError):
            continue
    return total


class Fail(L.Callback):
    """Fails one rank in its second batch."""

    def __init__(self, rank):
        self.rank = rank

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if batch_idx == 1 and trainer.global_rank == self.rank:
            raise RuntimeError("on purpose")


class Hold(L.Callback):
    """Holds a training at the begin of an epoch; the variable HOLD says where, if anywhere.

    ``fit 2`` is the third epoch of the first training, ``refit 2`` that of the second, ``seed 1``
    the begin of the job with this seed. The first rank says that it is there by a file. With
    ``once`` a training that comes there again is not held.
    """

    def __init__(self, once=False):
        self.once = once

    def on_train_epoch_start(self, trainer, module):
        training = "refit" if trainer.datamodule.with_val else "fit"
        at = os.environ.get("HOLD")
        here = (f"{training} {trainer.current_epoch}", f"seed {trainer.datamodule.seed}")
        if at in here and trainer.global_rank == 0 and not (self.once and Path("held").exists()):
            Path("held").touch()
            while True:  # one long wait would miss a signal that comes just before it
                time.sleep(0.02)


class Die(L.Callback):
    """Ends one rank at the begin of an epoch as the kernel would; once in a folder."""

    def __init__(self, rank, epoch):
        self.rank, self.epoch = rank, epoch

    def on_train_epoch_start(self, trainer, module):
        if (trainer.global_rank, trainer.current_epoch) == (self.rank, self.epoch):
            mark = Path("died")
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)


class Tell(L.Callback):
    """Writes what each rank has built and holds, while all of them hold it."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def tell(self, trainer, stage):
        dm = trainer.datamodule
        hashes = [xxhash.xxh3_64_hexdigest(store.array) for store in dm.stores]  # reads every page
        trainer.strategy.barrier()
        held = {store.nbytes: store for store in dm.stores}
        told = {
            "built": [report.windows for report in dm.build_reports if report.cache != "hit"],
            "hashes": sorted(set(hashes)),
            "inodes": sorted(
                {file.inode for store in dm.stores for file in store.handle.files}
                if held and dm.stores[0].backing != "private"
                else []
            ),
            "store_bytes": sum(held),
            "pss_bytes": shared_bytes(os.getpid()),
            "all_bytes": bytes_of_this_test() if trainer.global_rank == 0 else 0,
            "windows": sorted(getattr(trainer.lightning_module, "seen", [])),
            "tested": sorted(getattr(trainer.lightning_module, "tested", [])),
        }
        text = json.dumps(told)
        (self.folder / f"{stage}.{trainer.global_rank}.{os.getpid()}.json").write_text(text)
        trainer.strategy.barrier()

    def on_train_end(self, trainer, module):
        self.tell(trainer, "fit")

    def on_test_end(self, trainer, module):
        self.tell(trainer, "test")


class Tiny(L.LightningModule):
    """One weight. A window is known by its label and its first values."""

    def __init__(self, fault):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.fault = fault
        self.seen, self.tested = [], []

    def training_step(self, batch, batch_idx):
        if batch_idx == 1 and self.fault.get("rank") == self.global_rank:
            self.trainer.fault("training")
        if self.current_epoch == 0:
            self.seen += batch.series[:, 0, 0].tolist()
        return (batch.gasf.mean() * self.weight + batch.gadf.mean()).square()

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", batch.gasf.mean(), sync_dist=True)

    def test_step(self, batch, batch_idx):
        self.tested += batch.series[:, 0, 0].tolist()
        self.log("test/loss", batch.gasf.mean(), sync_dist=True)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


class OnlySetup(dualgaf.DualGAFDataModule):
    """As where `prepare_data` is not called: whoever comes first builds."""

    def prepare_data(self):
        pass


class Fault:
    """Kills or fails this rank at one place, once in all ranks."""

    def __init__(self, folder, fault):
        self.folder, self.fault = folder, fault
        self.rank = int(os.environ.get("LOCAL_RANK", 0))

    def __call__(self, at):
        if at != self.fault.get("at"):
            return
        try:
            (self.folder / "fault").touch(exist_ok=False)
        except FileExistsError:
            return
        if self.fault["how"] == "raise":
            raise RuntimeError("on purpose")
        os.kill(os.getpid(), signal.SIGKILL)

    def progress(self, rows):
        """In the builder, for each chunk."""
        builder = self.folder / "builder"
        if not builder.exists():
            builder.write_text(str(self.rank))
        self("build")
        if self.fault.get("at") == "wait":  # until the one that waits is dead
            while not (self.folder / "fault").exists():
                time.sleep(0.01)

    def watch(self):
        """In a rank that waits for the builder."""
        builder = self.folder / "builder"
        while not (builder.exists() and builder.read_text()):
            time.sleep(0.01)
        if builder.read_text() != str(self.rank):
            self("wait")

    def install(self):
        build_store, attach = image_build.build_store, live_stores.attach

        def build(*arguments, **named):
            return build_store(*arguments, **{**named, "progress": self.progress})

        def attach_or_fail(handle):
            self("attach")
            return attach(handle)

        image_build.build_store, live_stores.attach = build, attach_or_fail
        threading.Thread(target=self.watch, daemon=True).start()


def main():
    options = json.loads(sys.argv[1])
    folder = Path(options["folder"])
    fault = options.get("fault", {})
    kind = OnlySetup if fault.get("only_setup") else dualgaf.DualGAFDataModule
    parallel = {"backend": "thread", "chunk_size": 40, "shm": options.get("shm", True)}
    drawn = {"image_size": None, "scaling": "window", "feature_range": (-1.0, 1.0)}
    drawn["shard"] = options.get("shard", "none")
    dm = kind.from_arrays(**arrays(), batch_size=40, parallel=parallel, **drawn)
    trainer = L.Trainer(
        accelerator="cpu",
        devices=options["ranks"],
        num_nodes=options.get("nodes", 1),
        strategy=options.get("strategy", "ddp"),
        max_epochs=1,
        num_sanity_val_steps=0,
        callbacks=[Tell(folder)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    if fault:
        trainer.fault = Fault(folder, fault)
        trainer.fault.install()
    module = Tiny(fault)
    trainer.fit(module, datamodule=dm)
    trainer.test(module, datamodule=dm, verbose=False)


if __name__ == "__main__":
    main()
