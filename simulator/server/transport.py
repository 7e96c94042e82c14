"""How Prefect's clients reach the server in this process."""

from __future__ import annotations

import httpx

from simulator.clock import end_restless
from simulator.process import current_process
from simulator.server.calls import Calls
from simulator.server.server import Server


class Transport(httpx.BaseTransport):
    """Calls the server from a thread."""

    def __init__(self, server: Server, calls: Calls) -> None:
        self._server = server
        self._calls = calls

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        process = current_process()
        if process is not None and process.dead:
            process.stay_dead()
        end_restless(self._server.clock)
        request.read()
        response = self._server.call(
            f"{request.method} {request.url.path}", lambda: self._server.handle(request)
        )
        self._calls.saw(request, response)
        return response


class AsyncTransport(httpx.AsyncBaseTransport):
    """Calls the server from an event loop."""

    def __init__(self, server: Server, calls: Calls) -> None:
        self._server = server
        self._calls = calls

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        process = current_process()
        if process is not None and process.dead:
            await process.stay_unanswered()
        await request.aread()
        response = await self._server.acall(
            f"{request.method} {request.url.path}", lambda: self._server.handle(request)
        )
        self._calls.saw(request, response)
        return response
