"""What Prefect's own words say of a run: a suspension, parameters that do not fit, an exit code."""

from __future__ import annotations

import pytest
from prefect import flow, pause_flow_run, suspend_flow_run
from prefect.flow_runs import resume_flow_run

from simulator import Simulation


@flow(persist_result=True)
def suspended():
    suspend_flow_run(timeout=3600, key="approval")
    return 1


@flow
def paused():
    pause_flow_run(timeout=300)


@flow
def strict(n: int):
    return n


def test_a_suspension_is_no_error() -> None:
    with Simulation() as sim:
        for one in (suspended, paused):
            sim.deploy(one, name="dev")
        resumed, forgotten = (sim.trigger("suspended/dev") for _ in range(2))
        sim.trigger("paused/dev")
        sim.advance(minutes=2)
        resume_flow_run(resumed)
        sim.advance(hours=2)
        assert "Completed, and nothing in it went wrong" in str(sim.explain(resumed))
        assert "Failed: The flow was paused and never resumed." in str(sim.explain(forgotten))
        assert "Failed: it raised FlowPauseTimeout" in str(sim.explain("paused/dev"))


@pytest.mark.parametrize(
    ("parameters", "said", "cause"),
    [
        (
            {"n": "many"},
            "received invalid parameters: - n: Input should be a valid integer",
            "",
        ),
        ({}, "Process exited with status code: 1", "missing a required argument: 'n'"),
        (
            {"k": 1},
            "Process exited with status code: 1",
            "SignatureMismatchError: Function expects",
        ),
    ],
)
def test_parameters_that_do_not_fit_are_named(
    parameters: dict[str, object], said: str, cause: str
) -> None:
    with Simulation() as sim:
        sim.deploy(strict, name="dev", enforce_parameter_schema=False)
        run = sim.trigger("strict/dev", parameters)
        sim.advance(minutes=1)
        why = sim.explain(run)
        assert said in str(why)
        assert cause in why.root.sentence
