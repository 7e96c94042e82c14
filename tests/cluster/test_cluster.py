"""Work on a Dask cluster: a scheduler and its workers on this machine, each a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import distributed
import pytest

from simulator.cli import call
from simulator.cluster import Answer, Cluster, client, there
from simulator.errors import SimulationError
from simulator.fingerprints import check_fingerprint, fingerprint
from tests.cluster.pieces import Slow, breaks, dies, refused

ROOT = Path(__file__).parents[2]

FLOWS = """
import ctypes

from prefect import flow, task


@task
def read() -> list:
    return [1]


@flow
def load():
    try:
        rows = read()
    except RuntimeError:
        ctypes.string_at(0)
    print("as many as", len(rows))
"""

DEPLOYED = """
deployments:
- name: prod
  entrypoint: flows.py:load
  work_pool: {name: pool}
  schedule: {cron: "0 2 * * *"}
"""

SCENARIO = """
from prefect import flow

from simulator.scenario import scenario


@flow
def child(right):
    print("the child speaks")
    assert right, "it is not"


@scenario(name="two-ways", question="Which one holds?", variants={"right": True, "wrong": False})
def two_ways(sim, variant):
    assert sim.run(child, right=variant).completed == variant


@two_ways.expect()
def the_child_is_completed(sim):
    assert sim.runs("child")[0].completed
"""


@contextmanager
def dask(what: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of Dask's command line on loopback, in a `with` block."""
    command = [sys.executable, "-m", "dask", what, "--host", "127.0.0.1", "--no-dashboard"]
    where = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*command, *arguments], env=where, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def worker(scheduler: str) -> Any:
    return dask("worker", scheduler, "--nthreads", "1", "--no-nanny")


@contextmanager
def scheduling(folder: Path) -> Iterator[str]:
    """The address of a scheduler, in a `with` block."""
    told = folder / "scheduler.json"
    with dask("scheduler", "--port", "0", "--scheduler-file", str(told)):
        until(lambda: told.exists() and told.read_text().endswith("}"))
        yield json.loads(told.read_text())["address"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers."""
    with (
        scheduling(tmp_path_factory.mktemp("dask")) as scheduler,
        worker(scheduler),
        worker(scheduler),
    ):
        with Cluster(scheduler) as cluster:
            until(lambda: cluster.jobs == 2)
        yield scheduler


@pytest.fixture
def cluster(address: str) -> Iterator[Cluster]:
    with Cluster(address) as cluster:
        yield cluster


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds that other processes do; the time-out of the test is the limit."""
    while not holds():
        time.sleep(0.05)  # between two looks at another process, which tells nobody


def is_gone(process: int) -> bool:
    """Whether a process has ended, if nobody has taken notice either."""
    with suppress(ProcessLookupError, FileNotFoundError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def test_each_piece_is_done_in_a_process_of_its_own(cluster: Cluster) -> None:
    answers = list(cluster.run(dict.fromkeys(range(5), os.getpid)))
    assert sorted(answer.name for answer in answers) == [0, 1, 2, 3, 4]
    assert len({answer.value for answer in answers} | {os.getpid()}) == 6


def test_what_goes_wrong_costs_its_own_answer(cluster: Cluster) -> None:
    pieces = {"dies": dies, "breaks": breaks, "is refused": refused, "works": partial(max, 1, 2)}
    answers = {answer.name: answer for answer in cluster.run(pieces)}
    assert answers == {
        "dies": Answer("dies", None, "its process ended with exit code 7"),
        "breaks": Answer("breaks", None, "ZeroDivisionError: as one can see"),
        "is refused": Answer("is refused", None, "there is no such thing", refused=True),
        "works": Answer("works", 2),
    }


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_lost_worker_had_is_done_again(
    how: signal.Signals, address: str, tmp_path: Path
) -> None:
    """Killed, or asked to go, as whoever takes a machine away does first."""
    pieces = {name: Slow(tmp_path / name) for name in "abc"}
    with worker(address) as lost, Cluster(address) as cluster, ThreadPoolExecutor(1) as pool:
        until(lambda: cluster.jobs == 3)
        answers = pool.submit(list, cluster.run(pieces))
        until(lambda: all(piece.begun() for piece in pieces.values()))
        [name] = [name for name, one in pieces.items() if one.begun()[0][1] == lost.pid]
        orphan = pieces[name].begun()[0][0]
        lost.send_signal(how)
        until(lambda: is_gone(orphan))
        (tmp_path / "go").touch()
        values = {answer.name: answer.value for answer in answers.result()}
    again = {key: [process for process, _ in piece.begun()] for key, piece in pieces.items()}
    assert values == {key: processes[-1] for key, processes in again.items()}
    assert {key: len(processes) for key, processes in again.items()} == {
        key: 2 if key == name else 1 for key in pieces
    }


@pytest.mark.parametrize(
    ("status", "state", "wanted"),
    [
        ("running", "executing", True),
        ("paused", "executing", True),  # its memory is nearly full: it takes nothing more
        ("closing_gracefully", "executing", True),  # it was retired, and ends what it has
        ("closing", "executing", False),
        ("running", "cancelled", False),
        ("running", None, False),
    ],
)
def test_a_piece_goes_on_as_long_as_it_is_wanted(
    status: str, state: str | None, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for the worker: its own watch over its memory ends a pause at once."""
    tasks = {} if state is None else {"key": SimpleNamespace(state=state)}
    worker = SimpleNamespace(
        status=distributed.core.Status[status], state=SimpleNamespace(tasks=tasks)
    )
    monkeypatch.setattr(distributed, "get_worker", lambda: worker)
    assert there._is_wanted("key") is wanted


def test_who_stops_listening_leaves_no_process_behind(cluster: Cluster, tmp_path: Path) -> None:
    slow = Slow(tmp_path / "slow")
    answers = cluster.run({"slow": slow, "quick": os.getpid})
    assert next(answers).name == "quick"
    until(lambda: bool(slow.begun()))
    answers.close()
    until(lambda: is_gone(slow.begun()[0][0]))
    assert [answer.name for answer in cluster.run({"next": os.getpid})] == ["next"]


def test_who_is_killed_while_listening_leaves_none_either(address: str, tmp_path: Path) -> None:
    slow = Slow(tmp_path / "slow")
    program = f"""
from pathlib import Path
from simulator.cluster import Cluster
from tests.cluster.pieces import Slow
with Cluster({address!r}) as cluster:
    list(cluster.run({{"slow": Slow(Path({str(slow.said)!r}))}}))
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as killed:
        until(lambda: bool(slow.begun()))
        killed.kill()
    until(lambda: is_gone(slow.begun()[0][0]))


# -- what cannot be --------------------------------------------------------------------------------


def test_where_no_scheduler_is(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
    assert call(["run", "--scheduler", address]) == 2
    said = capfd.readouterr().err
    assert said.startswith(f"simulate: no scheduler of Dask is at {address!r}: ")
    assert said.count("\n") == 1


def test_where_no_worker_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "CONNECT_SECONDS", 2)
    with (
        scheduling(tmp_path) as alone,
        pytest.raises(SimulationError, match=f"no worker is at {alone}: start one by `dask worker"),
    ):
        Cluster(alone)


def test_other_versions_are_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "in_one_line", lambda: "prefect-simulator 9.9")
    with pytest.raises(SimulationError, match=r"worker tcp://.* has .*; here it is .* 9.9$"):
        Cluster(address)


def test_what_a_cluster_needs_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SimulationError, match=r"pip install 'prefect-simulator\[dask\]'"):
        Cluster("tcp://127.0.0.1:8786")


@pytest.mark.parametrize("other", [["--jobs", "2"], ["--keep-database"]])
def test_what_is_of_this_machine_alone(other: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert call(["run", "--scheduler", "tcp://127.0.0.1:8786", *other]) == 2
    assert f"{other[0]} and --scheduler exclude each other" in capfd.readouterr().err


# -- the two commands ------------------------------------------------------------------------------


def test_an_audit_on_a_cluster_loses_the_cell_alone_whose_process_dies(
    address: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "fragile"
    folder.mkdir()
    (folder / "flows.py").write_text(FLOWS)
    (folder / "prefect.yaml").write_text(DEPLOYED)
    only = ["--only", "read:raises", "--only", "read:gives-nothing"]
    command = ["audit", str(folder), "--days", "0.2", "--out", str(tmp_path), *only, "--json"]
    assert call([*command, "--scheduler", address]) == 0
    said = capfd.readouterr()
    assert "2 cells, 2 at a time" in said.err
    died, other = json.loads(said.out)["rows"]
    assert [cell["cell"] for cell in died["cells"]] == ["read:raises"]
    assert died["outcomes"][0]["kind"] == "no answer"
    assert "its process was ended by SIGSEGV" in died["outcomes"][0]["said"]
    assert other["outcomes"] == [{"kind": "unnoticed", "said": "load/prod ends as ever"}]
    logs = tmp_path / "audit-logs"
    assert (logs / "base.log").read_text() == "as many as 1\n"
    assert (logs / "read-gives-nothing.log").read_text() == "as many as 0\n"


def test_other_code_on_a_worker_is_refused(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text("a = 1")
    made_of = fingerprint(tmp_path)
    check_fingerprint(tmp_path, made_of)
    (tmp_path / "flows.py").write_text("a = 2")
    with pytest.raises(SimulationError, match="is missing, or not what it is here"):
        check_fingerprint(tmp_path, made_of)


def test_scenarios_on_a_cluster_end_as_they_do_here(
    address: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "two_ways.py"
    file.write_text(SCENARIO)
    said = []
    for out, where in ("here", []), ("there", ["--scheduler", address]):
        command = ["run", "--scenarios", str(file), "--out", str(tmp_path / out), "--json"]
        assert call([*command, *where]) == 1
        told = json.loads(capfd.readouterr().out)
        said.append({one["variant"]: one for one in told["variants"]})
        log = (tmp_path / out / "logs" / "two-ways.log").read_text()
        assert log.count("the child speaks") == 2
    here, there = said
    assert there == here
    assert [there[name]["passed"] for name in ("right", "wrong")] == [True, False]
