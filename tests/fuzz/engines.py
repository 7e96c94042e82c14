"""Runs programs on both engines and looks at what each makes of them.

Each engine has a folder of its own with the same files in it, so that programs write where nobody else
does. The virtual engine is a process that takes a list of programs, one simulation for all; the live
one is a server for all of them at once. Either tells of each program what conformance observes, and
beside that what a program has noted, logged and left in files and tables.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from simulator import Simulation
from simulator.records import RunRecord
from tests.conformance.case import SETTINGS, Case, until
from tests.conformance.observe import Observed, observe
from tests.fuzz.zygote import ForkingServer

AT_ONCE = 10
"""Programs that run on the live server at the same time."""

A_PROCESS = 40
"""Programs after which the process of the virtual engine is a new one."""


@dataclass
class Seen:
    """What one engine makes of one program. `left`: by its name, what a file or a table holds."""

    observed: Observed
    logs: list[str] = field(default_factory=list)
    left: dict[str, list[str]] = field(default_factory=dict)
    caveats: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, told: dict[str, Any]) -> Seen:
        return cls(**told | {"observed": Observed(**told["observed"])})


Both = tuple[Seen, Seen]
"""What the virtual engine makes of a program, and what the live one does."""


def case_of(name: str, concurrent: bool) -> Case:
    """A program as a case of conformance: its flows are deployed, and its main flow is called."""

    def act(sim: Simulation) -> None:
        module = importlib.import_module(name)
        for flow, environment in module.DEPLOYED:
            sim.deploy(flow, name, job_variables={"env": environment})
        sim.run(module.main)
        if module.DEPLOYED:  # those that nobody has waited for
            until(sim, lambda: all(run.final for run in sim.runs() if ordered(run)))

    def ordered(run: RunRecord) -> bool:
        return (run.deployment or "").endswith(f"/{name}")

    return Case(name, "fuzz", "a program made up by machine", act, concurrent=concurrent)


class Engines:
    """Both engines, for any number of programs. A context manager."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once

    def __enter__(self) -> Engines:
        with ExitStack() as stack:
            self._virtual, self._live = (
                Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"fuzz-{engine}-")))
                for engine in ("virtual", "live")
            )
            sys.path.append(str(self._live))
            stack.callback(sys.path.remove, str(self._live))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(
        self, programs: dict[str, tuple[str, bool]], told: Callable[[str, Both], None]
    ) -> dict[str, Both]:
        """Run programs on both engines at once. `programs`: by name, the source, and whether things
        go on at the same time in it. `told` hears of each as soon as both engines have run it.
        """
        virtual: dict[str, Seen] = {}
        live: dict[str, Seen] = {}

        def heard(name: str, seen: Seen, one: dict[str, Seen], other: dict[str, Seen]) -> None:
            one[name] = seen
            if name in other:
                told(name, (virtual[name], live[name]))

        for folder in (self._virtual, self._live):
            for name, (source, _) in programs.items():
                (folder / name).mkdir()
                (folder / f"{name}.py").write_text(source)
        with (
            ForkingServer(SETTINGS) as server,
            ThreadPoolExecutor(1) as listening,
            ThreadPoolExecutor(1) as beside,
            ThreadPoolExecutor(self._at_once) as acting,
        ):
            there = beside.submit(
                self._virtually,
                programs,
                lambda name, seen: listening.submit(heard, name, seen, virtual, live).result(),
            )
            if any("DEPLOYED.append" in source for source, _ in programs.values()):
                with Simulation.live(server) as sim:
                    sim.work_pool("default")

            def lively(name: str) -> None:
                seen = look(case_of(name, programs[name][1]), server, self._live)
                listening.submit(heard, name, seen, live, virtual).result()

            for ended in [acting.submit(lively, name) for name in programs]:
                ended.result()
            there.result()
        return {name: (virtual[name], live[name]) for name in programs}

    def _virtually(
        self, programs: dict[str, tuple[str, bool]], told: Callable[[str, Seen], None]
    ) -> None:
        left = dict(programs)
        while left:
            some = list(left)[:A_PROCESS]
            asked = [(name, programs[name][1]) for name in some]
            environment = os.environ | {
                "PYTHONPATH": os.pathsep.join(
                    [str(self._virtual), *(path for path in sys.path if path)]
                )
            }
            with (self._virtual / "virtual.log").open("w") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "tests.fuzz", "--virtually", json.dumps(asked)],
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    text=True,
                )
                for line in process.stdout:
                    answer = json.loads(line)
                    left.pop(answer["name"])
                    told(answer["name"], Seen.of(answer["seen"]))
                process.wait()
            if any(name in left for name in some):  # the process died in the next one
                broken = next(name for name in some if name in left)
                said = (self._virtual / "virtual.log").read_text(errors="replace")[-3000:]
                left.pop(broken)
                error = f"{said}\nthe process ended with {process.returncode}"
                told(broken, Seen(Observed(error=error)))


def virtually(asked: Iterable[tuple[str, bool]]) -> None:
    """Run programs on the virtual engine and write a line of JSON for each to standard output."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what flows print is not what is told
    left = list(asked)
    while left:
        with Simulation(settings=SETTINGS, modules="fresh") as sim:
            while left:
                name, concurrent = left.pop(0)
                seen = look(case_of(name, concurrent), sim, Path(sys.path[1]))
                out.write(json.dumps({"name": name, "seen": asdict(seen)}) + "\n")
                out.flush()
                if seen.observed.error:  # whatever it has left behind, the next one begins without
                    break


def look(case: Case, engine: Simulation | ForkingServer, folder: Path) -> Seen:
    """Act a case on an engine, and look at what has come of it."""
    seen = Seen(Observed())
    before: set[Any] = set()
    caveats = 0
    virtual = isinstance(engine, Simulation)
    if virtual:
        before = {run.id for run in engine.runs()}
        caveats = len(engine.caveats)

    def logged(sim: Simulation) -> None:
        runs = [run for run in sim.runs() if run.id not in before]
        seen.logs = sorted(
            record.message for run in runs for record in run.logs if "said" in record.message
        )
        seen.caveats = [str(caveat) for caveat in sim.caveats[caveats:]]

    opened = nullcontext(engine) if virtual else Simulation.live(engine)
    seen.observed = observe(case, opened, logged, before)
    seen.left = left_in(folder / case.name)
    return Seen.of(json.loads(json.dumps(asdict(seen)).replace(str(folder), "<folder>")))


def left_in(folder: Path) -> dict[str, list[str]]:
    """What files and tables hold, by name. Lines of notes in any order: threads write them too."""
    found: dict[str, list[str]] = {}
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        name = str(file.relative_to(folder))
        if file.suffix == ".duckdb":
            found |= {f"{name}:{table}": rows for table, rows in _duckdb(file)}
        elif file.suffix == ".sqlite":
            found |= {f"{name}:{table}": rows for table, rows in _sqlite(file)}
        elif not re.search(r"\.(wal|sqlite-\w+|pyc)$", name):
            lines = file.read_text(errors="replace").splitlines()
            found[name] = sorted(lines) if name == "notes" else lines
    return found


def _duckdb(file: Path) -> Iterable[tuple[str, list[str]]]:
    with duckdb.connect(str(file), read_only=True) as tables:
        for (table,) in tables.execute("select table_name from duckdb_tables()").fetchall():
            yield table, sorted(map(repr, tables.execute(f'from "{table}"').fetchall()))


def _sqlite(file: Path) -> Iterable[tuple[str, list[str]]]:
    with closing(sqlite3.connect(file)) as tables:
        names = "select name from sqlite_master where type = 'table'"
        for (table,) in tables.execute(names).fetchall():
            yield table, sorted(map(repr, tables.execute(f'select * from "{table}"')))
