"""All patches that keep simulated processes apart, one file each: of the standard library, numpy and
nest_asyncio.

See `simulator.process` for what a process has to itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from simulator.clock import VirtualClock
from simulator.patches import (
    nesting,
    numpy_random,
    stdlib_environ,
    stdlib_exits,
    stdlib_file_locks,
    stdlib_logging,
    stdlib_modules,
    stdlib_output,
    stdlib_random,
    stdlib_signals,
)
from simulator.patches.imports import once_imported
from simulator.process import ProjectModules, settings_put_back


@contextmanager
def installed(clock: VirtualClock, seed: int, modules: ProjectModules | None) -> Iterator[None]:
    """Keep processes apart, for one simulation of `seed` on `clock`; with `modules`, also those."""
    with ExitStack() as stack:
        stack.enter_context(stdlib_environ.installed())
        stack.enter_context(stdlib_output.installed())
        stack.enter_context(stdlib_logging.installed())
        stack.enter_context(stdlib_random.installed(seed))
        stack.enter_context(once_imported("numpy.random", numpy_random.installed))
        stack.enter_context(stdlib_signals.installed())
        stack.enter_context(stdlib_exits.installed())
        stack.enter_context(nesting.installed())
        stack.enter_context(stdlib_file_locks.installed(clock))
        stack.enter_context(settings_put_back())
        if modules is not None:
            stack.enter_context(stdlib_modules.installed(modules))
        yield
