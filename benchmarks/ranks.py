"""How many copies of the images the ranks of one machine keep: `python benchmarks/ranks.py`.

Each run is a `Trainer.fit` and a `Trainer.test` with ``strategy=ddp`` on the CPU, once as it is and
once with a rendezvous for each rank, so that none finds what another has built.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from dualgaf.bench.results import machine
from dualgaf.system.machine import format_bytes

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from leaks import mapped

STAGES = ("fit", "test")


def run_rank(folder: Path, ranks: int, n_windows: int) -> None:
    """One rank: Lightning starts this program again for the others."""
    import lightning as L

    import dualgaf

    class Told(L.Callback):
        """Writes what this rank holds, while all of them hold theirs."""

        def tell(self, trainer: L.Trainer, stage: str) -> None:
            for store in data.stores:
                int(store.array.sum())  # every page is mapped
            trainer.strategy.barrier()
            reports = [report for report in data.build_reports if report.cache != "hit"]
            held = {store.handle.nonce: store.nbytes for store in data.stores}
            told = {
                "builds": len(reports),
                "pss_bytes": mapped(os.getpid(), "dualgaf-store")["Pss"],
                "store_bytes": sum(held.values()),
            }
            (folder / f"{stage}.{trainer.global_rank}.json").write_text(json.dumps(told))
            trainer.strategy.barrier()

        def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
            self.tell(trainer, "fit")

        def on_test_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
            self.tell(trainer, "test")

    source = dualgaf.SimulatedSource(n_windows=n_windows, window_size=96)
    data = dualgaf.DualGAFDataModule(source, batch_size=64)
    net = dualgaf.DualGAFNet(data.n_channels, data.num_classes, width=8)
    trainer = L.Trainer(
        accelerator="cpu",
        devices=ranks,
        strategy="ddp" if ranks > 1 else "auto",
        max_epochs=1,
        limit_train_batches=2,
        limit_val_batches=1,
        limit_test_batches=1,
        callbacks=[Told()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    model = dualgaf.DualGAFClassifier(net)
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)


def measure(ranks: int, n_windows: int, shared: bool) -> dict[str, dict[str, int]]:
    """Sums over the ranks, by stage; ``store_bytes`` is what one copy takes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, __file__, "--rank", name, "--ranks", str(ranks)]
        command += ["--n-windows", str(n_windows), *([] if shared else ["--alone"])]
        environment = {**os.environ, "XDG_RUNTIME_DIR": name}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        found = {}
        for stage in STAGES:
            told = [json.loads(path.read_text()) for path in folder.glob(f"{stage}.*.json")]
            assert len(told) == ranks
            found[stage] = {
                "builds": sum(rank["builds"] for rank in told),
                "pss_bytes": sum(rank["pss_bytes"] for rank in told),
                "store_bytes": told[0]["store_bytes"],
            }
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--n-windows", type=int, default=4000, help="windows of the source (4000)")
    parser.add_argument("--output", type=Path, help="JSON file for the result")
    parser.add_argument("--rank", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--ranks", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rank is not None:
        if options.alone:
            own = options.rank / f"rank{os.environ.get('LOCAL_RANK', 0)}"
            own.mkdir(exist_ok=True)
            os.environ["XDG_RUNTIME_DIR"] = str(own)
        run_rank(options.rank, options.ranks, options.n_windows)
        return
    rows: list[dict[str, Any]] = []
    for ranks in (1, 2, 4):
        sides = {
            side: measure(ranks, options.n_windows, side == "shared")
            for side in ("shared", "alone")
        }
        for stage in STAGES:
            rows.append({"ranks": ranks, "stage": stage, **{s: sides[s][stage] for s in sides}})
            shown = {s: format_bytes(sides[s][stage]["pss_bytes"]) for s in sides}
            print(f"{ranks} ranks, {stage}: {shown['shared']}, without sharing {shown['alone']}")
    told = {
        "command": f"python benchmarks/ranks.py --n-windows {options.n_windows}",
        "date": date.today().isoformat(),
        "machine": machine(),
        "store_bytes": rows[0]["shared"]["store_bytes"],
        "rows": rows,
    }
    if options.output is not None:
        options.output.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
