"""Deployments by Prefect's own means: served, deployed, applied, written by hand."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from prefect import Flow, aserve, deploy, flow, serve
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.deployments.runner import RunnerDeployment
from prefect.flows import load_flow_from_entrypoint
from prefect.runner import Runner
from prefect.runner.storage import GitRepository

from simulator import Simulation, SimulationError, UnsupportedOperation
from tests.worker import served_flows as flows

HERE = Path(flows.__file__).parent
START = "2026-01-05T00:00:00Z"


@pytest.fixture
def sim():
    with Simulation(start=START) as opened:
        yield opened


def states(sim, deployment):
    return [run.state for run in sim.runs(deployment=deployment)]


# -- serving -----------------------------------------------------------------------------------------


def test_a_served_flow_runs_on_its_schedule_and_when_it_is_triggered(sim):
    flows.greets.serve("dev", cron="0 * * * *", parameters={"name": "you"}, tags=["a"])
    sim.advance(hours=1.5)
    sim.trigger("greets/dev", parameters={"name": "me"})
    sim.advance(minutes=1)
    scheduled, triggered = sim.runs(deployment="greets/dev")
    assert (scheduled.state, triggered.state) == ("Completed", "Completed")
    assert scheduled.start == sim.start + timedelta(hours=1)
    assert (scheduled.parameters, triggered.parameters) == ({"name": "you"}, {"name": "me"})
    assert scheduled.auto_scheduled


def test_serve_takes_several_flows_each_with_its_own_schedule(sim):
    serve(
        flows.quick.to_deployment("dev", interval=timedelta(minutes=30)),
        flows.greets.to_deployment("dev", cron="15 * * * *"),
        print_starting_message=False,
    )
    sim.advance(hours=2)
    assert states(sim, "quick/dev") == ["Completed"] * 3
    assert states(sim, "greets/dev") == ["Completed"] * 2


def test_aserve_returns_at_once(sim):
    async def main() -> None:
        deployment = await flows.quick.ato_deployment("dev", cron="0 * * * *")
        await aserve(deployment)

    asyncio.run(main())
    sim.advance(hours=1.5)
    assert states(sim, "quick/dev") == ["Completed"]


def test_the_limit_of_serve_holds_for_all_that_it_serves(sim):
    flows.takes_a_minute.serve("dev", limit=1)
    for _ in range(3):
        sim.trigger("takes-a-minute/dev")
    sim.advance(minutes=5)
    first, second, third = sim.runs(deployment="takes-a-minute/dev")
    assert first.end <= second.start
    assert second.end <= third.start
    assert third.completed


def test_a_paused_deployment_is_served_and_not_scheduled(sim):
    flows.quick.serve("dev", cron="0 * * * *", paused=True)
    sim.advance(hours=2.5)
    assert states(sim, "quick/dev") == []


# -- work pools --------------------------------------------------------------------------------------


def test_deploy_takes_several_flows_with_an_image(sim):
    sim.work_pool("pool")
    ids = deploy(
        flows.quick.to_deployment("dev", cron="0 * * * *"),
        flows.greets.to_deployment("dev", cron="0 * * * *"),
        work_pool_name="pool",
        image="registry/image:tag",
        build=False,
    )
    assert len(ids) == 2
    sim.advance(hours=1.5)
    assert states(sim, "quick/dev") == states(sim, "greets/dev") == ["Completed"]


def test_a_deployment_that_is_applied_runs_in_its_work_pool(sim):
    sim.work_pool("pool")
    flows.quick.to_deployment("dev", cron="0 * * * *", work_pool_name="pool").apply()
    sim.advance(hours=1.5)
    assert states(sim, "quick/dev") == ["Completed"]


def test_a_flow_from_a_local_folder_is_loaded_from_there(sim):
    sim.work_pool("pool")
    source = flow.from_source(HERE, entrypoint="served_flows.py:quick")
    source.deploy("dev", work_pool_name="pool", cron="0 * * * *", print_next_steps=False)
    sim.advance(hours=1.5)
    assert states(sim, "quick/dev") == ["Completed"]


def test_a_deployment_from_an_entrypoint_runs(sim):
    sim.work_pool("pool")
    RunnerDeployment.from_entrypoint(
        f"{HERE}/served_flows.py:quick", "dev", cron="0 * * * *", work_pool_name="pool"
    ).apply()
    sim.advance(hours=1.5)
    assert states(sim, "quick/dev") == ["Completed"]


def test_a_deployment_that_is_written_through_the_client_is_loaded_by_its_process(sim):
    sim.work_pool("pool")
    with get_client(sync_client=True) as client:
        client.create_deployment(
            client.create_flow_from_name("quick"),
            name="dev",
            path=str(HERE),
            entrypoint="served_flows.py:quick",
            work_pool_name="pool",
        )
    sim.trigger("quick/dev")
    sim.advance(minutes=1)
    assert states(sim, "quick/dev") == ["Completed"]


def test_a_file_that_is_not_there_crashes_the_run_and_says_so(sim):
    sim.work_pool("pool")
    with get_client(sync_client=True) as client:
        client.create_deployment(
            client.create_flow_from_name("quick"),
            name="dev",
            path=str(HERE),
            entrypoint="no_such_file.py:quick",
            work_pool_name="pool",
        )
    sim.trigger("quick/dev")
    sim.advance(minutes=1)
    (run,) = sim.runs(deployment="quick/dev")
    assert run.state == "Crashed"
    assert any("no_such_file.py" in line.message for line in run.logs)


# -- the form of prefect.yaml ------------------------------------------------------------------------


def test_schedules_in_the_form_of_prefect_yaml(sim):
    sim.deploy(
        flows.greets,
        "dev",
        schedules=[
            {"cron": "30 1 * * *", "timezone": "Europe/Paris", "parameters": {"name": "Paris"}},
            {"interval": 3600, "active": False},
            {"rrule": "FREQ=HOURLY;COUNT=1", "slug": "once", "active": True},
        ],
    )
    sim.advance(hours=2)
    runs = sim.runs(deployment="greets/dev")
    paris = [run.start - sim.start for run in runs if run.parameters == {"name": "Paris"}]
    assert paris == [timedelta(minutes=30)]
    assert all(run.completed for run in runs)


def test_a_single_schedule_in_the_old_form_of_prefect_yaml(sim):
    sim.deploy(flows.quick, "dev", schedule={"interval": 1800})
    sim.advance(hours=1.25)
    assert len(sim.runs(deployment="quick/dev")) == 2


def test_a_limit_in_the_form_of_prefect_yaml(sim):
    sim.deploy(
        flows.takes_a_minute,
        "dev",
        concurrency_limit={"limit": 1, "collision_strategy": "CANCEL_NEW"},
    )
    for _ in range(2):
        sim.trigger("takes-a-minute/dev")
    sim.advance(minutes=5)
    assert sorted(states(sim, "takes-a-minute/dev")) == ["Cancelled", "Completed"]


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ({"crom": "0 * * * *"}, "did you mean 'cron'?"),
        ({"timezone": "UTC"}, "one of cron, interval and rrule"),
        ({"cron": "0 * * * *", "interval": 60}, "one of cron, interval and rrule"),
        ({"cron": "0 * * *"}, "cron"),
        ({"cron": "0 * * * *", "anchor_date": "2026-01-01T00:00:00Z"}, "does not go with cron"),
        ({"interval": 60, "day_or": True}, "does not go with interval"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_said_in_one_line(sim, schedule, said):
    with pytest.raises(SimulationError) as refused:
        sim.deploy(flows.quick, "dev", schedules=[schedule])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


# -- code that comes from elsewhere --------------------------------------------------------------------

REPOSITORY = "https://github.com/org/flows.git"


def test_a_folder_stands_for_a_git_repository(sim):
    sim.source(REPOSITORY, HERE)
    sim.work_pool("pool")
    source = flow.from_source(REPOSITORY, entrypoint="served_flows.py:quick")
    source.deploy("dev", work_pool_name="pool", cron="0 * * * *", print_next_steps=False)
    before = set(Path().iterdir())
    sim.advance(hours=2.5)
    assert states(sim, "quick/dev") == ["Completed"] * 2
    assert set(Path().iterdir()) == before


def test_a_git_repository_of_a_served_flow_with_credentials_and_a_branch(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Simulation(start=START) as sim:
        serve_from_a_repository(sim)
    assert not list((tmp_path / "runner_storage").iterdir())  # nothing of it is left


def serve_from_a_repository(sim):
    sim.source("https://github.com/Org/Flows", HERE)
    repository = GitRepository(
        "https://github.com/org/flows.git",
        branch="main",
        credentials={"username": "me", "access_token": "secret"},
    )
    flow.from_source(repository, entrypoint="served_flows.py:quick").serve("dev", interval=600)
    sim.advance(minutes=25)
    assert states(sim, "quick/dev") == ["Completed"] * 2


def test_an_async_script_deploys_from_a_git_repository(sim):
    sim.source(REPOSITORY, HERE)
    sim.work_pool("pool")

    async def main() -> None:
        source = await Flow.afrom_source(REPOSITORY, entrypoint="served_flows.py:quick")
        await source.adeploy("dev", work_pool_name="pool", print_next_steps=False)

    asyncio.run(main())
    sim.trigger("quick/dev")
    sim.advance(minutes=1)
    assert states(sim, "quick/dev") == ["Completed"]


def test_a_git_repository_that_no_folder_stands_for_is_refused_in_one_line(sim):
    with pytest.raises(SimulationError, match="is not on this machine") as refused:
        flow.from_source(
            "https://token@github.com/org/other.git", entrypoint="served_flows.py:quick"
        )
    assert "Simulation.source" in str(refused.value)
    assert "token" not in str(refused.value)


def test_a_folder_that_is_not_there_stands_for_nothing(sim):
    with pytest.raises(SimulationError, match="is no folder"):
        sim.source(REPOSITORY, HERE / "nowhere")


# -- flows that are in no file, or whose file cannot be loaded ---------------------------------------


@pytest.fixture
def needy(tmp_path):
    file = tmp_path / "needs.py"
    file.write_text(
        "import no_such_module\nfrom prefect import flow\n\n\n"
        "@flow\ndef needy() -> None:\n    no_such_module.work()\n"
    )
    return file


def test_a_module_that_is_missing_is_named(sim, needy):
    loaded = load_flow_from_entrypoint(f"{needy}:needy")
    with pytest.raises(SimulationError, match="No module named 'no_such_module'") as refused:
        sim.deploy(loaded, "dev")
    assert "\n" not in str(refused.value)


def test_a_module_that_is_missing_is_named_also_if_the_flow_was_loaded_before(needy):
    loaded = load_flow_from_entrypoint(f"{needy}:needy")
    with Simulation(start=START) as sim, pytest.raises(SimulationError, match="no_such_module"):
        sim.deploy(loaded, "dev")


def test_a_module_that_is_missing_where_the_flow_runs_is_in_its_log(sim, needy):
    sim.work_pool("pool")
    source = flow.from_source(needy.parent, entrypoint="needs.py:needy")
    source.deploy("dev", work_pool_name="pool", print_next_steps=False)
    sim.trigger("needy/dev")
    sim.advance(minutes=1)
    (run,) = sim.runs(deployment="needy/dev")
    assert run.state == "Crashed"
    assert any("No module named 'no_such_module'" in line.message for line in run.logs)


def test_a_flow_that_is_in_no_file_is_deployed(sim):
    space = {"__name__": "nowhere"}
    exec("from prefect import flow\n@flow\ndef made() -> int:\n    return 1\n", space)
    sim.deploy(space["made"], "dev", interval=600)
    sim.advance(minutes=25)
    assert states(sim, "made/dev") == ["Completed"] * 2


def test_a_work_pool_that_a_script_makes_has_a_worker(sim):
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="theirs", type="process"))
    flows.quick.to_deployment("dev", interval=600, work_pool_name="theirs").apply()
    sim.advance(minutes=25)
    assert states(sim, "quick/dev") == ["Completed"] * 2
    sim.stop_worker("theirs")
    sim.advance(hours=1)
    assert states(sim, "quick/dev").count("Completed") == 2


def test_a_runner_that_is_to_run_once_is_refused():
    """It would serve until the end of the simulation, and its caller would find the run Scheduled."""
    with Simulation():
        runner = Runner()
        runner.add_flow(flows.greets)
        with pytest.raises(UnsupportedOperation, match="run_once=True"):
            asyncio.run(runner.start(run_once=True))
