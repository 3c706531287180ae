"""`python -m dualgaf`: see `dualgaf.cli`."""

import sys

from dualgaf.cli import main

if __name__ == "__main__":
    sys.exit(main())
