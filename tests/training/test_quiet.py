import logging
import os
import sys
import warnings
from io import StringIO
from pathlib import Path

import pytest

from dualgaf.training.quiet import errors_alone, quiet
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


@pytest.mark.parametrize("configured", [True, False])
def test_what_lightning_says_is_printed_once(configured, monkeypatch, caplog):
    caplog.set_level(logging.INFO, logger.name)
    printed, by_root = StringIO(), StringIO()
    lightning, root = logging.getLogger("lightning"), logging.getLogger()
    own = logging.StreamHandler(printed)
    monkeypatch.setattr(lightning, "handlers", [own])
    monkeypatch.setattr(root, "handlers", [logging.StreamHandler(by_root)] if configured else [])
    for name in ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    monkeypatch.setattr(logging.getLogger("lightning.pytorch"), "handlers", [])
    with quiet():
        logger.info("build plan")
    assert by_root.getvalue() + printed.getvalue() == "build plan\n"
    assert lightning.handlers == [own]


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


def test_errors_alone_are_said_and_files_have_all(tmp_path, capsys):
    own = logging.getLogger("dualgaf.tests")
    own.setLevel(logging.INFO)
    own.propagate = False
    handlers = logging.StreamHandler(sys.stderr), logging.FileHandler(tmp_path / "all.log")
    for handler in handlers:
        own.addHandler(handler)
    try:
        with errors_alone():
            own.warning("little memory")
            own.error("none at all")
            warnings.warn("nothing", UserWarning, stacklevel=1)
        own.info("after it")
    finally:
        for handler in handlers:
            own.removeHandler(handler)
            handler.close()
    assert capsys.readouterr().err.splitlines() == ["none at all", "after it"]
    assert (tmp_path / "all.log").read_text().splitlines() == [
        "little memory",
        "none at all",
        "after it",
    ]


def test_a_quiet_run_says_nothing_but_an_error(tmp_path):
    options = ("data=simulated", "data.n_windows=40", "data.window_size=12", "quiet=true")
    small = ("model.use_minirocket=false", "model.use_forest=false", "model.width=8", "refit=false")
    words = (*options, *small, "trainer.max_epochs=1", "trainer.accelerator=cpu")
    assert run(*words, "hydra.run.dir=one", cwd=tmp_path) == ""
    assert "metrics:" in (tmp_path / "one/train.log").read_text()
    said = run(*words, "model.width=9", "hydra.run.dir=two", cwd=tmp_path, status=2)
    assert said.splitlines() == [
        "dualgaf: model.width=9 is not allowed; allowed: multiples of 8; type model.width=64"
    ]
