"""What failed before a retry healed it is told as that, and is not masked."""

from __future__ import annotations

import asyncio

import pytest
from prefect import flow, task
from prefect.deployments import run_deployment

from simulator import Simulation
from simulator.faults import Raise
from simulator.history import Attempts, History
from simulator.history.explaining import explain
from simulator.measures import masked_failures
from simulator.project.findings.observed import observed


@task
def step():
    pass


@flow
def kid():
    pass


@flow(retries=1, retry_delay_seconds=10)
def with_a_task():
    step()


@flow(retries=1)
def with_a_subflow():
    kid()


@flow(retries=1, retry_delay_seconds=10)
def with_a_deployment():
    if not run_deployment("kid/dev").state.is_completed():
        raise RuntimeError("kid failed")


@task(retries=1, retry_delay_seconds=10)
def ordering():
    kid()


@flow
def with_a_retried_task():
    ordering()


@flow(retries=1)
def returning():
    return step(return_state=True)


@flow(retries=1)
def masking_in_the_end():
    kid(return_state=True)
    step()
    kid(return_state=True)


@task(retries=1)
def flaky():
    pass


@flow
def with_a_flaky_task():
    flaky()


@pytest.fixture(scope="module")
def history() -> History:
    with Simulation() as sim:
        sim.deploy(kid, name="dev")
        sim.inject(
            [
                Raise(step="step", on=[0, 2, 4]),
                Raise(step="kid", on=[0, 2, 4, 6, 8]),
                Raise(step="flaky", attempts="1"),
            ]
        )
        for one in (
            *(with_a_task, with_a_subflow, with_a_deployment, with_a_retried_task, returning),
            *(masking_in_the_end, with_a_flaky_task),
        ):
            sim.run(one)
        return sim.history()


@pytest.mark.parametrize(
    ("name", "said", "fault"),
    [
        ("with-a-task", "Completed at attempt 2, after RuntimeError: step failed", 0),
        ("with-a-subflow", "Completed at attempt 2, after RuntimeError: kid failed", 1),
        ("with-a-deployment", "Completed at attempt 2, after RuntimeError: kid failed", 1),
        ("with-a-retried-task", "at attempt 2, after RuntimeError: kid failed", 1),
        ("returning", "Completed at attempt 2, after task step-", 0),
        ("masking-in-the-end", "Completed although kid Failed", 1),
        ("with-a-flaky-task", "at attempt 2, after RuntimeError: flaky failed", 2),
    ],
)
def test_it_says_what_a_retry_healed(history: History, name: str, said: str, fault: int) -> None:
    why = explain(history, name)
    assert said in str(why)
    assert why.fault == fault


def test_what_a_retry_answered_is_not_masked(history: History) -> None:
    attempts = Attempts(history)
    assert {run.flow for run in history.runs() if attempts.masks(run)} == {"masking-in-the-end"}
    measured = masked_failures(history)
    assert (measured.value, measured.n) == (1 / 7, 7)


def test_what_a_retry_answered_is_no_finding(history: History) -> None:
    found = [one.subject for one in observed(history) if one.kind == "masked failure"]
    assert set(found) <= {"masking-in-the-end"}


def test_a_time_out_that_a_retry_healed_is_told_with_its_seconds() -> None:
    seconds = iter([300, 5])

    @flow(timeout_seconds=60, retries=1)
    async def hurried():
        await asyncio.sleep(next(seconds))

    with Simulation() as sim:
        why = str(sim.explain(sim.run(hurried)))
        assert "at attempt 2, after a time-out: Flow run exceeded timeout of 60.0 second(s)" in why
