"""A process of its own, as threads of this one: what an operating system gives to each process.

Its main thread, its end, its exit code and its death, and what it does not share with others. It may
import `clock`. Open `processes.py` first.
"""

from simulator.process.processes import Process, Terminated, current_process, give_up, is_main

__all__ = [
    "Process",
    "Terminated",
    "current_process",
    "give_up",
    "is_main",
]
