"""Two ranks count what one process counts, also where the windows cannot be dealt out evenly."""

import json

import pytest

import counting_program
from counting_program import COUNTS
from dualgaf.inference.checkpoint import Checkpoint
from preloaded import start
from programs import ROOT, SEARCH_PATH, finished

PROGRAM = str(ROOT / "tests" / "counting_program.py")


@pytest.fixture(scope="module")
def by_two_ranks(tmp_path_factory):
    """What they measured, what they said, and the weights."""
    folder = tmp_path_factory.mktemp("two")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", SEARCH_PATH)
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        program = start(str(folder), cwd=folder, program=(PROGRAM,), others=1)
        output, status = finished(program, 120)
    assert status == 0, output
    found = json.loads((folder / "found.json").read_text())
    return found, output, Checkpoint(folder / "last.ckpt")


@pytest.mark.parametrize("measured", ["val", "odd", "even"])
def test_two_ranks_measure_what_one_process_measures(measured, by_two_ranks):
    found, _, checkpoint = by_two_ranks
    (alone,) = evaluated(checkpoint, measured, batch_size=1)
    assert found[measured].keys() == alone.keys()
    for name, value in alone.items():
        assert found[measured][name] == pytest.approx(value, abs=1e-5), name
    (acc,) = (value for name, value in found[measured].items() if name.endswith("/acc"))
    right = acc * COUNTS[measured]
    assert right == pytest.approx(round(right), abs=1e-4)


def evaluated(checkpoint, measured, batch_size):
    dm = counting_program.data("odd" if measured == "val" else measured, batch_size)
    trainer = counting_program.trainer(devices=1)
    evaluate = trainer.validate if measured == "val" else trainer.test
    return evaluate(checkpoint.classifier(), datamodule=dm, verbose=False)


def test_neither_lightning_nor_we_warn_of_windows_that_are_counted_twice(by_two_ranks):
    _, output, _ = by_two_ranks
    assert "DistributedSampler" not in output
    assert "FallbackWarning" not in output
