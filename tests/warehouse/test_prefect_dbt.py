"""dbt as people call it from their flows: prefect-dbt's runner, tasks and operation, and the command.

What is expected was compared with a live engine, call by call.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.cli.main import dbtRunner
from dbt_common.events.base_types import EventLevel
from prefect import Flow, flow, task
from prefect.artifacts import Artifact
from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings

from simulator import Simulation
from simulator.records import RunRecord

with pytest.warns(UserWarning, match=r"prefect_dbt\.cli is deprecated"):
    from prefect_dbt.cli.commands import (
        DbtCoreOperation,
        atrigger_dbt_cli_command,
        run_dbt_model,
        trigger_dbt_cli_command,
    )

START = datetime(2024, 5, 1, 6, 30, tzinfo=UTC)
pytestmark = pytest.mark.simulation(start=START)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a model, one on top of it, and one that cannot be built."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "models").mkdir()
    for name, text in {
        "dbt_project.yml": "{name: shop, version: '1.0', profile: shop}",
        "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: '%s'}}}"
        % (folder / "shop.duckdb"),
        "models/a.sql": "{{ config(materialized='table') }} select now() as built_at",
        "models/b.sql": "{{ config(materialized='table') }} select * from {{ ref('a') }}",
        "models/bad.sql": "{{ config(materialized='table') }} select nope from {{ ref('a') }}",
    }.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(autouse=True)
def nothing_is_built(folder: Path) -> None:
    (folder / "shop.duckdb").unlink(missing_ok=True)


def built_at(folder: Path) -> datetime:
    with duckdb.connect(folder / "shop.duckdb") as con:
        return con.execute("select built_at from a").fetchone()[0]


def runner(folder: Path, **options: Any) -> PrefectDbtRunner:
    settings = {"project_dir": folder, "profiles_dir": folder, **options.pop("settings", {})}
    return PrefectDbtRunner(settings=PrefectDbtSettings(**settings), **options)


def places(folder: Path) -> dict[str, Any]:
    return {"profiles_dir": str(folder), "project_dir": folder}


# --- every way to call it -------------------------------------------------------------------------


def command(folder: Path) -> Flow[..., Any]:
    @flow
    def dbt_flow() -> None:
        trigger_dbt_cli_command("dbt run --select a", **places(folder))

    return dbt_flow


def command_in_an_async_flow(folder: Path) -> Flow[..., Any]:
    @flow
    async def dbt_flow() -> None:
        await atrigger_dbt_cli_command("dbt run --select a", **places(folder))

    return dbt_flow


def command_with_paths(folder: Path) -> Flow[..., Any]:
    @flow
    def dbt_flow() -> None:
        target = folder / "paths"
        run_dbt_model(
            **places(folder), extra_command_args=["--select", "a", "--target-path", target]
        )
        assert (target / "run_results.json").exists()

    return dbt_flow


def runner_in_a_flow(folder: Path) -> Flow[..., Any]:
    @flow
    def dbt_flow() -> None:
        assert runner(folder).invoke(["run", "--select", "a"]).success

    return dbt_flow


def runner_with_keywords(folder: Path) -> Flow[..., Any]:
    @flow
    def dbt_flow() -> None:
        made = PrefectDbtRunner(settings=PrefectDbtSettings(profiles_dir=folder))
        made.invoke(["run"], select=["a"], project_dir=folder, target_path=folder / "keywords")

    return dbt_flow


def runner_in_a_task(folder: Path) -> Flow[..., Any]:
    @task
    def dbt(*args: str) -> None:
        runner(folder).invoke([*args])

    @flow
    def dbt_flow() -> None:
        dbt.submit("run", "--select", "a").result()

    return dbt_flow


def runner_beside_a_loop(folder: Path) -> Flow[..., Any]:
    @flow
    async def dbt_flow() -> None:
        runner(folder).invoke(["parse"])
        await asyncio.to_thread(runner(folder).invoke, ["run", "--select", "a"])

    return dbt_flow


def dbts_own_runner(folder: Path) -> Flow[..., Any]:
    @flow
    def dbt_flow() -> None:
        outcome = dbtRunner().invoke(
            ["run", "--select", "a", "--project-dir", folder, "--profiles-dir", folder]
        )
        assert outcome.success

    return dbt_flow


WAYS = [
    command,
    command_in_an_async_flow,
    command_with_paths,
    runner_in_a_flow,
    runner_with_keywords,
    runner_in_a_task,
    runner_beside_a_loop,
    dbts_own_runner,
]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_builds_at_the_virtual_instant(
    simulation: Simulation, folder: Path, way: Callable[[Path], Flow[..., Any]]
) -> None:
    simulation.advance(hours=3)
    run = simulation.run(way(folder))
    assert run.state == "Completed", run
    assert built_at(folder) - START == pytest.approx(
        timedelta(hours=3), abs=timedelta(milliseconds=10)
    )


# --- what the run shows of it ---------------------------------------------------------------------


@pytest.mark.parametrize("raises", [True, False])
def test_each_node_is_a_task_run_and_a_failed_one_fails_the_flow_if_it_is_to(
    simulation: Simulation, folder: Path, raises: bool
) -> None:
    @flow
    def build() -> bool:
        return runner(folder, raise_on_failure=raises).invoke(["build"]).success

    run = simulation.run(build)
    assert sorted(task.state for task in run.tasks) == ["Completed", "Completed", "Failed"]
    [failed] = [task for task in run.tasks if task.state == "Failed"]
    assert failed.message.endswith("Node model.shop.bad finished with status error")
    assert run.state == ("Failed" if raises else "Completed")
    if raises:
        assert "Failures detected during invocation of dbt command 'build'" in run.message
    assert any("3 of 3 ERROR creating sql table model main.bad" in log.message for log in run.logs)


def test_a_failed_command_is_a_failed_task(simulation: Simulation, folder: Path) -> None:
    @flow
    def build() -> None:
        trigger_dbt_cli_command("dbt build", **places(folder))

    @flow
    def mistyped() -> None:
        trigger_dbt_cli_command("dbt run --nope", **places(folder))

    run = simulation.run(build)
    assert run.tasks[0].message == "dbt task result success: False with exception: None"
    assert run.state == "Completed"  # the state that the task returns was not looked at
    assert "No such option '--nope'" in simulation.run(mistyped).message


def test_a_task_that_calls_dbt_is_retried(simulation: Simulation, folder: Path) -> None:
    @task(retries=1, retry_delay_seconds=600)
    def dbt(*args: str) -> None:
        runner(folder, _disable_callbacks=True).invoke([*args])

    @flow
    def build() -> None:
        dbt("run", "--select", "bad", "a")

    run = simulation.run(build)
    assert (run.state, run.tasks[0].run_count) == ("Failed", 2)
    assert built_at(folder) - START == pytest.approx(
        timedelta(minutes=10), abs=timedelta(milliseconds=10)
    )


def test_events_reach_the_log_from_the_level_that_is_asked_for(
    simulation: Simulation, folder: Path
) -> None:
    @flow
    def run_a(level: str) -> None:
        runner(folder, settings={"log_level": EventLevel(level)}).invoke(["run", "--select", "a"])

    def said(run: RunRecord) -> tuple[bool, bool]:
        text = "\n".join(log.message for log in run.logs)
        return "SQL status: OK" in text, "OK created sql table model main.a" in text

    assert said(simulation.run(run_a, level="debug")) == (True, True)
    assert said(simulation.run(run_a, level="info")) == (False, True)
    assert said(simulation.run(run_a, level="error")) == (False, False)


def test_a_summary_becomes_an_artifact(simulation: Simulation, folder: Path) -> None:
    @flow
    def build() -> str:
        trigger_dbt_cli_command(
            "dbt run --select a", **places(folder), create_summary_artifact=True
        )
        return Artifact.get("dbt-cli-command-summary").data

    @flow
    def check() -> None:
        assert "Successful Nodes" in build()

    run = simulation.run(check)
    assert run.state == "Completed", run.children


# --- what dbt writes ------------------------------------------------------------------------------


def test_artifacts_are_where_the_runner_is_told_to_write_them(
    simulation: Simulation, folder: Path
) -> None:
    @flow
    def build() -> None:
        runner(folder, settings={"target_path": Path("mine")}).invoke(["run", "--select", "a"])

    assert simulation.run(build).state == "Completed"
    results = json.loads((folder / "mine" / "run_results.json").read_text())
    assert results["metadata"]["generated_at"].startswith("2024-05-01T06:30:00")
    assert "model.shop.a" in json.loads((folder / "mine" / "manifest.json").read_text())["nodes"]


def test_what_failed_is_run_again_by_retry(simulation: Simulation, folder: Path) -> None:
    statuses: list[list[str]] = []

    @flow
    def build() -> None:
        for words in (["build", "--select", "a", "bad"], ["retry"]):
            outcome = dbtRunner().invoke(
                [*words, "--project-dir", folder, "--profiles-dir", folder]
            )
            statuses.append([str(result.status) for result in outcome.result])

    run = simulation.run(build)
    assert run.state == "Completed", run
    assert statuses == [["success", "error"], ["error"]]


# --- dbt as a real process ------------------------------------------------------------------------


@pytest.fixture
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command `dbt` is there, as in an environment that has been activated."""
    monkeypatch.setenv(
        "PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )


def by_subprocess(folder: Path) -> Flow[..., Any]:
    @flow
    def dbt_flow() -> None:
        subprocess.run(
            ["dbt", "run", "-s", "a", "--project-dir", folder, "--profiles-dir", folder],
            check=True,
            capture_output=True,
        )

    return dbt_flow


def by_operation(folder: Path) -> Flow[..., Any]:
    @flow
    def dbt_flow() -> list[str]:
        return DbtCoreOperation(commands=["dbt run -s a"], **places(folder)).run()

    return dbt_flow


def by_operation_in_an_async_flow(folder: Path) -> Flow[..., Any]:
    @flow
    async def dbt_flow() -> list[str]:
        async with DbtCoreOperation(commands=["dbt run -s a"], **places(folder)) as operation:
            process = await operation.trigger()
            await process.wait_for_completion()
            return await process.fetch_result()

    return dbt_flow


@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize("way", [by_subprocess, by_operation, by_operation_in_an_async_flow])
def test_the_command_runs_as_a_process_that_takes_no_virtual_time(
    simulation: Simulation, folder: Path, way: Callable[[Path], Flow[..., Any]]
) -> None:
    run = simulation.run(way(folder))
    assert run.state == "Completed", run
    assert run.end - run.start < timedelta(seconds=1)
    # It is on real time, and that is told.
    assert built_at(folder) > datetime(2026, 1, 1, tzinfo=UTC)
    told = [str(one) for one in simulation.caveats if "is a process of its own" in str(one)]
    assert told
    if way is by_subprocess:
        assert all("dbtRunner().invoke([...]) runs dbt in this process" in one for one in told)
