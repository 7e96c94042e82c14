"""What is audited: something that lives for some days, with one fault or with none."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from simulator import arguments, scenarios
from simulator.audit.strikes import AUDITED
from simulator.errors import SimulationError
from simulator.faults import from_plain, watched
from simulator.fingerprints import repository_of
from simulator.history import History
from simulator.project import hinted, home_of, load, opened

if TYPE_CHECKING:
    from simulator.simulation import Simulation


@dataclass(frozen=True)
class Lived:
    """What came out of one simulation: its history, an `empty` value for each step that says what it
    returns, where that can be empty, the promises that were broken, and the ids of the task runs and
    flow runs that have returned something else than the run before, where that was watched. `unloaded`
    says what could not be loaded, a line each.
    """

    history: History
    empty: Mapping[str, Any]
    broken: tuple[str, ...]
    changed: frozenset[UUID] = frozenset()
    unloaded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Project:
    """A user's project in a folder, for some virtual days from `start` (ISO 8601) under a seed. It lives
    in a copy of the folder each time, unless it is to live `in_place`. `prefect_file` takes the place of
    its prefect.yaml, from the folder on.
    """

    folder: Path
    days: float
    seed: int
    start: str
    in_place: bool = False
    prefect_file: str | None = None

    @property
    def name(self) -> str:
        """What it is called in the results."""
        return self.folder.absolute().name

    def live(self, fault: Mapping[str, Any] | None) -> Lived:
        """Let it live, here and now, in this process.

        Raises SimulationError if it is no project, or if nothing of it could be loaded.
        """
        with (
            _watched(fault) as changed,
            home_of(self.folder, self.in_place) as home,
            opened(home, start=self.start, seed=self.seed, prefect_file=self.prefect_file) as sim,
        ):
            load(sim)
            unloaded = [hinted(one, self.folder.absolute()) for one in sim.unloaded]
            if not sim.loaded:
                why = "; ".join(f"{one.name}: {one.cause}" for one in unloaded)
                raise SimulationError(f"nothing could be loaded: {why}")
            if fault is not None:
                sim.inject(fault)
            sim.advance(timedelta(days=self.days))
            history = sim.history()
            history.read_logs()  # the database is gone when they are written down
            broken = tuple(one.name for one in sim.promises() if not one.kept)
            empty = _empty_values(history) if fault is None else {}
            return Lived(
                *(history, empty, broken, frozenset(changed)),
                tuple(f"{one.name} ({one.where}): {one.cause}" for one in unloaded),
            )

    @property
    def home(self) -> Path:
        """The folder with all that it is made of."""
        return self.folder

    def told(self) -> dict[str, str]:
        """What it is, for JSON."""
        return {"project": self.name}


@dataclass(frozen=True)
class ScenarioVariant:
    """A variant of a scenario in a file, for some virtual days, under a seed."""

    file: Path
    scenario: str
    variant: str
    days: int
    seed: int

    @property
    def name(self) -> str:
        """What it is called in the results."""
        return f"{self.scenario}[{self.variant}]"

    def live(self, fault: Mapping[str, Any] | None) -> Lived:
        """Let it live, here and now, in this process. The fault has random numbers of its own, so that
        those of the scenario's own faults stay what they are.

        Raises SimulationError if the scenario breaks.
        """

        def strike(sim: Simulation) -> None:
            if fault is not None:
                pool = getattr(from_plain(fault), "work_pool", None)
                if pool is not None:
                    sim.work_pool(pool)  # the scenario deploys to it later
                sim.inject({**fault, "name": AUDITED})

        [scenario] = scenarios.select(scenarios.load(self.file), [self.scenario])
        with _watched(fault) as changed:
            result = scenarios.run_variant(
                scenario, self.variant, self.seed, self.days, opened=strike
            )
        if result.error or result.history is None:
            raise SimulationError(result.error or "nothing has happened in it")
        expected = {one.name for one in scenario.expectations}
        broken = (one.expectation for one in result.verdicts if not one.passed)
        promised = tuple(name for name in broken if name not in expected)
        empty = _empty_values(result.history) if fault is None else {}
        return Lived(result.history, empty, promised, frozenset(changed))

    @property
    def home(self) -> Path:
        """The folder with all that it is made of."""
        return repository_of(self.file)

    def told(self) -> dict[str, str]:
        """What it is, for JSON."""
        return {"scenario": self.scenario, "variant": self.variant}


Subject = Project | ScenarioVariant


def _watched(fault: Mapping[str, Any] | None) -> AbstractContextManager[Collection[UUID]]:
    """Watch what steps return, if that is to be known: without a fault."""
    return watched() if fault is None else nullcontext(())


def _empty_values(history: History) -> dict[str, Any]:
    """For each task that has run and says that it returns a text or a collection, an empty one."""
    found = {}
    for name in {task.task for run in history.runs() for task in run.tasks}:
        for step in arguments.steps_named(name):
            try:
                returned = typing.get_type_hints(inspect.unwrap(step.fn)).get("return")
            except Exception:  # it names what is not there at run time
                continue
            plain = typing.get_origin(returned) or returned
            if plain in (str, list, dict):
                found[name] = plain()
    return found
