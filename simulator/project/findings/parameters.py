"""What is given to the flows of a project by its deployments and schedules, and does not fit them."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from simulator import arguments
from simulator.errors import SimulationError
from simulator.places import is_users_file
from simulator.project.findings.finding import Finding


def misfits(
    deployment: str,
    where: str,
    own: Collection[str],
    scheduled: Iterable[Collection[str]],
    project: Path,
) -> Iterator[Finding]:
    """The findings of a deployment, "flow/deployment", of the project in a folder: `own` are the names
    of its parameters, and `scheduled` those of the runs of each active schedule. Who starts it otherwise
    may give the rest.
    """
    flow = deployment.partition("/")[0]
    given = [(own, False), *((one, True) for one in scheduled)]
    for said in dict.fromkeys(filter(None, (_refused(flow, *one, project) for one in given))):
        yield Finding(
            "wrong parameters",
            deployment,
            f"a run of {deployment} cannot begin: {said}",
            where=where,
        )


def _refused(flow: str, given: Collection[str], all_of_them: bool, project: Path) -> str:
    """What every flow of this name refuses that the project has written; "" if one does not."""
    said = ""
    for one in arguments.steps_named(flow):
        if not _is_flow_of(project, one):
            continue
        try:
            arguments.check_parameters_of(one, given, all_of_them=all_of_them)
        except SimulationError as wrong:
            said = str(wrong)
        else:
            return ""
    return said


def _is_flow_of(project: Path, step: Any) -> bool:
    """Whether it is a flow, and its function the project's own: neither one of its libraries, which may
    be installed in its folder, nor one of another project in this process.
    """
    from prefect import Flow

    code = getattr(inspect.unwrap(step.fn), "__code__", None)
    return (
        isinstance(step, Flow)
        and code is not None
        and Path(code.co_filename).is_relative_to(project)
        and is_users_file(code.co_filename)
    )
