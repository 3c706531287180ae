"""What the build reaches on this machine: `python -m dualgaf bench`.

    size + suite -> sides -> runner -> rows and ratios -> table, JSON, plot

1. A *side* is one way to do the job: this package, plain pyts, the earlier system, or a bare
   write of as many bytes, which is the limit (`sides`, `baselines`, `limits`).
2. One runner times them all in turn, repeat after repeat (`runner`).
3. A suite chooses the sides and reads the times (`suites` and the modules it names).
4. A result is rows to print and ratios to guard, with the machine beside them (`results`,
   `ratios`, `plots`).
"""

from dualgaf.bench.ratios import dropped_ratios, kept_ratios, update_ratios
from dualgaf.bench.results import Result
from dualgaf.bench.runner import BenchSize
from dualgaf.bench.suites import run_bench

__all__ = ["BenchSize", "Result", "dropped_ratios", "kept_ratios", "run_bench", "update_ratios"]
