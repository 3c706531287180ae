"""torchrun over two hosts, two ranks each: one folder, a build a host, each window once."""

import csv
import json
import sys
import time

import pytest

from cluster_programs import SCRIPTS, SMALL, TELL, WITHIN_S
from preloaded import TRAIN
from programs import told

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4 * WITHIN_S)]


def start(hosts, *words, cwd, **more):
    """The same command on both hosts."""
    return [
        hosts.start(
            *("bash", str(SCRIPTS / "two_hosts.sh"), "run", str(hosts.folder), str(host)),
            *(sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=2"),
            *(f"--node-rank={host}", "--master-addr=10.77.0.1", "--master-port=29511", TRAIN),
            *words,
            cwd=cwd,
            **more,
        )
        for host in (0, 1)
    ]


def ends(programs):
    """Output of both hosts, and their statuses."""
    outputs = [program.communicate(timeout=WITHIN_S)[0] for program in programs]
    return "\n".join(outputs), [program.returncode for program in programs]


def test_two_hosts_have_one_run_and_a_build_each(two_hosts, tmp_path):
    output, status = ends(start(two_hosts, "trainer=cluster", *SMALL, *TELL, cwd=tmp_path))
    assert status == [0, 0], output
    (path,) = tmp_path.glob("runs/*/*/metrics.json")
    assert len(list(tmp_path.glob("runs/*/*"))) == 1
    ranks = told(path.parent, "fit")
    assert len(ranks) == 4
    for host in (ranks[:2], ranks[2:]):
        assert sum(len(each["built"]) for each in host) == 1
        assert host[0]["inodes"] == host[1]["inodes"] != []
    assert len({tuple(each["hashes"]) for each in ranks}) == 1
    assert len(told(path.parent, "test")) == 1
    with (path.parent / "test_predictions.csv").open(newline="") as file:
        windows = [row["window"] for row in csv.DictReader(file)]
    assert len(windows) == len({*windows}) == 20
    assert output.count("run directory") == 1


def test_both_hosts_end_with_a_rank_and_the_same_command_goes_on(two_hosts, tmp_path):
    words = ["trainer=cluster", *SMALL, "trainer.max_epochs=4", "~callbacks.early_stopping"]
    words += ["+callbacks.die._target_=ranks_program.Die", "+callbacks.die.rank=3"]
    words += ["+callbacks.die.epoch=2", "hydra.run.dir=run"]
    output, status = ends(start(two_hosts, *words, cwd=tmp_path))
    print(f"both hosts have ended after {time.time() - (tmp_path / 'died').stat().st_mtime:.1f} s")
    assert 0 not in status, output
    output, status = ends(start(two_hosts, *words, cwd=tmp_path))
    assert status == [0, 0], output
    assert "this run has trained 2 epochs; its first training goes on" in output
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["fit/epochs"] == 4
