"""The network: the API at its address, and everything that would leave this machine."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import urllib.request

import aiohttp
import httpx
import pytest
import requests
from prefect import flow, task
from prefect.settings import PREFECT_API_URL

from simulator import Simulation, SimulationError
from simulator.hosts import Hosts


@pytest.fixture(scope="module")
def sim():
    with Simulation() as opened:
        yield opened


# -- the API at its address ----------------------------------------------------------------------------


def by_urllib(url):
    with urllib.request.urlopen(url) as answer:
        return answer.status


def by_httpx_async(url):
    async def ask():
        async with httpx.AsyncClient() as client:
            return (await client.get(url)).status_code

    return asyncio.run(ask())


def by_aiohttp(url):
    async def ask():
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "ask",
    [
        by_urllib,
        by_httpx_async,
        by_aiohttp,
        lambda url: httpx.get(url).status_code,
        lambda url: requests.get(url).status_code,
    ],
    ids=["urllib", "httpx async", "aiohttp", "httpx", "requests"],
)
def test_the_api_answers_at_its_address_whoever_asks(sim, ask):
    seen = []

    @flow
    def asks() -> None:
        seen.append(ask(f"{PREFECT_API_URL.value()}/health"))

    before = sim.now
    run = sim.run(asks)
    assert (run.state, run.message and run.message) == ("Completed", run.message)
    seen.append(ask(f"{PREFECT_API_URL.value()}/health"))  # a test itself
    assert seen == [200, 200]
    assert sim.now == before


def test_what_is_sent_to_the_api_arrives(sim):
    @flow
    def counts() -> int:
        found = requests.post(
            f"{PREFECT_API_URL.value()}/flows/filter",
            json={"flows": {"name": {"any_": ["counts"]}}},
            params={"ignored": "a b"},
        )
        assert [one["name"] for one in found.json()] == ["counts"]

    assert sim.run(counts).state == "Completed"


# -- what leaves this machine --------------------------------------------------------------------------


def connects_with_asyncio():
    async def connect():
        await asyncio.open_connection("api.example.com", 443)

    asyncio.run(connect())


@pytest.mark.parametrize(
    ("leave", "host"),
    [
        (lambda: smtplib.SMTP("smtp.example.com", 25), "smtp.example.com"),
        (lambda: requests.get("https://api.example.com/v1"), "api.example.com"),
        (lambda: httpx.get("https://api.example.com/v1"), "api.example.com"),
        (lambda: by_httpx_async("https://api.example.com/v1"), "api.example.com"),
        (lambda: by_aiohttp("https://api.example.com/v1"), "api.example.com"),
        (lambda: by_urllib("http://api.example.com/v1"), "api.example.com"),
        (lambda: socket.create_connection(("192.0.2.1", 5432)), "192.0.2.1:5432"),
        (lambda: by_httpx_async("http://192.0.2.1/"), "192.0.2.1"),
        (lambda: socket.gethostbyname("db.example.com"), "db.example.com"),
        (connects_with_asyncio, "api.example.com"),
        (
            lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 8125)),
            "192.0.2.1:8125",
        ),
    ],
)
def test_what_leaves_this_machine_is_refused_with_flow_host_and_line(sim, leave, host):
    @flow
    def leaves() -> None:
        leave()

    run = sim.run(leaves)
    assert run.state == "Failed"
    told = [caveat for caveat in sim.caveats if caveat.kind == "network" and caveat.run == run.name]
    assert host in told[0].message
    assert "test_network.py:" in told[0].where
    assert any(host in line.message and "refused" in line.message for line in run.logs)


def test_the_error_names_flow_host_line_and_what_opens_it(sim):
    @flow
    def mails() -> None:
        smtplib.SMTP("smtp.example.com", 25)

    run = sim.run(mails)
    for said in ("flow 'mails'", "smtp.example.com", "test_network.py:", "allow_network="):
        assert said in run.message


def test_a_task_in_a_thread_of_its_own_is_refused_as_well(sim):
    @task
    def reaches() -> None:
        socket.create_connection(("192.0.2.1", 80))

    @flow
    def submits() -> None:
        reaches.submit().result()

    run = sim.run(submits)
    assert run.state == "Failed"
    assert "flow 'submits'" in run.message


def test_a_refusal_is_a_refused_connection_to_whoever_expects_one(sim):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("192.0.2.1", 80))
    with pytest.raises(SimulationError):
        socket.create_connection(("192.0.2.1", 80))


def test_the_loopback_is_open(sim):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            socket.create_connection((host, port)).close()


@pytest.mark.parametrize(
    ("allowed", "names", "port", "open_"),
    [
        ([], {"127.0.0.1"}, 1, True),
        ([], {"127.3.4.5"}, 1, True),
        ([], {"::1"}, 1, True),
        ([], {"::ffff:127.0.0.1"}, 1, True),
        ([], {"localhost"}, 1, True),
        ([], {"10.0.0.1"}, 1, False),
        ([], {"::ffff:10.0.0.1"}, 1, False),
        (["10.0.0.0/8"], {"10.1.2.3"}, 1, True),
        (["10.0.0.0/8"], {"11.1.2.3"}, 1, False),
        (["10.1.2.3"], {"10.1.2.3"}, 1, True),
        (["10.1.2.3:80"], {"10.1.2.3"}, 80, True),
        (["10.1.2.3:80"], {"10.1.2.3"}, 81, False),
        (["[2001:db8::1]:80"], {"2001:db8::1"}, 80, True),
        (["2001:db8::1"], {"2001:db8::1"}, 80, True),
        (["API.example.com"], {"10.1.2.3", "api.example.com"}, 80, True),
        (["*"], {"10.1.2.3"}, 80, True),
        (["*.example.com"], {"example.org"}, 80, False),
    ],
)
def test_which_hosts_may_be_reached(allowed, names, port, open_):
    assert Hosts(allowed).may_be_reached(names, port) is open_


@pytest.mark.parametrize("wrong", ["api.example.com", [""], [1], ["https://api.example.com"], None])
def test_what_is_no_list_of_hosts_is_refused_in_one_line(wrong):
    with pytest.raises(SimulationError, match="allow_network") as refused:
        Simulation(allow_network=wrong)
    assert "\n" not in str(refused.value)
