"""The tests of this project fail if one of them reaches the account on Prefect Cloud of whoever runs them."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from prefect.client.base import ServerType
from prefect.client.orchestration import get_client

REPOSITORY = Path(__file__).resolve().parent.parent

CONFTEST = "from tests.cloud import pytest_configure"
ESCAPES = """
import os, tomllib, urllib.error, urllib.request
from pathlib import Path

import pytest


def test_stays():
    assert "PREFECT_API_URL" not in os.environ


def test_escapes():
    profiles = tomllib.loads(Path(os.environ["PREFECT_PROFILES_PATH"]).read_text())
    url = profiles["profiles"][profiles["active"]]["PREFECT_API_URL"]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url + "/hello")
"""


@pytest.fixture
def project(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.fspath(REPOSITORY))
    monkeypatch.setenv(
        "PREFECT_API_URL", "http://127.0.0.1:9/api"
    )  # it would go before the profile
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(ESCAPES)
    return pytester


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["one process", "xdist"])
def test_one_request_fails_the_session_and_is_named(project, workers):
    told = project.runpytest_subprocess("-p", "no:cacheprovider", *workers)
    assert told.ret == pytest.ExitCode.TESTS_FAILED
    told.assert_outcomes(passed=2)
    (line,) = [line for line in told.outlines if line.startswith("ERROR: ")]
    assert line.startswith(
        "ERROR: the user's Prefect Cloud was reached 1 time(s), first by 'GET /api/accounts/"
    )
    assert "/hello HTTP/1.1', during " in line
    if not workers:  # a worker says what it runs when it gets to it
        assert line.endswith("test_one_request_fails_the_session_and_is_named.py::test_escapes")


def test_a_session_that_reaches_nobody_passes(project):
    told = project.runpytest_subprocess("-p", "no:cacheprovider", "-k", "stays")
    assert told.ret == pytest.ExitCode.OK
    told.assert_outcomes(passed=1, deselected=1)


def test_these_tests_are_run_by_such_a_user():
    profiles = tomllib.loads(Path(os.environ["PREFECT_PROFILES_PATH"]).read_text())
    assert profiles["active"] == "cloud"
    assert get_client(sync_client=True).server_type == ServerType.CLOUD
