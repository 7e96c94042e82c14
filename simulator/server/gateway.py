"""The API's address as a door: what knocks on it from this machine is answered by the server.

Prefect's own clients call the server in this process and need no door. A flow that asks the API by
`httpx`, `requests`, `aiohttp` or `urllib` does; it is opened when somebody first comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import uvicorn
from uvicorn.server import ServerState

Handle = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Door:
    """A port of the loopback at which requests for addresses below `base` are answered.

    All of it happens on the loop on which it is opened.
    """

    def __init__(self, handle: Handle, base: str) -> None:
        self._handle = handle
        self._base = base
        self._state = ServerState()
        self._listening: asyncio.Server | None = None

    async def open(self) -> int:
        """Listen, if nobody does yet. Returns the number of the port."""
        if self._listening is None:
            config = uvicorn.Config(
                self._answer,
                lifespan="off",
                interface="asgi3",
                http="h11",
                ws="none",
                log_config=None,
                access_log=False,
            )
            config.load()
            protocol: Any = config.http_protocol_class
            self._listening = await asyncio.get_running_loop().create_server(
                lambda: protocol(config=config, server_state=self._state, app_state={}),
                "127.0.0.1",
                0,
            )
        port: int = self._listening.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Listen no longer, and hang up on everybody."""
        if self._listening is not None:
            self._listening.close()
            for connection in list(self._state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        content, more = b"", True
        while more:
            message = await receive()
            content += message.get("body", b"")
            more = message.get("more_body", False)
        query = scope["query_string"].decode()
        address = f"{self._base}{scope['raw_path'].decode()}{'?' if query else ''}{query}"
        response = await self._handle(
            httpx.Request(scope["method"], address, headers=scope["headers"], content=content)
        )
        headers = [(name.lower(), value) for name, value in response.headers.raw]
        status = response.status_code
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": response.content})
