"""Faults that could never be as they are said are refused in one line, when they are injected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prefect import flow, task
from prefect.states import Completed

from simulator import Simulation, SimulationError
from simulator.faults import (
    EventLost,
    Fault,
    ProcessKilled,
    Raise,
    Redeployed,
    TableAltered,
    WorkerAway,
)

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@task
def fetches() -> None: ...


@flow
def loads(n: int = 1):
    state = fetches(return_state=True)
    return Completed(name="Nothing to do" if state.type.name == "COMPLETED" else "Failed")


@flow
def takes_all(**rest: int) -> None: ...


@pytest.fixture(scope="module")
def sim():
    with Simulation(start=T0) as simulation:
        simulation.deploy(loads, name="dev")
        simulation.deploy(loads, name="free", enforce_parameter_schema=False)
        simulation.deploy(takes_all, name="dev")
        yield simulation


def redeployed(deployment: str, **parameters: object) -> Redeployed:
    return Redeployed(deployment=deployment, parameters=parameters, at=T0 + HOUR)


def altered(change: str, table: str = "raw.orders") -> TableAltered:
    return TableAltered(table=table, change=change, at=T0 + HOUR)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (EventLost(flow="fetches"), "'fetches' is a task, no flow; there are "),
        (ProcessKilled(flow="fetches", per_day=5), "'fetches' is a task, no flow; there are "),
        (
            WorkerAway(reached=("fetches", "Running"), lasts=HOUR),
            "'fetches' is a task, no flow; there are ",
        ),
        (
            EventLost(event="prefect.flow-run.Complete"),
            "no event 'prefect.flow-run.Complete': did you mean 'prefect.flow-run.Completed'?",
        ),
        (
            EventLost(event="prefect.flow_run.Completed"),
            "no event 'prefect.flow_run.Completed': did you mean 'prefect.flow-run.Completed'?",
        ),
        (
            EventLost(event="prefect.Flow-Run.Completed"),
            "no event 'prefect.Flow-Run.Completed': did you mean 'prefect.flow-run.Completed'?",
        ),
        (EventLost(event="prefect.flow-run.COMPLETED"), "no event 'prefect.flow-run.COMPLETED'"),
        (EventLost(event="prefect.flow-run.Cmp*"), "no event 'prefect.flow-run.Cmp*'"),
        (
            redeployed("loads/dev", m=1),
            "no parameter of deployment 'loads/dev' named 'm'; there are n",
        ),
        (redeployed("loads/dev", n="many"), "'many' is not of type 'integer'"),
        (altered("explode"), "is no statement of DuckDB: Parser Error: syntax error at or near"),
        (altered("drop column a", "raw; drop"), "is no statement of DuckDB: Parser Error"),
    ],
    ids=str,
)
def test_it_is_refused(sim: Simulation, fault: Fault, said: str) -> None:
    with pytest.raises(SimulationError) as refused:
        sim.inject(fault)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.filterwarnings("ignore:fault")
@pytest.mark.parametrize(
    "fault",
    [
        EventLost(flow="loads"),
        EventLost(event="orders.arrived"),
        EventLost(event="prefect.flow-run.Comp*"),
        EventLost(event="prefect.flow-ru*.Completed"),
        EventLost(event="prefect.flow-run.Nothing to do"),
        EventLost(event="prefect.flow-run.Nothing*"),
        EventLost(event="prefect.flow-run.pull-step.failed"),
        EventLost(event="prefect.kubernetes.pod.evicted"),
        redeployed("loads/dev", n=2),
        redeployed("loads/free", m=1),
        redeployed("takes-all/dev", rest={"m": 1}),
        Redeployed(
            deployment="loads/dev", parameters={"m": 1}, entrypoint="new.py:loads", at=T0 + HOUR
        ),
        altered("rename amount to total"),
    ],
    ids=str,
)
def test_it_is_accepted(sim: Simulation, fault: Fault) -> None:
    sim.inject(fault)


def test_a_class_of_exceptions_that_needs_arguments_is_refused_when_the_fault_is_made() -> None:
    with pytest.raises(SimulationError, match="needs arguments: give UnicodeDecodeError"):
        Raise(step="loads", error=UnicodeDecodeError)
