"""Nothing that is started in or left by a simulation reaches anything outside of it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, PREFECT_HOME

from simulator import Simulation, SimulationError
from tests.worker.served_flows import quick

URL = "http://simulation.invalid/api"


@pytest.fixture
def sim():
    with Simulation(start="2026-01-05T00:00:00Z") as opened:
        yield opened


def in_a_thread(call):
    """What `call` returns in a thread that a test starts."""
    found = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0]


def test_a_thread_of_a_test_has_the_settings_of_the_simulation(sim):
    assert in_a_thread(lambda: (PREFECT_API_URL.value(), PREFECT_HOME.value())) == (URL, sim.folder)


def test_a_thread_from_before_has_the_settings_of_the_simulation():
    with ThreadPoolExecutor(1) as pool:
        before = pool.submit(PREFECT_API_URL.value).result()
        with Simulation():
            assert pool.submit(PREFECT_API_URL.value).result() == URL
        assert pool.submit(PREFECT_API_URL.value).result() == before != URL


def test_a_thread_that_outlives_the_simulation_keeps_its_settings():
    go_on, found = threading.Event(), []

    def wait_and_look():
        go_on.wait(timeout=60)
        found.append(PREFECT_API_URL.value())

    with Simulation():
        thread = threading.Thread(target=wait_and_look)
        thread.start()
    go_on.set()
    thread.join()
    assert found == [URL]
    assert PREFECT_API_URL.value() != URL


def test_threads_of_a_test_may_drive(sim):
    sim.deploy(quick, "dev", interval=600)
    in_a_thread(lambda: sim.advance(hours=1))
    assert len(in_a_thread(lambda: sim.runs("quick"))) == 5


def test_no_run_is_lost_or_doubled_when_two_threads_drive_at_once(sim):
    sim.deploy(quick, "dev", interval=60)
    threads = [threading.Thread(target=lambda: sim.advance(minutes=10)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runs = sim.runs("quick")
    assert {run.state for run in runs} == {"Completed"}
    assert len(runs) == len({run.scheduled for run in runs}) >= 9


def test_a_thread_of_a_test_waits_for_another_in_real_time(sim):
    condition = threading.Condition()

    def wait():
        with condition:
            return condition.wait(timeout=0.05)

    assert in_a_thread(wait) is False


def test_a_thread_of_a_test_runs_a_flow(sim):
    assert in_a_thread(lambda: sim.run(quick).state) == "Completed"


# -- calls of the simulation inside a flow -------------------------------------------------------------


def test_a_flow_may_ask_what_has_happened(sim):
    told = []

    @flow
    def asks() -> None:
        told.append([run.flow for run in sim.runs()])
        told.append(sim.now)

    assert sim.run(asks).state == "Completed"
    assert told == [["asks"], sim.start]


def test_an_async_flow_may_ask_what_has_happened_and_deploy(sim):
    @flow
    async def asks() -> int:
        sim.deploy(quick, "dev")
        sim.trigger("quick/dev")
        await asyncio.sleep(60)
        return len(sim.runs("quick", state="Completed"))

    run = sim.run(asks)
    assert run.state == "Completed", run.message
    assert len(sim.runs("quick", state="Completed")) == 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda sim: sim.advance(hours=1), "time passes by time.sleep"),
        (lambda sim: sim.advance_to("2027-01-01T00:00:00Z"), "time passes by time.sleep"),
        (lambda sim: sim.run(quick), "call the other flow itself"),
    ],
)
def test_what_a_flow_may_not_ask_is_refused_in_one_line(sim, call, said):
    @flow
    def asks() -> None:
        call(sim)

    run = sim.run(asks)
    assert run.state == "Failed"
    assert said in run.message
    assert "\n" not in run.message
    assert sim.now - sim.start < timedelta(minutes=1)


# -- what runs on ----------------------------------------------------------------------------------------


def test_a_thread_that_calls_a_simulation_after_its_end_is_told_so():
    with Simulation() as sim:
        pass
    with pytest.raises(SimulationError, match="is closed"):
        sim.advance(hours=1)
    with pytest.raises(SimulationError, match="is closed"):
        sim.runs()


def test_a_client_that_is_left_open_does_not_reach_anybody():
    with Simulation():
        client = get_client(sync_client=True).__enter__()
        assert client.hello().status_code == 200
    assert str(client.api_url).startswith(URL)


# -- the network ----------------------------------------------------------------------------------------


def test_what_is_allowed_is_let_through(monkeypatch):
    looked_up = []

    def answer(host, port, *_, **__):
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", listening))]

    with socket.create_server(("127.0.0.1", 0)) as server:
        listening = server.getsockname()[1]
        monkeypatch.setattr(socket, "getaddrinfo", answer)
        with Simulation(allow_network=["*.example.com"]):
            socket.create_connection(("api.example.com", 80)).close()
            with pytest.raises(SimulationError, match=r"other\.example\.org"):
                socket.create_connection(("other.example.org", 80))
    assert looked_up == ["api.example.com"]


def test_everything_is_as_it_was_after_a_simulation():
    before = (socket.getaddrinfo, socket.gethostbyname, socket.socket.connect, socket.socket.sendto)
    with Simulation():
        assert socket.socket.connect is not before[2]
    after = (socket.getaddrinfo, socket.gethostbyname, socket.socket.connect, socket.socket.sendto)
    assert after == before
    assert "connect" not in vars(socket.socket)


def test_a_real_process_that_a_flow_starts_does_not_find_the_users_profile(sim):
    say = "import prefect.settings as s; print(s.PREFECT_API_URL.value(), s.PREFECT_HOME.value())"

    @flow
    def starts() -> str:
        told = subprocess.run(
            [sys.executable, "-c", say], capture_output=True, text=True, check=True
        )
        return told.stdout.strip()

    assert sim.run(starts).result == f"{URL} {sim.folder}"


@flow
def clones(url: str) -> str:
    done = subprocess.run(["git", "ls-remote", url], capture_output=True, text=True, check=False)
    return done.stderr


@pytest.mark.parametrize("url", ["https://127.0.0.1:1/x.git", "ssh://git@127.0.0.1:1/x.git"])
def test_git_in_a_process_of_its_own_fetches_from_no_other_machine(sim, url):
    said = sim.run(clones, url=url).result
    assert f"transport '{url.partition(':')[0]}' not allowed" in said


def test_git_fetches_from_files_and_from_where_it_is_allowed(sim, tmp_path):
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path)], check=True)
    assert sim.run(clones, url=f"file://{tmp_path}").result == ""


def test_git_is_not_kept_from_hosts_where_some_are_allowed():
    with Simulation(allow_network=["git.example.com"]) as simulation:
        assert "not allowed" not in simulation.run(clones, url="https://127.0.0.1:1/x.git").result
