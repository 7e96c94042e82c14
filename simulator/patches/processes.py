"""All patches of the standard library that keep simulated processes apart, one file each.

See `simulator.process` for what a process has to itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from simulator.patches import (
    stdlib_environ,
    stdlib_exits,
    stdlib_logging,
    stdlib_output,
    stdlib_random,
    stdlib_signals,
)


@contextmanager
def installed(seed: int) -> Iterator[None]:
    """Keep processes apart, for one simulation of `seed`."""
    with ExitStack() as stack:
        stack.enter_context(stdlib_environ.installed())
        stack.enter_context(stdlib_output.installed())
        stack.enter_context(stdlib_logging.installed())
        stack.enter_context(stdlib_random.installed(seed))
        stack.enter_context(stdlib_signals.installed())
        stack.enter_context(stdlib_exits.installed())
        yield
