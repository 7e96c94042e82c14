"""Patches of Prefect's server: each with what it is needed for."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import threading
from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import fastapi.dependencies.utils
import httpx
import pytest
import starlette.concurrency
from anyio._backends._asyncio import WorkerThread
from prefect import flow, get_client
from prefect.automations import AutomationCore
from prefect.events import DeploymentEventTrigger, EventTrigger, Posture, emit_event
from prefect.events.filters import EventFilter, EventNameFilter
from prefect.exceptions import ObjectNotFound
from prefect.schedules import Cron
from prefect.server.api import server as prefect_api
from prefect.server.api.clients import OrchestrationClient
from prefect.server.database import configurations, dependencies, orm_models
from prefect.server.events import triggers
from prefect.server.events.services import event_persister
from prefect.server.models import deployments, flow_runs
from prefect.settings import get_current_settings
from prefect.utilities.schema_tools import validation
from sqlalchemy import Engine, event
from starlette.middleware.gzip import GZipMiddleware

from simulator import Simulation
from simulator.patches.prefect import server as patches_of_server
from simulator.server import events
from simulator.server.server import Server, application

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


@flow
def nothing():
    pass


@flow
def telling(times: int = 1):
    for _ in range(times):
        emit_event("told", resource={"prefect.resource.id": "a.story"})


@pytest.fixture
def sim():
    with Simulation(start="2026-01-05T00:00:00Z") as simulation:
        yield simulation


def test_one_event_starts_runs_in_the_order_in_which_their_automations_were_made(sim):
    """Prefect goes by a set of random ids: by chance, one time in 720."""
    names = ["f", "b", "d", "a", "e", "c"]
    for name in names:
        sim.deploy(nothing, name=name, triggers=[DeploymentEventTrigger(expect={"told"})])
    sim.run(telling)
    sim.advance(minutes=1)
    runs = sorted(sim.runs("nothing"), key=lambda run: run.states[0].timestamp)
    assert [run.deployment for run in runs] == [f"nothing/{name}" for name in names]


def test_triggers_of_one_automation_come_in_its_order(monkeypatch):
    """A compound one may have two that an event concerns."""
    automation = SimpleNamespace(created=1, id="a")
    own = [SimpleNamespace(id=number, automation=automation) for number in (5, 3, 9, 1)]
    automation.triggers_of_type = lambda _: own
    monkeypatch.setattr(patches_of_server, "_find_interested", lambda _: own[::-1])
    assert patches_of_server._oldest_first(None) == own


def test_runs_of_one_instant_take_the_slots_in_the_order_of_their_deployments(sim):
    """Prefect schedules by the deployments' ids, which are random: by chance, one time in 720."""
    names = ["f", "b", "d", "a", "e", "c"]
    sim.takes("nothing", timedelta(minutes=5))
    sim.work_pool("default", concurrency_limit=1)
    for name in names:
        sim.deploy(nothing, name=name, cron="0 1 * * *")
    sim.advance(hours=2)
    assert [run.deployment.rpartition("/")[2] for run in sim.runs()] == names


def test_ids_of_rows_are_random_again_after_a_simulation():
    column = orm_models.Deployment.__table__.c.id
    with Simulation():
        assert column.default.arg(None).version == 7
    assert column.default.arg(None).version == 4


@pytest.fixture
def checks(monkeypatch):
    """The schemas that are held against the schema of schemas, one after the other."""
    checked = []
    iter_errors = validation._VALIDATOR.iter_errors

    def counted(self, instance, *args, **kwargs):
        if self.schema is validation._VALIDATOR.META_SCHEMA:
            checked.append(instance)
        return iter_errors(self, instance, *args, **kwargs)

    monkeypatch.setattr(validation._VALIDATOR, "iter_errors", counted)
    return checked


def test_a_schema_would_be_checked_again_and_again(checks):
    for _ in range(3):
        validation.is_valid_schema(SCHEMA, preprocess=False)
    assert checks == [SCHEMA] * 3


def test_a_schema_is_checked_once(sim, checks):
    schema = SCHEMA | {"title": "checked once"}
    for _ in range(3):
        validation.is_valid_schema(schema, preprocess=False)
    assert checks == [schema]


def test_a_bad_schema_is_refused_every_time(sim):
    for _ in range(2):
        with pytest.raises(ValueError, match="Invalid schema"):
            validation.is_valid_schema({"type": "nonsense"}, preprocess=False)


def told():
    with get_client(sync_client=True) as client:
        wanted = EventFilter(event=EventNameFilter(name=["told"]))
        return client.request(
            "POST", "/events/filter", json={"filter": wanted.model_dump(mode="json")}
        ).json()["events"]


def written(sim):
    return sim._world.database.execute("select count(*) from events").fetchone()[0]


def test_a_process_that_is_forked_after_a_simulation_ends_well():
    code = (
        "import multiprocessing\n"
        "from simulator.scenarios.rehearsal import rehearse\n"
        "rehearse()\n"
        "process = multiprocessing.get_context('fork').Process(target=print)\n"
        "process.start()\n"
        "process.join()\n"
        "raise SystemExit(process.exitcode)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_event_persister_would_write_in_real_time():
    assert (
        event_persister.create_handler.__module__
        == "prefect.server.events.services.event_persister"
    )
    assert event_persister.asyncio.sleep.__module__ == "asyncio.tasks"


def test_events_can_be_read_after_five_virtual_seconds(sim):
    sim.advance(seconds=1)
    sim.run(telling)
    assert told() == []
    sim.advance(seconds=3.5)
    assert told() == []
    sim.advance(seconds=1)
    assert [event["resource"]["prefect.resource.id"] for event in told()] == ["a.story"]


def test_a_full_batch_of_events_can_be_read_at_once(sim):
    def count(**wanted):
        with get_client(sync_client=True) as client:
            return client.request("POST", "/events/filter", json={"filter": wanted}).json()["total"]

    sim.run(telling, times=50)
    batch = get_current_settings().server.services.event_persister.batch_size
    assert count() == 2 * batch == 40
    assert 30 < count(event={"name": ["told"]}) <= 40
    sim.advance(seconds=5)
    assert count(event={"name": ["told"]}) == 50


def test_events_are_written_when_somebody_reads_them(sim):
    sim.run(telling)
    sim.advance(days=1)
    assert written(sim) == 0
    assert len(told()) == 1
    known = written(sim)
    assert known > 1
    assert len(told()) == 1
    assert written(sim) == known


def test_many_events_wait_for_a_reader_and_are_written_piece_by_piece(sim, monkeypatch):
    monkeypatch.setattr(events, "PIECE", 7)
    pieces = []
    write = events._write
    monkeypatch.setattr(
        events, "_write", lambda texts: (pieces.append(len(texts)), write(texts))[1]
    )
    sim.run(telling, times=50)
    assert written(sim) == 0
    assert pieces == []
    assert 30 < len(told()) <= 40
    assert written(sim) == sum(pieces) == 40
    assert max(pieces) == 7
    assert 30 < len(told()) <= 40
    assert written(sim) == 40


def test_an_application_would_look_for_its_database_in_a_thread_and_parse_its_url(monkeypatch):
    parsed = []
    parse = dependencies.get_dialect
    monkeypatch.setattr(
        dependencies, "get_dialect", lambda url: (parsed.append(url), parse(url))[1]
    )
    for _ in range(3):
        dependencies.provide_database_interface()
    assert len(parsed) == 3
    assert not inspect.iscoroutinefunction(dependencies.provide_database_interface)
    assert fastapi.dependencies.utils.run_in_threadpool is starlette.concurrency.run_in_threadpool


@pytest.fixture
def started(monkeypatch):
    """The threads that serve requests, as they are started."""
    threads = []
    run = WorkerThread.start
    monkeypatch.setattr(WorkerThread, "start", lambda self: (threads.append(self), run(self))[1])
    return threads


def test_a_request_finds_its_database_at_once(sim, started):
    told()
    before = dependencies.get_dialect.cache_info()
    told()
    after = dependencies.get_dialect.cache_info()
    assert (after.misses, started) == (before.misses, [])
    assert after.hits > before.hits


def test_a_request_with_a_limit_is_answered_without_a_thread(sim, started):
    with get_client(sync_client=True) as client:
        assert client.read_flow_runs(limit=3) == []
    assert started == []


def test_dependencies_of_others_are_called_in_a_thread(sim):
    def thread():
        return threading.current_thread()

    called = asyncio.run(fastapi.dependencies.utils.run_in_threadpool(thread))
    assert called is not threading.current_thread()


def middleware(app):
    names = [
        getattr(one.kwargs.get("dispatch"), "__name__", "") for one in app.api_app.user_middleware
    ]
    return [one.cls for one in app.api_app.user_middleware], names


def test_an_application_would_compress_and_complete():
    classes, names = middleware(prefect_api.create_app(ephemeral=True, ignore_cache=True))
    assert GZipMiddleware in classes
    assert "default_content_type" in names


def test_nothing_is_compressed_and_nothing_left_to_complete(sim, monkeypatch):
    assert middleware(application()) == ([], [])
    answers = []
    call = Server.call
    monkeypatch.setattr(Server, "call", lambda *a: answers.append(call(*a)) or answers[-1])
    requests = []
    handle = Server.handle

    def noted(self, request):
        requests.append(request)
        return handle(self, request)

    monkeypatch.setattr(Server, "handle", noted)
    sim.deploy(telling, name="dev")
    sim.trigger("telling/dev")
    sim.advance(minutes=1)
    assert sim.runs("telling")[0].state == "Completed"
    kinds = {request.headers.get("content-type") for request in requests if request.content}
    assert kinds == {"application/json"}
    large = [one for one in answers if isinstance(one, httpx.Response) and len(one.content) > 1000]
    assert large
    assert not [one for one in large if "content-encoding" in one.headers]


def application_of_an_action():
    return OrchestrationClient()._http_client._transport.app


def test_an_action_would_find_another_application():
    assert application_of_an_action() is not application()


def test_an_action_finds_the_application_that_runs(sim):
    assert application_of_an_action() is application()
    assert prefect_api.create_app(ephemeral=True, ignore_cache=True) is not application()


def loading():
    """How SQLAlchemy reads what belongs to a run."""
    runs, queues = (orm_models.FlowRun, orm_models.TaskRun), orm_models.WorkQueue
    found = [run._state.property for run in runs]
    found += [one.work_queue.property for one in (orm_models.FlowRun, orm_models.Deployment)]
    found.append(queues.work_pool.property)
    explicit = flow_runs.selectinload.__name__
    return {one.lazy for one in found}, {type(one.strategy).__name__ for one in found}, explicit


def test_a_run_would_be_read_in_four_statements():
    assert loading() == ({"selectin"}, {"SelectInLoader"}, "selectinload")


@pytest.fixture
def statements():
    """The first words of all statements, as they come."""

    def note(connection, cursor, statement, *_):
        noted.append(statement.split()[0])

    noted: list[str] = []
    event.listen(Engine, "before_cursor_execute", note)
    yield noted
    event.remove(Engine, "before_cursor_execute", note)


def test_a_run_is_read_in_one_statement(statements):
    with Simulation(start="2026-01-05T00:00:00Z") as sim, get_client(sync_client=True) as client:
        sim.deploy(nothing, name="dev")
        sim.trigger("nothing/dev")
        sim.advance(minutes=1)
        (run,) = sim.runs("nothing")
        statements.clear()
        found = client.read_flow_run(run.id)
        assert statements == ["SELECT"]
        assert (found.state.name, found.work_pool_name) == ("Completed", "default")
        assert found.work_queue_name == "default"
    assert loading() == ({"selectin"}, {"SelectInLoader"}, "selectinload")


def test_a_deployment_would_be_read_in_two_statements():
    assert orm_models.Deployment.schedules.property.lazy == "selectin"
    source = inspect.getsource(deployments.read_deployment)
    assert source.rstrip().endswith("return await session.get(db.Deployment, deployment_id)")


def test_a_deployment_is_read_in_one_statement(statements):
    read = deployments.read_deployment
    hours = [Cron(f"0 {hour} * * *", timezone="UTC") for hour in (1, 2, 3)]
    with Simulation(start="2026-01-05T00:00:00Z") as sim, get_client(sync_client=True) as client:
        sim.deploy(nothing, name="dev", schedules=hours)
        listed = client.read_deployments()
        statements.clear()
        found = client.read_deployment(listed[0].id)
        assert statements == ["SELECT"]
        assert found == listed[0]
        assert [one.schedule.cron for one in found.schedules] == [
            one.schedule.cron for one in listed[0].schedules
        ]
        assert len(found.schedules) == 3
        with pytest.raises(ObjectNotFound):
            client.read_deployment(uuid4())
    assert deployments.read_deployment is read


def test_an_automation_is_loaded_in_a_turn_of_its_own_and_in_no_transaction_of_another(
    sim, monkeypatch
):
    """Beside other requests it would hold SQLite's write lock while they wait for it, for a minute."""
    seen = []
    changed = triggers.automation_changed

    async def looked(*args):
        turn = sim._world.server._turn
        seen.append((turn.locked(), configurations.SQLITE_BEGIN_MODE.get()))
        await changed(*args)

    monkeypatch.setattr(triggers, "automation_changed", looked)
    never = EventTrigger(expect={"never"}, posture=Posture.Reactive, threshold=1)
    with get_client(sync_client=True) as client:
        made = client.create_automation(AutomationCore(name="one", trigger=never, actions=[]))
        sim.advance(seconds=1)
        assert seen == [(True, None)]
        assert made in triggers.automations_by_id


def test_triggers_are_not_evaluated_by_a_loop_on_real_time(monkeypatch):
    """It would go by the instant at which the simulation has come up, as busy as the machine is."""
    at_the_start = []

    async def looked(*args):
        at_the_start.append(args)

    monkeypatch.setattr(triggers, "periodic_evaluation", looked)
    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        server = sim._world.server

        async def running():
            return [task.get_coro().__qualname__ for task in asyncio.all_tasks()]

        tasks = server.call("its tasks", running)
        assert "EventPersister.start" in tasks
        assert "evaluate_periodically" not in tasks
    assert at_the_start == []
