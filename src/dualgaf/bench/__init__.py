"""What the build reaches on this machine: `python -m dualgaf bench`.

    size + suite -> sides -> runner -> rows and ratios -> table, JSON

1. A *side* is one way to do the job: this package in one of its ways, or a bare write of as many
   bytes, which is the limit (`sides`, `limits`).
2. One runner times them all in turn, repeat after repeat (`runner`).
3. A suite chooses the sides and reads the times (`suite`).
4. A result is rows to print and ratios, with the machine beside them (`results`).

More suites, with pyts and the earlier system beside ours, are in ``benchmarks/speed`` of the
repository.
"""

from dualgaf.bench.results import Result
from dualgaf.bench.runner import BenchSize
from dualgaf.bench.suite import run_build

__all__ = ["BenchSize", "Result", "run_build"]
