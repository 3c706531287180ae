"""Write docs/reliability.md: `python benchmarks/reliability.py`.

It comes from `tests/fault_rows.py` and from what the last runs wrote into `benchmarks/results`:

    pytest tests/faults --fault-report benchmarks/results/faults.json
    make soak
    python benchmarks/ranks.py --output benchmarks/results/ranks.json
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dualgaf.bench.results import machine_lines
from dualgaf.system.machine import format_bytes

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "reliability.md"
sys.path.insert(0, str(ROOT / "tests"))
from fault_rows import FAULTS  # noqa: E402

HEAD = """# Reliability

Made by `python benchmarks/reliability.py` from `benchmarks/results/{faults,soak,ranks}.json`; no
number here is typed by hand.

Every fault below is really injected: processes are killed and stopped, memory groups are filled,
disks are full, folders are read-only. After every test the same is asked: is a process left that
the test has started, does anybody hold shared memory of dualgaf, is a name left in `/dev/shm`, has
this process more open files than before? A run that reports success is compared with the serial
result, bit for bit. `make test` runs all of them.
"""

PROMISES = """## What is not promised

- A container whose memory group ends all processes at once (`memory.oom.group=1`, as Kubernetes
  sets it) ends this one, too. The build stops while there is still room; what another program
  takes in the same group is out of its hands. With `cache.dir` the next run goes on from there.
- With `cache.verify=size`, the default, a bit that the disk has flipped is not seen. Type
  `cache.verify=full`, or `python -m dualgaf cache verify cache.dir=FOLDER`.
- A cache of an earlier version (commit 837ca8d) is not used: what is constant up to rounding is
  drawn otherwise since. Images are drawn, windows read and bounds fitted anew, beside the old ones
  ([why](design/0010-a-cache-that-goes-on.md)). `python -m dualgaf cache clear cache.dir=FOLDER`
  removes both.
- A source of your own that has a method `contents` vouches that its text changes whenever `load`
  gives something else.
- An administrator who cuts off a file of the cache while it is mapped ends those who read it.
- A network file system without locks cannot keep two machines from building the same entry at the
  same time; each then publishes a whole one. With locks (NFS 4, or NFS 3 with its lock daemon) the
  one that waits sees the entry of the other when its client does, at the latest after the time that
  attributes are kept there (`actimeo`, 60 s by default); until then it may build once more. Locks
  of a machine that has lost its power are free when the server gives them up.
- What is shared between the ranks of one machine is memory, whatever the file system of
  `cache.dir`. An entry of `cache.dir` that another machine removes or cuts off while it is mapped
  over a network ends those who read it.
- A run folder is written by the first rank, and read by all where a run goes on. On several
  machines it must be one folder for all. Ranks that see another one end with an error, before the
  first step. Without locks two processes that train into one folder at once are not noticed.
- A checkpoint is renamed when it is written, not flushed to the disk first: after a loss of power
  the newest one may be gone or short on file systems that keep no order; the program is safe.
- A rank of another container or another user builds its own copy.
- Measured on Linux with cgroup v1. Version 2 is read by the same code from other files, which tests
  make up; it was not run under a real limit. macOS and Windows were not tried.
"""


RANKS = """## One copy per machine

Whichever rank comes first takes the lock of the store and builds. The others wait for the lock and
open the memory that it has built. When the builder dies, the kernel frees the lock, and the next
rank builds. Nothing has to be set: Lightning's launcher, `ddp_spawn`, torchrun and programs that
know nothing of each other find the store in the same way, in `fit` and in `test`. Users of
Lightning have asked for this since 2020 (issues 1981, 10806 and 19892 of its repository).

```text
$ {command}
{date}
{machine}
```

Images of {size}; `Trainer.fit`, then `Trainer.test`, with `strategy=ddp` on the CPU. *PSS* is what
all ranks together map of stores, each page divided by those who map it, at the end of the stage.
The last three columns are the same ranks, kept from finding each other.

| ranks | stage | builds | PSS | copies | alone: builds | PSS | copies |
| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |"""


def page(faults: Mapping[str, Any], soak: Mapping[str, Any], ranks: Mapping[str, Any]) -> str:
    """The text of docs/reliability.md."""
    return "\n".join([HEAD, _faults(faults), _ranks(ranks), _soak(soak), PROMISES])


def _faults(told: Mapping[str, Any]) -> str:
    rows = told["rows"]
    injected, survived = (
        sum(row[key] for row in rows.values()) for key in ("injected", "survived")
    )
    skipped = [
        f"- row {number}: {reason}" for number, row in rows.items() for reason in row["skipped"]
    ]
    lines = [
        "## Faults",
        "",
        "```text",
        "$ pytest tests/faults --fault-report benchmarks/results/faults.json",
        told["date"],
        machine_lines(told["machine"]),
        "```",
        "",
        f"{injected} faults were injected, {survived} ended as the table says, "
        f"{len(skipped)} tests were skipped.",
        "",
        "| | fault | what happens | injected | survived | tests |",
        "| ---: | --- | --- | ---: | ---: | --- |",
    ]
    for number, fault in FAULTS.items():
        row = rows.get(str(number), {"injected": 0, "survived": 0, "tests": []})
        tests = ", ".join(_link(test) for test in _files(row["tests"]))
        lines.append(
            f"| {number} | {fault.what} | {fault.outcome} | {row['injected']} | {row['survived']} "
            f"| {tests} |"
        )
    told_skipped = ["", "Skipped on this machine:", "", *skipped] if skipped else []
    return "\n".join([*lines, *told_skipped, ""])


def _files(tests: list[str]) -> list[str]:
    return sorted({test.partition("::")[0] for test in tests})


def _link(file: str) -> str:
    name = re.sub(r"^test_|\.py$", "", Path(file).name)
    return f"[{name}](../{file})"


def _ranks(told: Mapping[str, Any]) -> str:
    lines = [
        RANKS.format(
            command=told["command"],
            date=told["date"],
            machine=machine_lines(told["machine"]),
            size=format_bytes(told["store_bytes"]),
        )
    ]
    for row in told["rows"]:
        cells = [str(row["ranks"]), row["stage"]]
        for side in ("shared", "alone"):
            found = row[side]
            copies = found["pss_bytes"] / found["store_bytes"]
            cells += [str(found["builds"]), format_bytes(found["pss_bytes"]), f"{copies:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _soak(told: Mapping[str, Any]) -> str:
    first, last = told["every_10th"][2], told["every_10th"][-1]
    lines = [
        "## Again and again",
        "",
        f"`make soak`, {told['date']}: {told['cycles']} builds in {told['seconds']:.0f} s, "
        f"seed {told['seed']}, a random fault in each.",
        "",
        "| fault | ends |",
        "| --- | --- |",
    ]
    for fault, ends in told["outcomes"].items():
        counts = ", ".join(f"{name} {count}" for name, count in ends.items())
        lines.append(f"| {fault} | {counts} |")
    lines += ["", "| held by the process | after 20 builds | at the end | flat |"]
    lines.append("| --- | ---: | ---: | --- |")
    words = {
        "rss_bytes": "memory (RSS)",
        "open_files": "open files",
        "threads": "threads",
        "children": "children",
        "shared_maps": "maps of shared memory",
    }
    for key, word in words.items():
        shown = [format_bytes(c[key]) if key == "rss_bytes" else str(c[key]) for c in (first, last)]
        lines.append(
            f"| {word} | {shown[0]} | {shown[1]} | {'yes' if told['flat'][key] else 'no'} |"
        )
    return "\n".join([*lines, ""])


def load() -> dict[str, Any]:
    """The results that the page is made of."""
    return {
        name: json.loads((RESULTS / f"{name}.json").read_text())
        for name in ("faults", "soak", "ranks")
    }


if __name__ == "__main__":
    PAGE.write_text(page(**load()))
