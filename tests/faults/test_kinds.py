"""Each kind of fault does to real flows what it says, and is in the history."""

from __future__ import annotations

import time
import warnings
from datetime import UTC, datetime, timedelta

import pytest
from prefect import flow, task

from simulator import Simulation, SimulationError
from simulator.errors import SilentFault
from simulator.faults import Hang, Kill, Longer, OutOfMemory, Raise, Return, WorkerAway, to_plain

T0 = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@flow
def child():
    time.sleep(60)
    return 7


@flow
async def achild():
    return 7


@flow
def parent():
    return child()


@task
def work():
    return 1


@flow
def worker():
    assert work() is None


@flow(timeout_seconds=600)
def hurried():
    child()


FAULTS = [
    Longer(step="child", on=[0], factor=3, by=MINUTE),
    Hang(step="child", on=[1]),
    Kill(step="child", on=[2, 3], after=30 * timedelta(seconds=1)),
    OutOfMemory(step="achild", on=[0]),
    Hang(step="achild", on=[1]),
    Return(step="work", value=None),
    WorkerAway(between=(T0 + 2 * HOUR, T0 + 3 * HOUR)),
    Raise(step="achild", on=[77], name="never"),
    Hang(step="child", on=[4], name="in time"),
]


class Day:
    """What became of runs that were struck."""

    def __init__(self) -> None:
        with warnings.catch_warnings(record=True) as self.told:
            warnings.simplefilter("always", SilentFault)
            with Simulation() as sim:
                self._live(sim)
                self.history = sim.history()
                self.why = {run.id: sim.explain(run) for run in sim.runs()}

    def _live(self, sim: Simulation) -> None:
        for one in (child, achild, parent, worker, hurried):
            sim.deploy(one, name="dev")
        sim.inject(FAULTS[0])
        sim.inject([*FAULTS[1:3], to_plain(FAULTS[3]), *FAULTS[4:]])
        for name in ("child", "child", "child", "parent", "achild", "achild", "worker", "hurried"):
            sim.trigger(f"{name}/dev")
            sim.advance(minutes=12)
        sim.advance_to(T0 + 2.5 * HOUR)
        sim.trigger("worker/dev")
        sim.advance(hours=1)

    def run(self, flow: str, number: int):
        return self.history.runs(flow)[number]

    def fault(self, flow: str, number: int) -> int | None:
        """The number of the fault to which a run goes back."""
        return self.why[self.run(flow, number).id].fault


@pytest.fixture(scope="module")
def day() -> Day:
    return Day()


def test_a_step_takes_longer(day: Day) -> None:
    run = day.run("child", 0)
    assert run.end - run.start == 4 * MINUTE  # three times one, and one
    assert day.fault("child", 0) == 0


@pytest.mark.parametrize(("flow", "number", "fault"), [("child", 1, 1), ("achild", 1, 4)])
def test_a_step_hangs_for_ever(day: Day, flow: str, number: int, fault: int) -> None:
    assert day.run(flow, number).state == "Running"
    assert day.fault(flow, number) == fault


def test_a_step_that_hangs_is_ended_by_a_time_out(day: Day) -> None:
    run = day.run("hurried", 0)
    assert run.state == "TimedOut"
    assert run.end - run.start == 10 * MINUTE
    assert day.fault("hurried", 0) == 8


def test_a_process_is_killed_in_the_middle(day: Day) -> None:
    run = day.run("child", 2)
    assert run.state == "Crashed"
    assert "status code: -9" in run.message
    assert run.end - run.start == 30 * timedelta(seconds=1)
    assert day.fault("child", 2) == 2


def test_a_subflow_takes_its_parents_process_along(day: Day) -> None:
    assert day.run("parent", 0).state == "Crashed"
    assert day.run("child", 3).state == "Running"  # nobody reports for it
    assert day.fault("parent", 0) == day.fault("child", 3) == 2


def test_a_process_runs_out_of_memory(day: Day) -> None:
    run = day.run("achild", 0)
    assert run.state == "Crashed"
    assert "137" in run.message
    assert day.fault("achild", 0) == 3


def test_a_step_returns_something_else(day: Day) -> None:
    assert day.run("worker", 0).state == "Completed"  # it asserts what it gets
    assert day.fault("worker", 0) == 5


def test_a_worker_is_away(day: Day) -> None:
    run = day.run("worker", 1)
    assert run.scheduled == T0 + 2.5 * HOUR
    assert run.start == T0 + 3 * HOUR


def test_each_time_that_one_strikes_is_noted_with_its_instant_and_run(day: Day) -> None:
    struck = [note for note in day.history.notes if note.kind == "fault"]
    by_number = [note.details["fault"] for note in sorted(struck, key=lambda n: n.at)]
    assert by_number == [0, 1, 2, 2, 3, 4, 5, 8, 6, 5]
    first = struck[0]
    assert (first.run_id, first.at) == (day.run("child", 0).id, day.run("child", 0).start)
    assert first.details["target"] == "child"
    assert 0 <= first.details["draw"] < 1


def test_one_that_has_never_struck_is_told(day: Day) -> None:
    assert [str(one.message) for one in day.told] == [
        "fault 7 has never struck: never: raises RuntimeError('achild failed') in achild"
    ]


def test_one_whose_window_lies_after_the_end_is_told_so() -> None:
    def live() -> tuple[str, ...]:
        with Simulation(start=T0) as sim:
            sim.deploy(child, name="dev")
            sim.inject(Raise(step="child", between=(T0 + 48 * HOUR, T0 + 50 * HOUR)))
            sim.advance(hours=24)
            return sim.silent_faults

    with pytest.warns(SilentFault) as told:
        said = live()
    assert said == (str(told[0].message),)
    assert said[0].endswith(
        "(it could from 2026-01-03T00:00:00Z on, and the simulation has come to 2026-01-02T00:00:00Z)"
    )


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Raise(step="chlid"), "no flow or task named 'chlid': did you mean 'child'?"),
        (WorkerAway(between=(T0, T0 + HOUR), work_pool="defualt"), "no work pool 'defualt'"),
        (Hang(step="child", between=(T0 - HOUR, T0)), "2026-01-01T00:00:00Z has passed"),
        ({"kind": "hang", "stp": "child"}, "did you mean 'step'?"),
        (7, "faults=7 must be a fault or a list of faults"),
        ([7], "faults: 7 is no fault: see simulator.faults"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(fault, message) -> None:
    with Simulation() as sim:
        sim.work_pool("default")
        with pytest.raises(SimulationError, match=message.replace("?", r"\?")):
            sim.inject(fault)
