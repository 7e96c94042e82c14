"""The real Prefect server inside this process, on a throw-away SQLite file.

The application is Prefect's own. It is served on a thread with an event loop on real time, and
called through an in-process transport: a request holds the clock from before it is sent until its
answer has been handed over. Requests, messages and background tasks take turns, first come, first
served: that order is part of what makes two runs with one seed identical, and it keeps SQLite's
writers out of each other's way.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast
from uuid import UUID

import docket
import httpx
from prefect.events import Event
from prefect.events.filters import EventFilter
from prefect.server.api.server import create_app
from prefect.server.database import provide_database_interface
from prefect.server.events.filters import EventFilter as ServerEventFilter
from prefect.server.events.filters import EventOrder
from prefect.server.events.messaging import create_event_publisher
from prefect.server.events.schemas.events import Event as ServerEvent
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.server.events.storage.database import query_events
from prefect.server.services.base import RunInEphemeralServers
from prefect.server.utilities.messaging import Message
from prefect.settings import temporary_settings

from simulator.clock import Gate, Hold, VirtualClock, standing_at
from simulator.errors import SimulationError
from simulator.instants import to_micros
from simulator.patches.prefect import server as prefect_server
from simulator.patches.prefect.database import database as served_from
from simulator.server import broker, settings, starting
from simulator.server.events import EventLog
from simulator.server.gateway import Door

T = TypeVar("T")

LINES = 200
"""So many log lines are written together: each piece is a step of its own for whoever waits."""


class Server:
    """Prefect's API, its message consumers and its background tasks, on one thread."""

    def __init__(self, clock: VirtualClock, database: Path) -> None:
        self.clock = clock
        self.database = database
        self.changes = 0
        self.events = EventLog(clock)
        self.carry = broker.carry
        self.logs: deque[dict[str, Any]] = deque()  # lines of runs, not yet written down
        self._context = contextvars.copy_context()
        self._context.run(broker.of_this_context.set, self)
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._serve, name="prefect-server", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._main_task: asyncio.Task[None]
        self._stop: asyncio.Event
        self._listening: asyncio.Semaphore
        self._turn: asyncio.Lock
        self._transport: httpx.ASGITransport
        self._publisher: Any
        self._running: set[asyncio.Task[None]] = set()
        self._delayed: dict[str, Callable[[], None]] = {}
        self._door = Door(self._knocked, f"http://{settings.HOST}")
        self._in_place = ExitStack()

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Serve until `stop`. Call it before the clock takes over the process."""
        with ExitStack() as stack:
            # Here, not in the thread: one that hangs must not take out later what is another's then.
            stack.callback(broker.use, None)
            broker.use(self)
            stack.enter_context(served_from(f"sqlite+aiosqlite:///{self.database}"))
            stack.enter_context(prefect_server.persisting(self.events.handler))
            load = prefect_server.loading(lambda work: self.spawn("a new automation", lambda: work))
            stack.enter_context(load)
            self._thread.start()
            try:
                self._ready.result(2 * starting.SECONDS)
            except TimeoutError:
                self._loop.call_soon_threadsafe(self._main_task.cancel)  # should it go on one day
                raise SimulationError(
                    f"Prefect's server did not start within {2 * starting.SECONDS:g} s of real time:"
                    f" it stands{standing_at(self._thread.ident)}"
                ) from None
            except BaseException:
                self._thread.join(starting.SECONDS)
                raise
            self._in_place = stack.pop_all()

    def stop(self) -> None:
        """Stop serving, and wait for the threads to end."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        prefect_server.join_workers(self._loop)
        self._in_place.close()

    def _serve(self) -> None:
        try:
            self._context.run(starting.run, self._main())
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            elif self._ready.exception() is None:
                raise

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._main_task = cast("asyncio.Task[None]", asyncio.current_task())
        self._stop = asyncio.Event()
        self._turn = asyncio.Lock()
        api = application().api_app
        api.state.docket = Docket(self)
        self._transport = httpx.ASGITransport(app=api, root_path="/api", raise_app_exceptions=False)
        self._listening = asyncio.Semaphore(0)
        async with create_event_publisher() as self._publisher, RunInEphemeralServers.running():
            starts = starting.starts_of(RunInEphemeralServers.enabled_services())
            try:
                await starting.come_up(self._listening, starts)
            except BaseException as error:
                self._ready.set_exception(error)  # Prefect's stopping has errors of its own
                for service in starts.values():
                    service.cancel()  # and waits for those that do not end
                raise
            self._ready.set_result(None)
            await self._stop.wait()
            await self._door.close()

    # -- what the clock must know ------------------------------------------------------------------

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One request, message or background task at a time, in the order of arrival."""
        async with self._turn:
            self.changes += 1
            yield

    def expect(self, name: str, asks: bool = False) -> Callable[[], None]:
        """Hold the clock until the returned function is called."""
        hold = Hold(name, asks=asks)
        self.clock.hold(hold)
        return lambda: self.clock.release(hold)

    def delivering(self, topic: str) -> Callable[[], None]:
        return self.expect(f"a message on {topic!r}")

    def consuming(self) -> None:
        self._listening.release()

    # -- calling it --------------------------------------------------------------------------------

    def _start(
        self, name: str, work: Callable[[], Coroutine[Any, Any, T]], done: Callable[[], None]
    ) -> Future[T]:
        """Run `work` on the server's loop; `done` is called once its outcome is in the future.

        It runs in the server's own context: a real server sees nothing of its client's.
        """
        outcome: Future[T] = Future()
        settle = self.expect(name, asks=True)

        async def run() -> None:
            try:
                result = await work()
            except BaseException as error:
                outcome.set_exception(error)
            else:
                outcome.set_result(result)
            try:
                done()
            finally:
                settle()

        def start() -> None:
            task = self._loop.create_task(run())
            self._running.add(task)
            task.add_done_callback(self._running.discard)

        self._loop.call_soon_threadsafe(start, context=self._context.copy())
        return outcome

    def call(
        self,
        name: str,
        work: Callable[[], Coroutine[Any, Any, T]],
        seconds: float | None = None,
    ) -> T:
        """Run `work` on the server's loop and wait for it, in real time.

        Raises TimeoutError if it takes longer than `seconds`; it goes on then.
        """
        gate = Gate()
        outcome = self._start(name, work, gate.open)
        if not gate.wait(-1 if seconds is None else seconds):
            raise TimeoutError
        return outcome.result()

    async def acall(self, name: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run `work` on the server's loop and await it on this one."""
        loop = asyncio.get_running_loop()
        finished: asyncio.Future[None] = loop.create_future()

        def finish() -> None:
            if not finished.done():
                finished.set_result(None)

        def done() -> None:
            try:
                loop.call_soon_threadsafe(finish)
            except RuntimeError:
                pass  # that loop is closed: nobody waits any longer

        outcome = self._start(name, work, done)
        await finished
        return outcome.result()

    async def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request, whose body has been read, on the server's loop."""
        async with self.turn():
            if request.url.path == "/api/logs/filter":
                await self.write_logs()
            elif request.url.path.startswith("/api/events/"):
                await self.events.write()
            response = await self._transport.handle_async_request(request)
            content = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers.raw, content=content)

    def door(self) -> int:
        """The port of the loopback at which the API's address is answered."""
        return self.call("the door of the API's address", self._door.open)

    async def _knocked(self, request: httpx.Request) -> httpx.Response:
        with self.clock.holding(f"{request.method} {request.url.path}"):
            return await self.handle(request)

    async def write_logs(self) -> None:
        """Write down the log lines that wait, on the server's loop, in a turn.

        A run's process sends its lines every two seconds. Here they wait until somebody reads them.
        """
        while self.logs:
            lines = [self.logs.popleft() for _ in range(min(len(self.logs), LINES))]
            for line in lines:
                line.pop("__payload_size__", None)
            request = httpx.Request("POST", f"{settings.API_URL}/logs/", json=lines)
            with self.clock.holding(f"{len(lines)} log lines that are being written"):
                response = await self._transport.handle_async_request(request)
            assert response.status_code == 201, response.status_code

    def write_waiting_logs(self) -> None:
        """Write down the log lines that wait. A server that hangs is not waited for once it is known
        that something does: what it has written is there all the same.
        """

        async def write() -> None:
            async with self.turn():
                await self.write_logs()

        with suppress(TimeoutError):
            self.call("log lines", write, 5.0 if self.clock.disturbed else None)

    async def publish(self, event: Event) -> None:
        """Take an event in, as the server's websocket does. Called from a client's loop."""
        text = event.model_dump_json()

        async def publish() -> None:
            async with self.turn():
                received = ServerEvent.model_validate_json(text).receive()
                await self._publisher.publish_event(received)

        await self.acall(f"event {event.event}", publish)

    async def subscribe(
        self, wanted: EventFilter, deliver: Callable[[Event], object]
    ) -> Callable[[], Awaitable[None]]:
        """Call `deliver` with the written and the coming events that a filter includes, as the
        server's websocket does, until the returned function is called. Both from a client's loop.
        """
        included = ServerEventFilter.model_validate(wanted.model_dump(mode="json"))
        included.order = EventOrder.ASC
        sent: set[UUID] = set()

        def send(event: ReceivedEvent) -> None:
            if event.id not in sent and included.includes(event):
                sent.add(event.id)
                deliver(Event.model_validate(event.model_dump(mode="json")))

        async def hand_over(message: Message) -> None:
            send(ReceivedEvent.model_validate_json(message.data))

        async def begin() -> tuple[broker.Consumer, asyncio.Task[None]]:
            consumer = broker.Consumer("events")
            async with self.turn(), provide_database_interface().session_context() as session:
                await self.events.write()
                for event in (await query_events(session, included, page_size=1000))[0]:
                    send(event)
            return consumer, self._loop.create_task(consumer.run(hand_over))

        consumer, task = await self.acall("a subscription", begin)

        async def end() -> None:
            task.cancel()
            await consumer.cleanup()

        return lambda: self.acall("the end of a subscription", end)

    def defer(self, key: str, when: datetime, task: Callable[[], None]) -> None:
        """Start `task` at the virtual instant `when`, in place of another one with the same key."""
        self._delayed[key] = task

        def due() -> None:
            if self._delayed.get(key) is task:
                del self._delayed[key]
                task()

        self.clock.call_at(to_micros(when), due)

    def spawn(self, name: str, work: Callable[[], Awaitable[Any]]) -> None:
        """Start background work on the server's loop, counted, in its turn."""

        async def run() -> None:
            async with self.turn():
                await work()

        self._start(name, run, lambda: None)


_app: Any = None


def application() -> Any:
    """Prefect's own application; one for the process, it knows nothing of any one database."""
    global _app
    if _app is None:
        with temporary_settings(settings.of_a_server()):
            _app = create_app(ephemeral=True, ignore_cache=True)
        prefect_server.without_wire(_app.api_app)
    return _app


class Docket:
    """Runs the server's background tasks at once, or at their virtual instant.

    Stands in for Prefect's use of `docket`, whose worker polls a queue in real time. The tasks
    themselves are Prefect's.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    def add(
        self, function: Callable[..., Any], when: datetime | None = None, key: str | None = None
    ) -> Callable[..., Awaitable[None]]:
        name = getattr(function, "__name__", str(function))

        async def schedule(*args: Any, **kwargs: Any) -> None:
            def start() -> None:
                self._server.spawn(name, lambda: self.run(function, *args, **kwargs))

            if when is None:
                start()
            else:
                self._server.defer(key or name, when, start)

        return schedule

    replace = add

    async def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call a task with its dependencies resolved."""
        for name, parameter in inspect.signature(function).parameters.items():
            if name not in kwargs and isinstance(parameter.default, docket.dependencies.Dependency):
                kwargs[name] = await self._resolve(parameter.default)
        await function(*args, **kwargs)

    async def _resolve(self, dependency: Any) -> Any:
        if isinstance(dependency, type(docket.CurrentDocket())):
            return self
        provide = getattr(dependency, "factory", None)
        if provide is None:
            return dependency  # Perpetual, Retry: how often; here, once
        provided = provide()
        return await provided if inspect.isawaitable(provided) else provided
