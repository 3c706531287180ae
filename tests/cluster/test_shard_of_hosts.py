"""``shard=node`` on two hosts, two ranks each, started by torchrun: `make slow`."""

import json
import sys
from collections import Counter

import pytest

from cluster_programs import SCRIPTS, WITHIN_S
from programs import ROOT, finished, told
from ranks_program import ROW_BYTES, SPLITS

FIRST = "10.77.0.1"
"""Address of host 0, as two_hosts.sh has it."""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_host_draws_half_and_every_window_is_learned_once(two_hosts, tmp_path):
    options = {"folder": str(tmp_path), "ranks": 2, "nodes": 2, "shard": "node"}
    program = [str(ROOT / "tests" / "ranks_program.py"), json.dumps(options)]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=2"]
    programs = []
    for host in ("0", "1"):
        on_host = ["bash", str(SCRIPTS / "two_hosts.sh"), "run", str(two_hosts.folder), host]
        place = [f"--node-rank={host}", f"--master-addr={FIRST}", "--master-port=29511"]
        words = [*on_host, *torchrun, *place, *program]
        programs.append(two_hosts.start(*words, cwd=tmp_path, OMP_NUM_THREADS="1"))
    ended = [finished(program, WITHIN_S) for program in programs]
    assert [status for _, status in ended] == [0, 0], ended

    each = told(tmp_path, "fit")
    assert len(each) == 4
    half, val = SPLITS["train"] // 2, SPLITS["val"]
    for host in (each[:2], each[2:]):
        # One build a host, of half of the training windows, and one copy of it.
        assert sorted(n for rank in host for n in rank["built"]) == [half + val]
        assert {rank["store_bytes"] for rank in host} == {(half + val) * ROW_BYTES}
        assert len({tuple(rank["inodes"]) for rank in host}) == 1
    assert each[0]["hashes"] != each[2]["hashes"]
    learned = Counter(window for rank in each for window in rank["windows"])
    assert len(learned) == SPLITS["train"]
    assert set(learned.values()) == {1}
    # The others are whole: each test window is counted once, by one of the four.
    tested = [window for rank in told(tmp_path, "test") for window in rank["tested"]]
    assert len(tested) == len(set(tested)) == SPLITS["test"]
    said = [output for output, _ in ended]
    assert said[0].count("nodes 0 to 1 hold 350 of 700 training windows each") == 1
    assert "build plan" not in said[1]
