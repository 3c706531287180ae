"""launcher=here: several jobs at a time on one machine, each with ranks of its own."""

import csv

import pytest

from cluster_programs import SMALL, TELL, WITHIN_S, Place, environment_of, needs_plugin
from programs import told

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * WITHIN_S)]


@pytest.mark.parametrize("module", [False, True])
def test_jobs_of_two_ranks_leave_a_row_each(module, tmp_path):
    needs_plugin("hydra_joblib_launcher", "joblib")
    place = Place(tmp_path, environment_of(tmp_path))
    words = ("-m", "launcher=here", "trainer=ddp_sim", "seed=0,1", *SMALL, *TELL)
    try:
        output, status = place.train(*words, cwd=tmp_path, module=module)
    finally:
        place.end()
    assert status == 0, output
    (path,) = tmp_path.glob("multirun/*/*/sweep.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == ["0", "1"]
    for row in rows:
        assert 0 <= float(row["val/acc"]) <= 1
        assert len(told(path.parent / row["job"], "fit")) == 2
        assert len(told(path.parent / row["job"], "test")) == 1
    assert not (tmp_path / "runs").exists()
    assert "sweep of 2 jobs" in output
