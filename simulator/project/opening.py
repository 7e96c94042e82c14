"""A project in a folder: what declares its deployments, and a simulation in which they live."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from simulator.errors import SimulationError
from simulator.project.declared import NAMES, declared, project_file
from simulator.project.scripts import Script, script, scripts
from simulator.project.simulation import ProjectSimulation


def opened(
    folder: Path, *, start: str | None = None, seed: int = 0
) -> AbstractContextManager[ProjectSimulation]:
    """A simulation in the folder of a project.

    Raises SimulationError for what is no folder.
    """
    if not folder.is_dir():
        raise SimulationError(f"there is no folder {str(folder)!r}")
    return ProjectSimulation(folder, start=start, seed=seed)


def load(sim: ProjectSimulation, given: Sequence[Path] = ()) -> None:
    """Deploy what the project declares: its prefect.yaml, or if it has none, the scripts that serve or
    deploy; with scripts `given`, those.

    Raises SimulationError, with file and line, if there is nothing, or something is wrong with it.
    """
    file = project_file(sim.project)
    if file is not None and not given:
        for one in declared(file):
            sim.deploy_declared(one)
        return
    chosen = [_script(sim.project / one) for one in given] or scripts(sim.project)
    if not chosen:
        raise SimulationError(
            f"{str(sim.project)!r} is no project: it has neither a {' nor a '.join(NAMES)},"
            " nor a script that serves or deploys"
        )
    for found in chosen:
        sim.run_script(found)


def _script(file: Path) -> Script:
    if not file.is_file():
        raise SimulationError(f"there is no script {str(file)!r}")
    found = script(file)
    if found is None:
        raise SimulationError(f"{file}:1: the script serves and deploys nothing")
    return found
