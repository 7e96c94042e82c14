"""Libraries that put green threads in the place of real ones, in a whole process and for good."""

from __future__ import annotations

import sys

from simulator.errors import SimulationError

_MODULES = (
    "os", "queue", "select", "signal", "socket", "ssl", "subprocess", "thread", "threading", "time",
)  # fmt: skip

PATCHING = {
    "gevent": ("gevent.monkey", "is_module_patched", "patch_all"),
    "eventlet": ("eventlet.patcher", "is_monkey_patched", "monkey_patch"),
}
"""By library: the module that patches, what says whether it has, and what does it."""


def refuse() -> None:
    """Refuse a process whose waits are green: they are in C, with a clock of their own.

    Raises SimulationError, in one line.
    """
    for library, (module, asks, patches) in PATCHING.items():
        patching = sys.modules.get(module)
        if patching is None:
            continue
        patched = [name for name in _MODULES if getattr(patching, asks)(name)]
        if patched:
            raise SimulationError(
                f"{library} has patched {', '.join(patched)} in this process ({module}.{patches}), and"
                " no virtual clock reaches what waits there: open a simulation in a process without it"
            )
