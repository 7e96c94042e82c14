"""A project in a folder: what declares its deployments, and a simulation in which they live."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from simulator.errors import SimulationError
from simulator.project.arranging import arrange_functions, arrange_steps, data_in_place
from simulator.project.configuration import configuration_of
from simulator.project.declared import NAMES, declared, named_elsewhere, project_file
from simulator.project.scripts import Script, script, scripts, texts
from simulator.project.simulation import ProjectSimulation


@contextmanager
def opened(
    folder: Path,
    *,
    start: Any = None,
    seed: int | None = None,
    prefect_file: str | None = None,
    **options: Any,
) -> Iterator[ProjectSimulation]:
    """A simulation in the folder of a project, as its simulation.toml says where nothing else is given.

    Raises SimulationError for what is no folder, and with file and line for what is wrong in that file.
    """
    if not folder.is_dir():
        raise SimulationError(f"there is no folder {str(folder)!r}")
    configuration = configuration_of(folder)
    if prefect_file is not None:
        configuration = replace(configuration, prefect_file=prefect_file)
    start = configuration.start if start is None else start
    seed = configuration.seed if seed is None else seed
    with (
        data_in_place(configuration),
        ProjectSimulation(folder, configuration, start=start, seed=seed, **options) as sim,
    ):
        arrange_functions(sim, configuration)
        yield sim


def load(sim: ProjectSimulation, given: Sequence[Path] = ()) -> None:
    """Deploy what the project declares: its prefect.yaml, or if it has none, the scripts that serve or
    deploy; with scripts `given`, those. Then its simulation.toml holds for them.

    Raises SimulationError, with file and line, if there is nothing, or something is wrong with it.
    """
    _deploy(sim, given)
    arrange_steps(sim, sim.configuration)


def _deploy(sim: ProjectSimulation, given: Sequence[Path] = ()) -> None:
    file = project_file(sim.project, sim.configuration.prefect_file)
    if file is not None and not given:
        for one in declared(file, sim.project):
            sim.deploy_declared(one)
        sim.passed_over += scripts(sim.project)
        sim.elsewhere |= _elsewhere(sim.project, file, sim.passed_over)
        return
    chosen = [_script(sim.project / one) for one in given] or scripts(sim.project)
    if not chosen:
        raise SimulationError(
            f"{str(sim.project)!r} is no project: it has neither a {' nor a '.join(NAMES)},"
            " nor a script that serves or deploys"
        )
    for found in chosen:
        sim.run_script(found)
    failed = {one.where for one in sim.unloaded}
    left_out = [
        one for one in scripts(sim.project) if one not in chosen or one.where(sim.project) in failed
    ]
    sim.elsewhere |= _elsewhere(sim.project, None, left_out)


def _elsewhere(folder: Path, read: Path | None, left_out: Iterable[Script]) -> set[str]:
    """The deployments of a project that are not those of the file that is `read`: "flow/deployment" as
    other files declare it, and "*/text" for each text of a script that is left out or has not gone to
    its end, since it may be what that deploys.
    """
    written = {f"*/{text}" for one in left_out for text in texts(one.file)}
    return named_elsewhere(folder, read) | written


def _script(file: Path) -> Script:
    if not file.is_file():
        raise SimulationError(f"there is no script {str(file)!r}")
    found = script(file)
    if found is None:
        raise SimulationError(f"{file}:1: the script serves and deploys nothing")
    return found
