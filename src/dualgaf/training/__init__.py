"""A run, from a configuration to `metrics.json`."""

import os
import sys

# Threads of a small network meet thousands of times a second. Where another program wants the same
# CPUs, waiting in a loop for one that sleeps makes an epoch seven times as long (97 s against 14 s
# for GunPoint beside one busy process). The setting counts only before torch is loaded, so it is
# the first thing that a command does; after that there is `dualgaf.models.idle_threads`.
if "torch" not in sys.modules:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
