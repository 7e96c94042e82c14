"""Every patch of Prefect: still needed, still in the right place, and doing what it is for.

Outside of a simulation these tests look at Prefect as it is: one that fails there says that Prefect
no longer needs a patch, or does the thing elsewhere. What patches of waiting and of the clock do is
tested in `tests/clock/test_contract.py` and `tests/patches/test_virtual_time.py`, those that keep processes apart in
`tests/worker/test_worker.py`, those of the server's memory in `tests/server/test_server.py`.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import inspect
import os
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import aiosqlite
import certifi
import httpx
import pytest
import sqlalchemy as sa
from prefect import flow
from prefect._flow_run_suspension import observe_flow_run_suspension
from prefect._internal.concurrency import threads
from prefect._internal.uuid7 import uuid7
from prefect.client import orchestration
from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient
from prefect.client.orchestration import get_client
from prefect.deployments import flow_runs
from prefect.events.clients import PrefectEventsClient, PrefectEventSubscriber
from prefect.server.database import configurations, provide_database_interface
from prefect.server.events import triggers
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Suspended
from prefect.task_runners import ProcessPoolTaskRunner
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import create_async_engine

from simulator import Simulation
from simulator.errors import UnsupportedOperation
from simulator.patches import stdlib, time_machine
from simulator.patches.prefect import client as patches
from simulator.patches.prefect import database, processes, steps
from simulator.patches.prefect import server as prefect_server
from simulator.server.transport import AsyncTransport, Transport

START = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def sim():
    with Simulation(start=START) as simulation:
        yield simulation


PATCHES = (database, patches, processes, prefect_server, stdlib, steps, time_machine)

# -- all of them -----------------------------------------------------------------------------------


def test_every_patched_name_is_there_and_is_put_back(monkeypatch):
    def recording(items):
        for owner, name, _ in items:
            patched.append((owner, name))
            # `exit` shadows the built-in one.
            if not hasattr(owner, name) and not hasattr(builtins, name):
                missing.append(f"{owner}.{name}")
        return replacing(items)

    def look():
        return [inspect.getattr_static(owner, name, None) for owner, name in patched]

    patched, missing = [], []
    replacing = patches.replacing
    with monkeypatch.context() as patch:
        for module in PATCHES:
            patch.setattr(module, "replacing", recording)
        with Simulation(start=START):
            assert missing == []
    assert len(patched) > 40
    before = look()
    with Simulation(start=START):
        for (_, name), outside, inside in zip(patched, before, look(), strict=True):
            # An empty memory may be so already.
            assert inside is not outside or not outside, name
    for (_, name), outside, after in zip(patched, before, look(), strict=True):
        assert after is outside, name


# -- the way to the server -------------------------------------------------------------------------


def test_clients_would_open_sockets():
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        with get_client(sync_client=True) as client:
            assert type(client._client._transport) is httpx.HTTPTransport
        assert type(get_client()._client._transport) is httpx.AsyncHTTPTransport


def test_clients_call_the_server_in_this_process(sim):
    with get_client(sync_client=True) as client:
        assert type(client._client._transport) is Transport
    assert type(get_client()._client._transport) is AsyncTransport


def test_a_transport_that_is_given_is_kept(sim):
    given = httpx.MockTransport(lambda request: httpx.Response(204))
    with PrefectHttpxSyncClient(base_url="http://other", transport=given) as client:
        assert client.get("/").status_code == 204
    assert PrefectHttpxAsyncClient(base_url="http://other", transport=given)._transport is given


def test_events_would_leave_by_a_websocket():
    client = PrefectEventsClient("http://127.0.0.1:9/api")
    assert hasattr(client, "_connect")
    assert "_reconnect" in inspect.getsource(PrefectEventsClient.__aenter__)


def test_events_are_handed_to_the_server(sim):
    async def emit():
        async with PrefectEventsClient() as client:
            await client.emit(event)
            return hasattr(client, "_connect")

    from prefect.events import Event, Resource

    event = Event(
        event="tests.happened",
        resource=Resource({"prefect.resource.id": "tests"}),
        occurred=sim.now,
    )

    @flow
    def emits():
        return asyncio.run(emit())

    assert sim.run(emits).state == "Completed"
    sim.advance(seconds=6)  # events can be read after five seconds
    with get_client(sync_client=True) as client:
        wanted = {"filter": {"event": {"name": ["tests.happened"]}}}
        assert client.request("POST", "/events/filter", json=wanted).json()["total"] == 1


def count_contexts(monkeypatch):
    made = []
    create = ssl.create_default_context

    def counting(*args, **kwargs):
        made.append(args)
        return create(*args, **kwargs)

    monkeypatch.setattr(ssl, "create_default_context", counting)
    return made


def test_events_would_arrive_by_a_websocket():
    assert "_reconnect" in inspect.getsource(PrefectEventSubscriber.__aenter__)
    assert "recv" in inspect.getsource(PrefectEventSubscriber.__anext__)


def test_every_client_would_make_an_ssl_context(monkeypatch):
    made = count_contexts(monkeypatch)
    with temporary_settings({PREFECT_API_URL: "http://nowhere.invalid/api"}):
        for _ in range(2):
            get_client()
    assert len(made) == 2


def test_prefects_clients_share_an_ssl_context(monkeypatch):
    with Simulation(start=START):
        made = count_contexts(monkeypatch)
        for _ in range(3):
            get_client()
        assert made == []
        context = orchestration.ssl.create_default_context(cafile=certifi.where())
        assert orchestration.ssl.create_default_context(cafile=certifi.where()) is context
        httpx.Client().close()  # somebody's own: what becomes of its context is not known
        assert len(made) == 1
    with Simulation(start=START):
        pass
    assert len(made) == 1
    assert orchestration.ssl is ssl


# -- the database ----------------------------------------------------------------------------------


def test_sql_now_would_be_the_operating_systems():
    compiled = str(
        sa.select(sa.func.now()).compile(
            dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}
        )
    )
    assert "strftime(" in compiled
    assert "'now'" in compiled

    async def ask():
        engine = create_async_engine("sqlite+aiosqlite:///:memory:")
        try:
            async with engine.connect() as connection:
                told = await connection.scalar(sa.text("select strftime('%Y-%m-%d', 'now')"))
        finally:
            await engine.dispose()
        return told

    assert asyncio.run(ask()) == f"{datetime.now(UTC):%Y-%m-%d}"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("strftime('%Y-%m-%d %H:%M:%S', 'now')", "2026-01-06 03:00:00"),
        ("strftime('%Y-%m-%d %H:%M:%S')", "2026-01-06 03:00:00"),
        ("datetime('now')", "2026-01-06 03:00:00"),
        ("datetime('now', '+1 hour', 'start of day')", "2026-01-06 00:00:00"),
        ("datetime()", "2026-01-06 03:00:00"),
        ("date('now')", "2026-01-06"),
        ("time('now')", "03:00:00"),
        ("unixepoch('now')", 1767668400),
        ("round(julianday('now') - julianday('2026-01-05'), 6)", 1.125),
        # Nothing to do with now.
        ("strftime('%Y', '1999-12-31')", "1999"),
        ("datetime('1999-12-31', '+1 day')", "2000-01-01 00:00:00"),
        ("date(null)", None),
    ],
)
def test_sqlites_functions_of_time_read_the_clock(sim, call, expected):
    async def ask():
        async with provide_database_interface().session_context() as session:
            return await session.scalar(sa.text(f"select {call}"))

    sim.advance(days=1, hours=3)
    assert sim._world.server.call("a question", ask) == expected


def begins(configuration):
    """With which statements a transaction of Prefect's begins."""

    async def ask():
        said = []
        engine = await configuration.engine()
        sa.event.listen(
            engine.sync_engine, "before_cursor_execute", lambda *given: said.append(given[2])
        )
        session = await configuration.session(engine)
        async with session, configuration.begin_transaction(session):
            await session.execute(sa.text("select 1"))
        await engine.dispose()
        return said

    return asyncio.run(ask())


def test_transactions_would_be_deferred(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"
    said = begins(configurations.AioSqliteConfiguration(connection_url=url))
    assert "BEGIN IMMEDIATE" not in said


def test_transactions_are_immediate(tmp_path):
    configuration = database.VirtualSqlite(
        connection_url=f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"
    )
    assert "BEGIN IMMEDIATE" in begins(configuration)


def test_each_connection_would_have_a_thread_of_its_own():
    async def count():
        before = set(threading.enumerate())
        async with aiosqlite.connect(":memory:") as connection:
            await connection.execute("select 1")
            return len(set(threading.enumerate()) - before)

    assert asyncio.run(count()) == 1


def test_connections_have_no_threads(tmp_path):
    async def count():
        before = set(threading.enumerate())
        async with aiosqlite.connect(":memory:") as connection:
            async with connection.execute("select 41 + 1") as cursor:
                assert await cursor.fetchone() == (42,)
            with pytest.raises(aiosqlite.OperationalError):
                await connection.execute("select nothing")
            return len(set(threading.enumerate()) - before)

    with database.database(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"):
        assert asyncio.run(count()) == 0


def test_each_engine_would_compile_its_statements_anew():
    one, two = sa.create_engine("sqlite://"), sa.create_engine("sqlite://")
    assert one.dialect is not two.dialect
    assert "compiled_cache" not in one.get_execution_options()


def test_a_statement_is_compiled_once_for_all_engines(tmp_path, monkeypatch):
    compiled = []
    compiler = sqlite.dialect.statement_compiler
    statement = sa.select(sa.literal_column(f"'{tmp_path.name}'"))

    class Noting(compiler):
        def __init__(self, dialect, what, *args, **options):
            compiled.append(what)
            super().__init__(dialect, what, *args, **options)

    async def ask():
        async with provide_database_interface().session_context() as session:
            return await session.scalar(statement)

    monkeypatch.setattr(sqlite.dialect, "statement_compiler", Noting)
    monkeypatch.setattr(database.VirtualSqlite, "dialect", None)
    for name in ("a", "b"):
        with database.database(f"sqlite+aiosqlite:///{tmp_path / name}.db"):
            assert asyncio.run(ask()) == tmp_path.name
    assert len(compiled) == 1


# -- time ------------------------------------------------------------------------------------------


def test_ids_of_one_millisecond_would_sort_at_random():
    ids = [uuid7(ms=1) for _ in range(50)]
    assert ids != sorted(ids)


def test_ids_ascend_also_across_threads(sim):
    with ThreadPoolExecutor(4) as pool:
        made = [
            one
            for many in pool.map(lambda _: [uuid7() for _ in range(500)], range(4))
            for one in many
        ]
    assert len(set(made)) == 2000
    ids = [uuid7(ms=1) for _ in range(2000)]
    assert ids == sorted(ids)
    assert {one.version for one in ids} == {7}


def test_ids_of_two_simulations_differ():
    made = []
    for _ in range(2):
        with Simulation(start=START):
            made += [uuid7(ms=1) for _ in range(100)]
    assert len(set(made)) == 200


# -- waiting for a deployment's run ----------------------------------------------------------------


def test_a_wait_for_a_run_can_be_told_by_its_frame():
    code = patches._RUN_DEPLOYMENT
    assert code.co_name == "run_deployment"
    assert {"flow_run_id", "timeout", "start_time"} <= {*code.co_varnames, *code.co_cellvars}
    assert "sleep" in code.co_names


def test_an_asynchronous_wait_sleeps_where_it_can_be_told():
    code = patches._code_of(flow_runs.arun_deployment)
    assert {"flow_run_id", "poll_interval"} <= {*code.co_varnames, *code.co_cellvars}
    assert {"anyio", "sleep"} <= set(code.co_names)
    assert type(flow_runs.anyio).__name__ == "module"


def test_other_sleeps_of_that_module_are_left_alone(sim):
    @flow
    async def sleeps():
        await flow_runs.anyio.sleep(30)

    run = sim.run(sleeps)
    assert run.end - run.start == timedelta(seconds=30)


# -- what would live on real time --------------------------------------------------------------------


def test_the_triggers_would_evaluate_in_a_loop_of_their_own():
    source = inspect.getsource(triggers.evaluate_periodically)
    assert "while True" in source
    assert "sleep" in source


def test_the_triggers_loop_ends_at_once(sim):
    assert asyncio.run(asyncio.wait_for(triggers.evaluate_periodically(timedelta(1)), 5)) is None


def test_an_observer_of_suspensions_would_be_a_thread():
    assert "threading.Thread(" in inspect.getsource(observe_flow_run_suspension)


def test_a_suspension_is_told_without_a_thread(sim):
    @flow
    def waits():
        seen.append([one.name for one in threading.enumerate()])
        time.sleep(600)

    seen = []
    sim.deploy(waits, name="dev")
    run = sim.trigger("waits/dev")
    sim.advance(seconds=30)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run, Suspended(timeout_seconds=3600))
    sim.advance(seconds=1)
    assert sim.history().run(run).state == "Suspended"
    assert not [name for names in seen for name in names if "observer" in name]


def test_a_process_pool_would_leave_this_process():
    assert "ProcessPoolExecutor" in inspect.getsource(ProcessPoolTaskRunner)


def test_a_process_pool_is_refused_with_what_to_use(sim):
    with pytest.raises(UnsupportedOperation, match="use ThreadPoolTaskRunner instead"):
        ProcessPoolTaskRunner().submit(None, {})


# -- loops of an earlier life ------------------------------------------------------------------------


def test_prefects_background_loops_are_its_own_again_afterwards():
    before = threads.get_run_sync_loop()
    with Simulation(start=START):
        inside = threads.get_run_sync_loop()
        assert inside is not before
    assert threads.get_run_sync_loop() is before
    assert not inside.thread.is_alive()
    assert before.thread.is_alive()


def test_the_environment_of_a_process_is_not_searched_for_names():
    """`os` as `uuid7` sees it is replaced as a whole: it must use nothing else of it."""
    with contextlib.suppress(KeyError):
        del os.environ["NOTHING"]
    from prefect._internal import uuid7 as module

    assert inspect.getsource(module).count("os.") == inspect.getsource(module).count("os.urandom(")
