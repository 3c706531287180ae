import logging
import os
import warnings
from pathlib import Path

import pytest

from dualgaf.training.quiet import quiet
from preloaded import run

ROOT = Path(__file__).resolve().parents[2]

logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")


def test_advertisements_are_left_out_and_nothing_else(caplog, monkeypatch):
    monkeypatch.setattr(logger, "propagate", True)
    with caplog.at_level(logging.INFO, logger.name):
        with quiet():
            logger.info("\N{ELECTRIC LIGHT BULB} Tip: buy something")
            logger.info("build plan")
        logger.info("\N{ELECTRIC LIGHT BULB} Tip: outside the block")
    assert caplog.messages == ["build plan", "\N{ELECTRIC LIGHT BULB} Tip: outside the block"]


def test_other_warnings_still_come():
    with quiet(), pytest.warns(UserWarning, match="something real"):
        warnings.warn("something real", UserWarning, stacklevel=1)


HINT = "The `srun` command is available on your system but is not used. HINT: ..."


@pytest.mark.filterwarnings("default")
def test_the_hint_of_srun_is_for_jobs_of_slurm(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with warnings.catch_warnings(record=True) as caught, quiet():
        warnings.warn(HINT, stacklevel=1)
    assert caught == []
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with quiet(), pytest.warns(UserWarning, match="srun"):
        warnings.warn(HINT, stacklevel=1)


def test_a_run_where_slurm_is_installed_says_nothing_of_it(tmp_path, monkeypatch):
    srun = tmp_path / "srun"
    srun.write_text("#!/bin/sh\nexit 1\n")
    srun.chmod(0o755)
    for name in [name for name in os.environ if "SLURM" in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    options = [
        "data=simulated",
        "data.n_windows=40",
        "data.window_size=24",
        "trainer.max_epochs=1",
        "refit=false",
    ]
    said = run(*options, "model.use_minirocket=false", "model.use_forest=false", cwd=tmp_path)
    assert "metrics:" in said
    assert "srun" not in said
