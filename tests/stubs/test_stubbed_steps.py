"""A stubbed flow or task is a real run without its body."""

from __future__ import annotations

import itertools
from datetime import timedelta
from unittest.mock import MagicMock

import pandas as pd
import pytest
from prefect import flow, task
from prefect.deployments import run_deployment
from pydantic import BaseModel

from simulator import Simulation, SimulationError
from tests.process.project import pipeline
from tests.process.test_apart import run_one, values

MINUTE = timedelta(minutes=1)
called: list[str] = []


class Order(BaseModel):
    number: int
    tags: list[str]


@task(retries=2)
def read(store: int) -> list[int]:
    called.append("read")
    return [store]


@task
async def count(rows: list[int]) -> int:
    called.append("count")
    return len(rows)


@task
def order() -> Order:
    raise AssertionError


@task
def frame() -> pd.DataFrame | None:
    raise AssertionError


@task
def frame_for_sure() -> pd.DataFrame:
    raise AssertionError


@flow
async def load(store: int = 7) -> int:
    return await count(read(store))


@flow
def models() -> tuple[int, list[str]]:
    made = order()
    return made.number, [*frame_for_sure().columns, str(frame())]


@flow
def nightly() -> None:
    run_deployment("load/dev", parameters={"store": 3})


@pytest.fixture
def sim():
    called.clear()
    with Simulation() as simulation:
        yield simulation


def test_its_states_are_real_and_it_takes_what_it_is_said_to(sim) -> None:
    sim.stub(read, returns=lambda store: [store] * 3)
    sim.takes("read", 5 * MINUTE)
    run = sim.run(load)
    assert run.result == 3
    assert called == ["count"]
    [reading, _] = run.tasks
    assert [state.name for state in reading.states] == ["Pending", "Running", "Completed"]
    assert reading.end - reading.start == 5 * MINUTE


def test_one_for_each_attempt_and_faults_come_first(sim) -> None:
    sim.stub("read", attempts=[OSError("away"), [1, 2]])
    sim.fail("read", on=[1], attempts="2")
    first, second = sim.run(load), sim.run(load)
    assert (first.result, second.result) == (2, 2)
    assert [run.tasks[0].run_count for run in (first, second)] == [2, 3]


def test_values_are_made_up_of_the_annotation(sim) -> None:
    sim.stub("order")
    sim.stub(frame)
    sim.stub(frame_for_sure, columns=["id", "amount"])
    sim.stub(count)
    assert sim.run(models).result == (1, ["id", "amount", "None"])
    assert sim.run(load).result == 1


def test_wrong_types_and_nothing_to_make_a_value_of(sim) -> None:
    @task(name="only here")  # of one called "read", other tests have types of their own
    def only_here() -> list[int]: ...

    for step, wrong in itertools.product((read, only_here.name), (3, ["three"], {"a": 1})):
        with pytest.raises(SimulationError, match=r"must be of the type list\[int\]") as caught:
            sim.stub(step, returns=wrong)
        assert "\n" not in str(caught.value)
    sim.stub(read, returns=MagicMock())

    @task(name="read")
    def another() -> str: ...

    sim.stub("read", returns="of another that is called so")
    with pytest.raises(SimulationError, match=r"must be of the type list\[int\]"):
        sim.stub(read, returns="of another that is called so")
    sim.stub(another, returns="its own")
    with pytest.raises(SimulationError, match="nothing can make up a value, since it does not say"):
        sim.stub("json.dumps")
    with pytest.raises(SimulationError, match="did you mean 'read'"):
        sim.stub("raed")


def test_a_child_of_a_deployment_and_undone_at_the_end() -> None:
    called.clear()
    with Simulation() as sim:
        sim.deploy(load, name="dev")
        sim.deploy(nightly, name="dev", cron="0 3 * * *")
        sim.stub(load, returns=lambda store: called.append(f"stub {store}") or store)
        sim.takes("load", MINUTE)
        sim.advance(hours=4)
        [run] = sim.runs("load")
        assert run.completed
        assert run.end - run.start == MINUTE
        assert run.parent is not None
    assert called == ["stub 3"]
    with Simulation() as sim:
        assert sim.run(load).result == 1


@pytest.mark.parametrize("modules", ["shared", "fresh"])
def test_functions_of_the_project_in_each_process(modules) -> None:
    real = "fetched from real"
    with Simulation(modules=modules) as sim:
        sim.stub("tests.process.project.models.Client.fetch", returns="stubbed")
        for _ in range(2):
            seen = values(run_one(sim, pipeline.tells_what_is_fresh))["client"]
            assert seen.startswith("stubbed stubbed")
    with Simulation(modules=modules) as sim:
        assert values(run_one(sim, pipeline.tells_what_is_fresh))["client"].startswith(real)
