"""Why runs ended as they did, as `explain` tells it: back to the fault, with the line of the call."""

from __future__ import annotations

import asyncio
import os
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest
from prefect import flow, get_client, task
from prefect.deployments import run_deployment
from prefect.runtime import task_run
from prefect.states import Cancelling, raise_state_exception

from simulator import Simulation, SimulationError
from simulator.history import History, Results, explain, kept_histories

MINUTE = timedelta(minutes=1)
HERE = "tests/history/test_explaining.py"
SOURCE = Path(__file__).read_text().splitlines()


def line(code: str) -> str:
    """Where a line of this file stands that is unique: as an explanation shows it."""
    (number,) = (n for n, text in enumerate(SOURCE, 1) if text.strip().endswith(f"# {code}"))
    return f"{HERE}:{number}"


@flow
def child():
    pass


@flow
def long():
    time.sleep(7200)  # in long


@task
def work():
    pass


@flow
def plain():
    child()  # plain call


@flow
def careless():
    child(return_state=True)  # careless call


@flow
def catching():
    try:
        child()  # caught call
    except ValueError:
        pass


@flow
def rewrapping():
    try:
        child()
    except ValueError as error:
        raise KeyError("wrapped") from error  # rewrapped


@flow
def returning():
    return child(return_state=True)


@flow
def unchecked():
    run_deployment("child/dev")  # unchecked call


@flow
def checked():
    raise_state_exception(run_deployment("child/dev").state)  # checked


@flow
def speaking():
    if run_deployment("child/dev").state.name != "Completed":
        raise LookupError("not well")  # spoken


@flow
def forgetting():
    run_deployment("child/dev", timeout=0)  # forgotten call


@flow
def with_a_task():
    work()  # task call


@flow
def with_an_unread_task():
    work.submit().wait()


@flow
def own():
    raise ZeroDivisionError("mine")  # its own


@flow(timeout_seconds=600)
def hurried():
    long()  # hurried call


@flow
async def breaks():
    await asyncio.sleep(60)
    raise ValueError("in time")  # broken


@flow
async def waits():
    await asyncio.sleep(120)


@flow
async def gathering():
    await asyncio.gather(breaks(), waits())


@flow
async def grouping():
    async with asyncio.TaskGroup() as group:
        group.create_task(breaks())
        group.create_task(waits())


@flow(retries=1)
def persistent():
    pass


@flow
def above_persistent():
    persistent()


@task(retries=1)
def stumbles():
    if task_run.run_count == 1:
        raise OSError("not yet")  # stumbling


@flow
def with_a_healed_task():
    stumbles()


@flow
def above_a_healed_task():
    with_a_healed_task()


@flow
def outer():
    careless()


class Told:
    """A day on which most goes wrong, and what is told of it, in words and from the file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "results.duckdb"
        with Simulation() as sim:
            self._arrange(sim)
            self.ids = self._act(sim)
            self.history = sim.history()
            Results.open(self.file).add("day", "default", 0, self.history)
        (self.kept,) = kept_histories(self.file).values()

    def _arrange(self, sim: Simulation) -> None:
        for one in (child, long):
            sim.deploy(one, name="dev")
        sim.deploy(long, name="limited", concurrency_limit=1)
        sim.work_pool("narrow", concurrency_limit=1)
        sim.deploy(long, name="narrow", work_pool="narrow")
        sim.deploy(own, name="paused", cron="0 * * * *", paused=True)
        sim.deploy(own, name="coming", cron="0 0 1 2 *")
        sim.deploy(own, name="idle")
        sim.fail("child", error=ValueError("boom"))
        sim.fail("work", error=ValueError("task"))
        sim.fail("persistent", attempts="1")

    def _act(self, sim: Simulation) -> dict[str, object]:
        ids: dict[str, object] = {}
        for one in (plain, careless, catching, rewrapping, returning, unchecked, checked, speaking):
            ids[one.name] = sim.run(one).id
        for one in (forgetting, with_a_task, with_an_unread_task, own, hurried, gathering):
            ids[one.name] = sim.run(one).id
        group = sim.run(grouping)
        ids["grouped"] = next(one.id for one in group.children if one.flow == "waits")
        for one in (persistent, outer, above_persistent, with_a_healed_task, above_a_healed_task):
            ids[one.name] = sim.run(one).id

        ids["killed"] = sim.trigger("long/dev")
        ids["cancelled"] = sim.trigger("long/dev")
        sim.advance(minutes=5)
        sim.kill(ids["killed"], 137)  # the kill
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(ids["cancelled"], Cancelling())  # the cancellation
        sim.advance(minutes=5)

        sim.stop_worker()  # the absence
        ids["late"] = sim.trigger("long/dev")
        sim.advance(minutes=5)
        sim.start_worker()
        ids["first"], ids["second"] = (sim.trigger("long/limited") for _ in range(2))
        sim.trigger("long/narrow")
        sim.advance(seconds=15)
        ids["third"] = sim.trigger("long/narrow")
        sim.advance(minutes=5)
        ids["away"] = self._left_waiting(sim)
        return ids

    def _left_waiting(self, sim: Simulation) -> object:
        sim.stop_worker()
        run = sim.trigger("child/dev")
        sim.advance(minutes=5)
        return run

    def why(self, name: str) -> str:
        """What is told of a run; the same from the results file, or else it fails."""
        told = str(explain(self.history, self.ids[name]))
        assert str(explain(self.kept, self.ids[name])) == told
        return told


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return Told(tmp_path_factory.mktemp("told"))


FAULT = "fault 0: raises ValueError('boom') in child"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("plain", ["Failed: it raised ValueError: boom", line("plain call"), FAULT]),
        (
            "careless",
            ["although child Failed: its state was neither raised nor returned", FAULT],
        ),
        ("careless", [line("careless call")]),
        ("catching", ["although child Failed: its error was caught", line("caught call"), FAULT]),
        ("rewrapping", ["it raised KeyError: 'wrapped'", line("rewrapped"), FAULT]),
        ("returning", ["Failed: 1/1 states failed.", FAULT]),
        ("unchecked", ["its state was neither raised", line("unchecked call"), FAULT]),
        ("checked", ["Failed: it raised", line("checked"), FAULT]),
        ("speaking", ["it raised LookupError: not well", line("spoken"), FAULT]),
        ("forgetting", ["nobody waited for it", line("forgotten call"), FAULT]),
        ("with-a-task", ["it raised ValueError: task", line("task call"), "fault 1: raises"]),
        (
            "with-an-unread-task",
            ["although task work-", " Failed (ValueError: task): the flow went", "fault 1:"],
        ),
        ("own", ["Failed: it raised ZeroDivisionError: mine", line("its own")]),
        ("hurried", ["TimedOut: Flow run exceeded", line("in long"), "it waited for long"]),
        ("hurried", [line("hurried call")]),
        ("gathering", ["it raised ValueError: in time", line("broken"), "breaks Failed"]),
        ("grouped", ["Crashed: it was cancelled", "breaks Failed: it raised", line("broken")]),
        ("persistent", ["Completed at attempt 2, after RuntimeError", "fault 2:"]),
        ("above-persistent", ["as is its child persistent in the end", "at attempt 2", "fault 2:"]),
        ("with-a-healed-task", ["with task stumbles-", "at attempt 2, after OSError: not yet"]),
        ("with-a-healed-task", [line("stumbling")]),
        ("above-a-healed-task", ["as is its child with-a-healed-task", line("stumbling")]),
        ("outer", ["Completed, as is its child careless", line("careless call"), FAULT]),
        ("killed", ["Crashed: ", "its process was killed, exit code 137", line("the kill")]),
        ("cancelled", ["Cancelled: somebody asked for it", line("the cancellation")]),
        ("late", ["Running, started 0:05:00 late", "worker of work pool default was away, until"]),
        ("late", [line("the absence")]),
        ("second", ["AwaitingConcurrencySlot, and never started", "the only slot of deployment"]),
        ("third", ["Late, and never started", "held the only slot of work pool narrow"]),
        ("away", ["and never started", "was away, and is not back"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_says(told: Told, name: str, said: list[str]) -> None:
    why = told.why(name)
    assert [one for one in said if one not in why] == [], why


def test_the_shortest_comes_first(told: Told) -> None:
    head, *steps = told.why("careless").splitlines()
    assert "although child Failed" in head
    assert FAULT in head
    assert len(steps) >= 2
    assert all(step.startswith("  because ") for step in steps)


def test_a_fault_is_told_with_its_instant(told: Told) -> None:
    explained = explain(told.history, "plain")
    assert explained.fault == 0
    assert explained.root.at == told.history.runs("plain")[0].end


def test_a_child_that_was_left_running_goes_back_to_what_ended_its_parent(told: Told) -> None:
    why = str(explain(told.history, "waits", 0))
    assert "Running, and has not ended" in why
    assert re.search(r"its parent is Failed.*\n.*gathering Failed.*\n.*breaks Failed", why), why


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("own/paused", "it has never run: the deployment own/paused is paused"),
        ("own/coming", "it has never run: its first run is due (2026-02-01T00:00:00Z)"),
        ("own/idle", "it has no active schedule, and nobody called it"),
    ],
)
def test_what_never_ran_is_explained(told: Told, name: str, said: str) -> None:
    assert said in str(explain(told.history, name))


def test_a_run_is_found_by_id_name_flow_and_deployment(told: Told) -> None:
    run = told.history.runs("long", deployment="long/limited")[0]
    for asked in (run, run.id, str(run.id), run.name):
        assert explain(told.history, asked).run_id == run.id
    assert explain(told.history, "long/limited", 0).run_id == run.id
    assert explain(told.history, "long/limited").run_id != run.id


@pytest.mark.parametrize(
    ("asked", "which", "message"),
    [
        ("chil", -1, "no run, flow or deployment 'chil': did you mean 'child'?"),
        (7, -1, "run=7 must be a run's record, id or name"),
        ("plain", 1, "which=1 must be a number of the 1 runs of 'plain'"),
        ("plain", -2, "which=-2 must be a number of the 1 runs of 'plain'"),
        ("00000000-0000-0000-0000-000000000000", -1, "no flow run has the id"),
    ],
)
def test_what_is_not_there_is_one_line(told: Told, asked: str, which: int, message: str) -> None:
    with pytest.raises(SimulationError, match=re.escape(message)) as refused:
        explain(told.history, asked, which)
    assert "\n" not in str(refused.value)


def test_the_command_explains_from_the_file(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    from simulator.cli import call

    assert call(["explain", "careless", "--which=0", "--results", str(told.file)]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "day [default], seed 0"
    assert "\n".join(line.removeprefix("  ") for line in lines) == told.why("careless")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["careles"], "no run, flow or deployment 'careles': did you mean 'careless'?"),
        (["careless", "--variant", "x"], "no such variant"),
        (["careless", "--results", "nowhere.duckdb"], "no results file at 'nowhere.duckdb'"),
    ],
)
def test_the_command_refuses_in_one_line(
    told: Told, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from simulator.cli import call

    given = arguments if "--results" in arguments else [*arguments, "--results", str(told.file)]
    assert call(["explain", *given]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_history_without_notes_is_explained_by_its_messages(told: Told) -> None:
    bare = History(told.history.runs(), now=told.history.now)
    why = str(explain(bare, told.ids["checked"]))
    assert "boom" in why
    assert "child Failed" in why


def test_an_exit_of_its_own_is_told(tmp_path: Path) -> None:
    @flow(name="exits")
    def exits():
        os._exit(3)

    with Simulation() as sim:
        sim.deploy(exits, name="dev")
        run = sim.trigger("exits/dev")
        sim.advance(minutes=1)
        assert "Crashed: Process exited with status code: 3" in str(sim.explain(run))


def test_a_slot_that_a_run_was_given_which_its_deployment_refused_is_told() -> None:
    with Simulation() as sim:
        sim.work_pool("narrow", concurrency_limit=2)
        sim.deploy(long, name="limited", work_pool="narrow", concurrency_limit=1)
        sim.deploy(child, name="dev", work_pool="narrow")
        for _ in range(12):
            sim.trigger("long/limited")
        run = sim.trigger("child/dev", at=sim.start + MINUTE)
        sim.advance(minutes=5)
        why = str(sim.explain(run))
        assert re.search(r"started 0:0\d:\d\d late", why), why
        assert re.search(r"narrow gave a free slot to long/limited .*, which its deployment", why)
