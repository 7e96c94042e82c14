"""How Prefect's clients reach the server in this process."""

from __future__ import annotations

import time

import anyio
import httpx

from simulator.clock import end_restless
from simulator.process import current_process
from simulator.server.calls import Calls
from simulator.server.faults import RequestFaults, Struck
from simulator.server.server import Server


class Transport(httpx.BaseTransport):
    """Calls the server from a thread."""

    def __init__(self, server: Server, calls: Calls, faults: RequestFaults) -> None:
        self._server = server
        self._calls = calls
        self._faults = faults

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        process = current_process()
        if process is not None and process.dead:
            process.stay_dead()
        end_restless(self._server.clock)
        request.read()
        struck = self._faults.struck(request)
        if struck is None:
            return self._answer(request)
        return struck.instead or self._late(request, struck)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        response = self._server.call(
            f"{request.method} {request.url.path}", lambda: self._server.handle(request)
        )
        self._calls.saw(request, response)
        return response

    def _late(self, request: httpx.Request, struck: Struck) -> httpx.Response:
        response = self._answer(request)
        time.sleep(struck.seconds)
        return struck.arrived(response)


class AsyncTransport(httpx.AsyncBaseTransport):
    """Calls the server from an event loop."""

    def __init__(self, server: Server, calls: Calls, faults: RequestFaults) -> None:
        self._server = server
        self._calls = calls
        self._faults = faults

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        process = current_process()
        if process is not None and process.dead:
            await process.stay_unanswered()
        await request.aread()
        struck = self._faults.struck(request)
        if struck is None:
            return await self._answer(request)
        return struck.instead or await self._late(request, struck)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        response = await self._server.acall(
            f"{request.method} {request.url.path}", lambda: self._server.handle(request)
        )
        self._calls.saw(request, response)
        return response

    async def _late(self, request: httpx.Request, struck: Struck) -> httpx.Response:
        response = await self._answer(request)
        await anyio.sleep(struck.seconds)
        return struck.arrived(response)
