"""The page of a run that goes on: told of what happens, on the loopback, to the last of it."""

import http.client
import json
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from nights import write_results

from simulator.history import Results
from simulator.report import Watched


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A results file at the beginning of a run."""
    path = tmp_path / "results.duckdb"
    Results.open(path)
    return path


def told(stream: HTTPResponse) -> Iterator[dict[str, Any]]:
    for line in stream:
        if line.strip():
            assert line.startswith(b"data: ")
            yield json.loads(line[len("data: ") :])


def test_a_browser_is_told_what_has_come_and_at_the_end_the_last_of_it(file: Path) -> None:
    with ExitStack() as run:
        watched = run.enter_context(Watched(file))
        events = told(urlopen(watched.url + "events", timeout=60))
        first = next(events)
        assert (first["over"], first["doing"], first["data"]["scenarios"]) == (False, [], [])
        watched.started("child-fails", "state raised")
        watched.moved("child-fails", "state raised", 1.5, 3)
        doing = next(event for event in events if event["doing"])
        assert doing == {"over": False, "doing": ["child-fails [state raised], day 2 of 3"]}
        with watched.writing():
            write_results(file)
    ends = list(events)
    assert [event["over"] for event in ends] == [False] * (len(ends) - 1) + [True]
    [last] = [event["data"] for event in ends if "data" in event]
    assert [one["name"] for one in last["scenarios"]] == ["child-fails", "broken"]


def test_it_listens_on_the_loopback_alone_and_knows_its_own_name(file: Path) -> None:
    with Watched(file) as watched:
        place = urlsplit(watched.url)
        assert place.hostname == "127.0.0.1"
        assert watched._server.server_address == ("127.0.0.1", place.port)
        for path, host, status in [
            ("/", place.netloc, 200),
            ("/", f"localhost.example:{place.port}", 403),
            ("/events", "elsewhere.example", 403),
            ("/results.duckdb", place.netloc, 404),
        ]:
            connection = http.client.HTTPConnection(place.netloc, timeout=60)
            connection.request("GET", path, headers={"Host": host})
            assert connection.getresponse().status == status
            connection.close()


def test_a_browser_that_goes_away_keeps_nobody(file: Path) -> None:
    with Watched(file) as watched:
        with urlopen(watched.url + "events", timeout=60) as stream:
            next(told(stream))
        with watched.writing():
            write_results(file)
    with pytest.raises(OSError, match="refused"):
        urlopen(watched.url, timeout=60)
