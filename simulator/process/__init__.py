"""A process of its own, as threads of this one: what an operating system gives to each process.

Its main thread, its end, its exit code and its death (`processes.py`), and what it does not share
with others, one small module each: environment, working directory, output, the set-up of logging,
random numbers, signals, what it does at its end. `own.py` is how these are kept apart. It may import
`clock`. Open `processes.py` first.
"""

from simulator.process.cwd import directory_for_children
from simulator.process.duckdb_files import DuckDBFiles, Holding
from simulator.process.ending import exits
from simulator.process.environ import VariablesOfProcess, environment
from simulator.process.file_locks import FileLocks
from simulator.process.interpreter import settings_put_back
from simulator.process.lacking import lacked, missing_here
from simulator.process.logs import logging_setup
from simulator.process.modules import ProjectModules, found_behind
from simulator.process.own import Own
from simulator.process.printing import NAMES_OF_SYS, output
from simulator.process.processes import Process, current_process, give_up, outside
from simulator.process.python_path import add_folders
from simulator.process.randomness import Seeds, numbers
from simulator.process.rebinding import remember_modules
from simulator.process.scripts import Scripts
from simulator.process.sharing import tell_constants, tell_defaults, tell_locks, watch
from simulator.process.signalling import Signals, signals
from simulator.process.surroundings import Surroundings, surrounded
from simulator.process.zones import tell_zone

__all__ = [
    "NAMES_OF_SYS",
    "DuckDBFiles",
    "FileLocks",
    "Holding",
    "Own",
    "Process",
    "ProjectModules",
    "Scripts",
    "Seeds",
    "Signals",
    "Surroundings",
    "VariablesOfProcess",
    "add_folders",
    "current_process",
    "directory_for_children",
    "environment",
    "exits",
    "found_behind",
    "give_up",
    "lacked",
    "logging_setup",
    "missing_here",
    "numbers",
    "output",
    "outside",
    "remember_modules",
    "settings_put_back",
    "signals",
    "surrounded",
    "tell_constants",
    "tell_defaults",
    "tell_locks",
    "tell_zone",
    "watch",
]
