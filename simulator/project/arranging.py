"""What a simulation.toml says comes true: before the project is loaded, and once it is."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator import arguments, promises
from simulator.arguments import kinds
from simulator.errors import SimulationError
from simulator.project.configuration import Configuration
from simulator.project.raising import answers

if TYPE_CHECKING:
    from simulator.promises import Promise
    from simulator.simulation import Simulation

PROMISES = {
    one.__name__: one
    for one in (
        promises.fresh,
        promises.never_pending,
        promises.never_two,
        promises.noticed,
        promises.once_per_cycle,
    )
}
"""Those that can be written as data, by the word for them in files."""


@contextmanager
def data_in_place(configuration: Configuration) -> Iterator[None]:
    """Put files where the project looks for them, and take them away again.

    Raises SimulationError for a file that is missing, and before anything that is there already, other
    than the same file, would be lost.
    """
    folder = configuration.file.parent
    put: list[Path] = []
    try:
        for place, source in configuration.data.items():
            with configuration.at("data", place):
                if _put(folder / source, folder / place):
                    put.append(folder / place)
        yield
    finally:
        for file in put:
            file.unlink(missing_ok=True)


def _put(source: Path, place: Path) -> bool:
    if not source.is_file():
        raise SimulationError(f"there is no file {str(source)!r} to put in place")
    if place.exists():
        if place.is_file() and place.read_bytes() == source.read_bytes():
            return False
        raise SimulationError(f"{str(place)!r} is there already: nothing is put in its place")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
    except OSError as wrong:
        raise SimulationError(f"cannot write {str(place)!r}: {wrong.strerror}") from None
    return True


def arrange_functions(sim: Simulation, configuration: Configuration) -> None:
    """Stub functions: a module of the project may call them as soon as it is imported."""
    for name, given in configuration.stubs.items():
        if _is_dotted(name):
            with configuration.at("stubs", name):
                sim.stub(name, **answers(given))


def arrange_steps(sim: Simulation, configuration: Configuration) -> None:
    """Say what steps take, what stands in for them, what goes wrong and what is promised.

    The flows and tasks of the project are known by now.
    """
    for name, duration in configuration.durations.items():
        with configuration.at("durations", name):
            sim.takes(name, duration)
    for name, given in configuration.stubs.items():
        if not _is_dotted(name):
            with configuration.at("stubs", name):
                sim.stub(name, **answers(given))
    for number, fault in enumerate(configuration.faults):
        with configuration.at("faults", number):
            sim.inject(fault)
    for number, one in enumerate(configuration.promises):
        with configuration.at("promises", number):
            sim.promise(_promise(one), since=one.get("since"))


def _is_dotted(name: str) -> bool:
    """Whether it is the name of a function in a module."""
    return "." in name and all(part.isidentifier() for part in name.split("."))


def _promise(plain: Mapping[str, Any]) -> Promise:
    """A promise as it is written: its kind, and its parameters, of which spans are seconds."""
    make = arguments.kind_named("kind of promise", plain.get("kind"), PROMISES)
    parameters = inspect.signature(make).parameters
    given = {name: one for name, one in plain.items() if name not in ("kind", "since")}
    arguments.check_parameters(make, f"the promise {plain['kind']!r}", given, all_of_them=True)
    for name in parameters.keys() & given.keys() & {"within"}:
        given[name] = _span(name, given[name])
    made: Promise = make(**given)
    return made


def _span(what: str, given: Any) -> timedelta:
    """A span of time, in seconds."""
    kinds.number(above=0, unit="seconds")(what, given)
    return kinds.interval(what, given)
