"""`ProjectSimulation`: a simulation in the folder of a project, whose files its processes load."""

from __future__ import annotations

import asyncio
import contextlib
import os
import runpy
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from simulator.places import is_users_file
from simulator.process import add_folders
from simulator.project.causes import cause_of, unset_of
from simulator.project.changing import changed
from simulator.project.configuration import NAME, Configuration
from simulator.project.declared import Declared
from simulator.project.findings import Automated
from simulator.project.given import hidden
from simulator.project.loading import NO_ENTRYPOINT, Loaded, Unloaded, base_of, unsimulated
from simulator.project.scripts import Script, as_module
from simulator.simulation import Simulation

if TYPE_CHECKING:
    from types import TracebackType

    from simulator.world import World


class ProjectSimulation(Simulation):
    """A `Simulation` that begins in the folder of a project, each of whose runs loads its file anew.

    `folder`: the project's, which is the working directory as long as the simulation is open, and stands
    for the repository from which a script would load its flows. The secrets, blocks and variables that
    `configuration` gives are there; any other is made up, and environment variables that look like
    credentials are hidden. What `overrides` says of a flow or task, by its name and one of `retries`,
    `retry_delay_seconds` and `timeout_seconds`, holds in place of what its file says. `passed_over` are
    the scripts that serve or deploy, and were not asked for; `elsewhere` names the deployments of files
    that are not read, "*/name" where nobody knows the flow. All else as for `Simulation`.
    """

    _world: World

    def __init__(
        self, folder: Path, configuration: Configuration | None = None, **options: Any
    ) -> None:
        super().__init__(modules="fresh", **options)
        self.configuration = configuration or Configuration(folder / NAME)
        self.given = self.configuration.given()
        self.project = folder.absolute()
        self._seen: list[Any] = []
        self.overrides: dict[tuple[str, str], Any] = {}
        self.loaded: list[Loaded] = []
        self.unloaded: list[Unloaded] = []
        self.passed_over: list[Script] = []
        self.elsewhere: set[str] = set()

    def __enter__(self) -> Self:
        self._folders = contextlib.ExitStack()
        from simulator.patches.prefect import attributes

        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.chdir(self.project))
            stack.enter_context(_with_path(self.project))
            super().__enter__()
            self._world.sources.other = self.project
            stack.enter_context(self.given.installed())
            stack.enter_context(attributes.overridden(self.overrides))
            self._world.setenv(stack, {**hidden(os.environ), **self.configuration.environment})
            stack.enter_context(_with_python_path())
            self._folders = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            super().__exit__(kind, error, traceback)
        finally:
            self._seen.clear()
            self._folders.close()

    def in_process(
        self,
        name: str,
        main: Callable[[], Any],
        *,
        environment: Mapping[str, str] | None = None,
        arguments: list[str] | None = None,
    ) -> Any:
        """Call in a process of this simulation, until it has ended. Raises what it raises; what it has
        imported until then is not there for others: Prefect leaves half a module behind.
        """
        known = set(sys.modules)
        try:
            return self._world.scripts.call(
                name, main, environment=environment, arguments=arguments
            )
        except BaseException:
            for new in sys.modules.keys() - known:
                if is_users_file(getattr(sys.modules[new], "__file__", None) or "<none>"):
                    del sys.modules[new]
            raise

    def deploy_declared(self, one: Declared) -> None:
        """Import the flow of an entry of a prefect.yaml, and deploy it as `prefect deploy` does.

        What cannot be imported or deployed is put down with its cause, and nothing is raised.

        Raises SimulationError, with file and line, for an entrypoint that is not a flow.
        """
        from simulator.patches.prefect import projects

        def filled() -> dict[str, Any]:
            self.given.put_for(one.config)
            return asyncio.run(projects.resolved(one.config))

        if not one.entrypoint:
            self.unloaded.append(Unloaded(one.name, one.where, NO_ENTRYPOINT))
            return
        config = one.config
        try:
            config = self.in_process(f"reading {one.name!r}", filled)
            base = base_of(one, self.project)
            pool = dict(config.get("work_pool") or {})
            pool["name"] = pool.get("name") or "default"
            self.work_pool(pool["name"])
            job = pool.get("job_variables")
            if isinstance(job, Mapping) and job.get("working_dir"):
                # A folder of another machine, as those that pull steps name.
                pool["job_variables"] = {**job, "working_dir": str(base)}
            config = {**config, "work_pool": pool}
            config["pull"] = [{_SET_DIRECTORY: {"directory": str(base)}}]
            environment = _variables(pool)

            def deploy() -> str:
                with contextlib.chdir(base):
                    flow = _flow_at(one, self.project)
                    self._seen.append(flow)  # its name and those of its tasks stay known
                    asyncio.run(projects.deploy(config))
                    return str(flow.name)

            flow = self.in_process(f"deploying {one.name!r}", deploy, environment=environment)
        except NotAFlow as wrong:
            raise wrong.error from None
        except Exception as error:
            self._not_loaded(one.name, one.where, error, one.entrypoint)
            return
        self.loaded.append(
            Loaded(f"{flow}/{config['name']}", one.where, tuple(unsimulated(one.pull)), one)
        )

    def _not_loaded(self, name: str, where: str, error: Exception, entrypoint: str = "") -> None:
        cause, unset = cause_of(error, self.project), unset_of(error)
        self.unloaded.append(Unloaded(name, where, cause, unset, entrypoint))

    def schedules(self, deployment: str) -> list[tuple[Any, bool]]:
        """The schedules of a deployment, "flow/deployment", and which of them make runs."""
        found = self._world.client.read_deployment_by_name(deployment)
        return [(one.schedule, one.active and not found.paused) for one in found.schedules]

    def parameters_of(self, deployment: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The parameters of a deployment, "flow/deployment", and those of the runs of each of its active
        schedules.
        """
        found = self._world.client.read_deployment_by_name(deployment)
        active = [one for one in found.schedules if one.active and not found.paused]
        return found.parameters, [{**found.parameters, **one.parameters} for one in active]

    def automations(self) -> list[Automated]:
        """The automations that there are, and which of the loaded deployments they start."""
        client = self._world.client
        ids = {client.read_deployment_by_name(one.name).id: one.name for one in self.loaded}
        found: list[Any] = []
        while page := client.read_automations(offset=len(found)):
            found += page
        return [
            Automated(
                one.name,
                one.trigger,
                tuple(
                    ids[action.deployment_id]
                    for action in one.actions
                    if getattr(action, "deployment_id", None) in ids
                    and action.type == "run-deployment"
                ),
            )
            for one in found
            if one.enabled
        ]

    def change(self, deployment: str, values: Mapping[str, Any]) -> None:
        """Deploy a deployment, "flow/deployment", anew with other values: `concurrency_limit` and
        `paused` as in Prefect; `cron` or `interval` takes the place of its schedules, in their time zone
        unless `timezone` is another.

        Raises SimulationError if there is no schedule to have a time zone, or two are asked for.
        """
        changed(self._world.client, deployment, values, self.start)

    def run_script(self, script: Script) -> None:
        """Run a file as `__main__`, and let what it serves and deploys live on here.

        What cannot be run is put down with its cause, and nothing is raised.
        """
        from simulator.patches.prefect import work_pools

        known = self._world.deployment_names()
        where = script.where(self.project)
        try:
            with work_pools.made_when_asked_for(self._world.worker):
                self.in_process(
                    f"script {script.file.name!r}",
                    lambda: self._seen.append(_as_main(script.file)),
                    arguments=[str(script.file)],
                )
        except SystemExit as end:
            if end.code not in (None, 0):
                cause = f"it ended with exit code {end.code}"
                self.unloaded.append(Unloaded(script.file.name, where, cause))
        except Exception as error:
            self._not_loaded(script.file.name, where, error)
        new = sorted(self._world.deployment_names() - known)
        self.loaded += [Loaded(name, where) for name in new]


class NotAFlow(Exception):
    """An entrypoint that leads to something else; `error` says so to the user."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


_SET_DIRECTORY = "prefect.deployments.steps.set_working_directory"


def _flow_at(one: Declared, folder: Path) -> Any:
    """The flow at an entrypoint, loaded as a worker loads it: from the whole file, or not at all."""
    from prefect.exceptions import MissingFlowError
    from prefect.flows import load_flow_from_entrypoint

    from simulator.errors import SimulationError

    try:
        return load_flow_from_entrypoint(one.entrypoint, use_placeholder_flow=False)
    except MissingFlowError as wrong:
        said = " ".join(str(wrong).split())
        raise NotAFlow(
            SimulationError(f"{folder / one.where}: entrypoint {one.entrypoint!r}: {said}")
        ) from None


def _variables(pool: Mapping[str, Any]) -> dict[str, str]:
    """The environment that a deployment gives to its runs."""
    job = pool.get("job_variables")
    given = job.get("env") if isinstance(job, Mapping) else None
    given = given if isinstance(given, Mapping) else {}
    return {str(name): str(value) for name, value in given.items() if value is not None}


def _as_main(file: Path) -> dict[str, Any]:
    """Run a file as Python runs a script: its folder first on the path, its name `__main__`; or as
    `python -m` runs it, if it imports relatively to itself. Returns what it has made.
    """
    if (module := as_module(file)) is not None:
        folder, name = module
        with _with_path(folder):
            return runpy.run_module(name, run_name="__main__", alter_sys=True)
    with _with_path(file.parent):
        return runpy.run_path(str(file), run_name="__main__")


@contextlib.contextmanager
def _with_python_path() -> Any:
    """Processes look to their PYTHONPATH as they begin; names of functions to stub are looked for in
    none.
    """
    before = list(sys.path)
    add_folders(sys.path, os.environb)
    try:
        yield
    finally:
        for added in set(sys.path) - set(before):
            sys.path.remove(added)


@contextlib.contextmanager
def _with_path(folder: Path) -> Any:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(folder))
