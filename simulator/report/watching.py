"""The page while a run goes on: served on the loopback, and told of each variant that comes to its end.

    with Watched(Path("results/results.duckdb")) as watched:
        watched.moved("late-export", "strict", 1.5, 3)
        with watched.writing():
            ...  # add a variant to the file

The page itself is the one that is kept (`page.py`), and what it is told stands in the results file. In
it `web/watching.js` listens to one stream of server-sent events. A DuckDB file that one thread writes
cannot be opened by another to read it only: so they take turns.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from simulator.errors import SimulationError
from simulator.history import kept_outcomes
from simulator.report.numbers import numbers
from simulator.report.page import as_watched_page

if TYPE_CHECKING:
    from simulator.scenarios import VariantResult

PAUSE = 0.5
"""Real seconds between two events that say how far the variants have come."""

PATIENCE = 10.0
"""Real seconds after which a browser that takes nothing is given up."""


class Watched:
    """A server of the page about a results file, on 127.0.0.1 and a free port, while a run writes to it.

    At its end every browser that looks at the page is told the last of it.
    """

    def __init__(self, results: Path) -> None:
        self._results = results
        self._lived: dict[tuple[str, str], str] = {}
        self._number = 0  # how often the file has changed
        self._over = threading.Event()
        self._told = threading.Lock()  # guards what is above
        self._file = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.watched = self
        self._thread = threading.Thread(target=self._server.serve_forever, name="watched page")

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()  # waits for what browsers are being told

    # -- what happens

    def started(self, scenario: str, variant: str) -> None:
        """A variant has begun."""
        with self._told:
            self._lived[scenario, variant] = "begins"

    def moved(self, scenario: str, variant: str, days: float, of_days: int) -> None:
        """A variant has come so far in virtual time."""
        with self._told:
            self._lived[scenario, variant] = f"day {min(int(days) + 1, of_days)} of {of_days}"

    def finished(self, result: VariantResult) -> None:
        """A variant is done."""
        with self._told:
            self._lived.pop((result.scenario, result.variant), None)

    def warned(self, text: str) -> None:
        """Something that should be known, and is said elsewhere."""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While the results file is written to. Afterwards it holds something else than before."""
        with self._file:
            yield
            with self._told:
                self._number += 1

    # -- what is told

    def events(self) -> Iterator[dict[str, Any]]:
        """What one browser is told: how far the variants have come, and all numbers when they change."""
        shown: int | None = None
        while True:
            over = self._over.is_set()
            with self._told:
                number = self._number
                doing = [f"{s} [{v}], {lived}" for (s, v), lived in self._lived.items()]
            event: dict[str, Any] = {"over": over, "doing": doing}
            if number != shown:
                shown = number
                event["data"] = self._numbers()
            yield event
            if over:
                return
            self._over.wait(PAUSE)

    def _numbers(self) -> dict[str, Any]:
        with self._file:
            return numbers(kept_outcomes(self._results))


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    watched: Watched


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE

    def do_GET(self) -> None:
        # A page from elsewhere whose name leads to this address is none of ours.
        if self.headers.get("Host") != f"127.0.0.1:{self.server.server_port}":
            self.send_error(403)
        elif self.path == "/":
            self._answer("text/html; charset=utf-8")
            self.wfile.write(as_watched_page().encode())
        elif self.path == "/events":
            self._answer("text/event-stream")
            try:
                for event in self.server.watched.events():
                    said = json.dumps(event, separators=(",", ":"))
                    self.wfile.write(f"data: {said}\n\n".encode())
            except (OSError, SimulationError):
                self.close_connection = True  # nobody looks any more, or the file is gone
        else:
            self.send_error(404)

    def _answer(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the terminal is the run's."""
