"""The patches that let Prefect's own ways to deploy work in a simulation.

Prefect 3.8 and 3.9. Their tests stand in `tests/worker/test_serving.py` and
`tests/patches/test_patches_deployments.py`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import prefect.deployments.runner
from prefect import Flow
from prefect._internal import versioning
from prefect.client.schemas.objects import VersionInfo
from prefect.deployments.runner import RunnerDeployment
from prefect.docker.docker_image import DockerImage
from prefect.runner import Runner
from prefect.runner.storage import GitRepository

from simulator.errors import UnsupportedOperation
from simulator.patches.prefect.loading import explained, missing_of
from simulator.patches.prefect.runner import DeploymentRegistry, ScheduledRunPoller
from simulator.patches.replacing import replacing


@contextmanager
def installed(
    applied: Callable[[UUID, Flow[..., Any]], None],
    serve: Callable[[Runner], None],
    folder_of: Callable[[str], Path | None],
) -> Iterator[None]:
    """Patch Prefect's deploying for one simulation.

    `applied(deployment_id, flow)` is told of each deployment that is made of a flow of this process;
    `serve(runner)` serves what a runner has been given, from now on, and returns;
    `folder_of(url)` gives the folder that stands for a git repository, None for one on this machine,
    or raises.
    """
    clone: Any = GitRepository.pull_code

    async def pull_code(self: GitRepository) -> None:
        folder = folder_of(self._url)
        if folder is None:
            await clone(self)
        else:
            ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__")
            shutil.copytree(folder, self.destination, ignore=ignored, dirs_exist_ok=True)

    replaced: list[tuple[Any, str, Any]] = [
        # A deployment is words: a file and a name in it. The flow that it was made of is remembered.
        (RunnerDeployment, "_set_defaults_from_flow", _remembering_flow()),
        *(
            (RunnerDeployment, name, _telling(getattr(RunnerDeployment, name), applied))
            for name in ("_create_sync", "_update_sync")
        ),
        *(
            (RunnerDeployment, name, _telling_async(getattr(RunnerDeployment, name), applied))
            for name in ("_create", "_update")
        ),
        # It polls for ever, on a loop of its own in real time, and starts processes.
        (Runner, "start", _serving(serve)),
        # An image is what a process runs in; here the process is simulated.
        (DockerImage, "build", _nothing),
        (DockerImage, "push", _nothing),
        # It starts eight processes of git for each deployment, with the same answers.
        (prefect.deployments.runner, "get_inferred_version_info", _asked_once()),
        # `git clone` is a process that leaves the machine.
        (GitRepository, "pull_code", pull_code),
    ]
    with replacing(replaced), explained():
        yield


# -- what a runner keeps to itself -------------------------------------------------------------------


def prefetch_of(runner: Runner) -> timedelta:
    """How long before its time a runner takes a run."""
    return timedelta(seconds=int(runner._prefetch_seconds))


def storage_of(runner: Runner) -> Path:
    """The folder, among those for temporary files, into which a runner fetches code. It is its own."""
    return runner._tmp_dir


def served_by(runner: Runner) -> DeploymentRegistry:
    """The deployments that a runner has been given."""
    return runner._deployment_registry


def taken_by(poller: ScheduledRunPoller) -> set[str]:
    """The ids of the flow runs that a poller has taken and that have not ended."""
    return {str(one) for one in poller._submitting_flow_run_ids}


def poll(poller: ScheduledRunPoller) -> Coroutine[Any, Any, None]:
    """Poll once, and start what is due."""
    return poller._get_and_submit_flow_runs()


# ----------------------------------------------------------------------------------------------------

_FLOW = "_flow_of_this_process"


def _remembering_flow() -> Callable[..., Any]:
    set_defaults: Any = RunnerDeployment._set_defaults_from_flow

    def _set_defaults_from_flow(self: Any, flow: Any) -> Any:
        self.__dict__[_FLOW] = flow
        return set_defaults(self, flow)

    return _set_defaults_from_flow


def _telling(make: Any, applied: Callable[[UUID, Any], None]) -> Callable[..., UUID]:
    def make_and_tell(self: Any, *args: Any, **options: Any) -> UUID:
        deployment_id: UUID = make(self, *args, **options)
        if (flow := self.__dict__.get(_FLOW)) is not None and missing_of(flow) is None:
            applied(deployment_id, flow)
        return deployment_id

    return make_and_tell


def _telling_async(make: Any, applied: Callable[[UUID, Any], None]) -> Callable[..., Any]:
    async def make_and_tell(self: Any, *args: Any, **options: Any) -> UUID:
        deployment_id: UUID = await make(self, *args, **options)
        if (flow := self.__dict__.get(_FLOW)) is not None and missing_of(flow) is None:
            applied(deployment_id, flow)
        return deployment_id

    return make_and_tell


def _serving(serve: Callable[[Runner], None]) -> Callable[..., Any]:
    async def start(self: Any, run_once: bool = False, webserver: bool | None = None) -> None:
        if run_once:
            raise UnsupportedOperation(
                "Runner.start(run_once=True): a simulation serves until its end; leave run_once out, and"
                " advance as far as the runs should go"
            )
        serve(self)

    return start


def _asked_once() -> Callable[..., Any]:
    """What version control says of a folder, asked once in a simulation."""
    infer = versioning.get_inferred_version_info
    known: dict[tuple[Any, ...], VersionInfo | None] = {}

    async def get_inferred_version_info(version_type: Any = None) -> VersionInfo | None:
        asked = (version_type, Path.cwd(), frozenset(os.environ.items()))
        if asked not in known:
            known[asked] = await infer(version_type)
        said = known[asked]
        return said and said.model_copy()  # the caller writes its own version into it

    return get_inferred_version_info


def _nothing(self: Any) -> None:
    """Do nothing, in place of what would leave the machine."""
