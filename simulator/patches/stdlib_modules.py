"""Lets each simulated process import the modules of the user's project anew.

Python 3.11 to 3.13. What is patched, and why:

- `sys.modules`: Python keeps a module once for the whole process. See `simulator.process.modules`.
- `sys.meta_path`: modules of the project that are imported later must be represented there as well.

`tests/process/test_modules.py` fails without them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from simulator.process import ProjectModules


@contextmanager
def installed(modules: ProjectModules) -> Iterator[None]:
    """Keep the project's modules apart, for one simulation."""
    finder = modules.represent()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        modules.withdraw()
