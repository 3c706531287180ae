"""`python -m dualgaf.pool DESCRIPTOR`: how the supervisor starts a worker."""

import sys

from dualgaf.pool.worker import run_worker

if __name__ == "__main__":
    sys.exit(run_worker(int(sys.argv[1])))
