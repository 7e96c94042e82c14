"""What a process begins with, and how it ends in order."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from prefect.settings import temporary_settings

from simulator.process import cwd, interpreter
from simulator.process.ending import exits, join_threads
from simulator.process.environ import environment
from simulator.process.printing import output
from simulator.process.processes import Process, current_process
from simulator.process.python_path import add_folders
from simulator.process.zones import tell_zone


@dataclass(frozen=True)
class Surroundings:
    """What whoever starts a process gives to it, on top of what all have.

    `environment`: variables. `working_directory`: None for the starter's own. `settings`: of Prefect,
    as for `temporary_settings`. `arguments`: its `sys.argv`; None for the starter's own.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str | None = None
    settings: Mapping[Any, Any] = field(default_factory=dict)
    arguments: list[str] | None = None


def surrounded(main: Callable[[], object], given: Surroundings) -> Callable[[], None]:
    """What a process has to do: `main`, with its surroundings, and then an orderly end."""

    def run() -> None:
        process = current_process()
        assert process is not None
        interpreter.begin(process)
        environment.of(process).update(given.environment)
        tell_zone(process)
        cwd.begin(process, given.working_directory)
        add_folders(output.of(process).of_sys["path"], environment.of(process).variables)
        if given.arguments is not None:
            output.of(process).of_sys["argv"] = list(given.arguments)
        with ExitStack() as stack:
            if given.settings:
                stack.enter_context(temporary_settings(dict(given.settings)))
            process.context = contextvars.copy_context()  # what its threads begin with
            try:
                main()
            except SystemExit as end:
                if isinstance(end.code, str):  # Python says it, and ends with 1
                    sys.stderr.write(f"{end.code}\n")
                raise
            finally:
                if process.clock.closing is None:
                    _end(process)

    return run


def _end(process: Process) -> None:
    join_threads(process)
    exits.of(process).run()
