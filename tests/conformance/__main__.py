"""Runs every case on both engines and says where they differ: `python -m tests.conformance`."""

import sys

from tests.conformance.run import main

if __name__ == "__main__":
    sys.exit(main())
