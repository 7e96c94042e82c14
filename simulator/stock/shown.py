"""A stock Prefect server, with its web UI, on a copy of a simulation's database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from simulator.stock.server import StockServer


class ShownServer(StockServer):
    """`prefect server start` with its web UI, on a copy of a database that a simulation has left.

    None of its services runs: no scheduler goes on where the simulation stopped, nothing becomes late
    today, no automation acts and nothing old is cleaned up. What is clicked there changes the copy.

    Raises SimulationError as `StockServer` does, also for a database that a newer Prefect has written.
    """

    options = ("--no-services",)

    def __init__(self, database: Path) -> None:
        super().__init__()
        self._shown = database

    def _database(self) -> Path:
        return self._shown

    def _environment(self) -> dict[str, str]:
        return super()._environment() | {
            "PREFECT_SERVER_UI_API_URL": self.url,  # else the page asks port 4200
            "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(self.folder / "ui"),  # else beside its code
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        }

    def wait(self) -> str:
        """Wait until the server has ended by itself, and return the last of what it has said."""
        [process] = self.processes
        process.wait()
        return self.said("server")

    @property
    def dashboard(self) -> str:
        """The address of the dashboard, at the days of the simulation: by itself it shows others."""
        page = f"http://127.0.0.1:{self.port}/dashboard"
        with closing(sqlite3.connect(self._shown)) as database:
            first, last = database.execute(_LIVED).fetchone()
        if first is None:
            return page
        begin = _instant(first).replace(hour=0, minute=0, second=0, microsecond=0)
        end = (_instant(last) + timedelta(days=1)).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        days = {"startDate": f"{begin:%Y-%m-%dT%H:%M:%SZ}", "endDate": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
        return f"{page}?{urlencode({'type': 'range', **days}, safe=':')}"


_LIVED = "select min(start_time), max(coalesce(end_time, start_time)) from flow_run"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
