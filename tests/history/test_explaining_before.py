"""What went before an exception of the flow's own: a task that failed, a wrong value that a fault gave."""

from __future__ import annotations

import pytest
from prefect import Flow, flow, task
from prefect.futures import wait

from simulator import Simulation
from simulator.faults import Fault, Raise, Return


@task
def load(number: int):
    return number


@task
def rows():
    return [1]


@task
def total(values: list[int]):
    return sum(values)


@flow
def source():
    return [1]


@flow
def looking():
    if load(1, return_state=True).is_failed():
        raise RuntimeError("not loaded")


@flow
def waiting():
    done, _ = wait(load.map(range(3)))
    assert not [one for one in done if one.state.is_failed()], "some failed"


@flow
def from_none():
    try:
        load(1)
    except ValueError:
        raise RuntimeError("not loaded") from None


@flow
def direct():
    return sum(rows())


@flow
def chained():
    return total(rows())


@flow
def by_a_subflow():
    return sum(source())


@flow
def own():
    load(1)
    raise RuntimeError("mine")


GONE = Raise(step="load", error=ValueError("gone"))
ROWS = Return(step="rows", value=None)
SOURCE = Return(step="source", value=None)


@pytest.mark.parametrize(
    ("asked", "fault", "said"),
    [
        (looking, GONE, "because task load-"),
        (waiting, GONE, "because task load-"),
        (from_none, GONE, "because task load-"),
        (direct, ROWS, "because fault 0: returns None in place of rows"),
        (chained, ROWS, "because fault 0: returns None in place of rows"),
        (by_a_subflow, SOURCE, "because fault 0: returns None in place of source"),
    ],
    ids=lambda value: value.name if isinstance(value, Flow) else "",
)
def test_what_went_before_is_named(asked: Flow, fault: Fault, said: str) -> None:
    with Simulation() as sim:
        sim.inject(fault)
        why = sim.explain(sim.run(asked))
        assert said in str(why)
        assert why.fault == 0


def test_a_task_that_went_well_is_no_cause() -> None:
    with Simulation() as sim:
        why = sim.explain(sim.run(own))
        assert len(why.reasons) == 1
