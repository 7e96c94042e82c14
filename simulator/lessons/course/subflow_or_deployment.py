"""Subflow or deployment: what a step pays for a process of its own."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Any

from prefect import Flow, flow
from prefect.deployments import run_deployment
from prefect.states import raise_state_exception

from simulator import Simulation
from simulator.lessons.lesson import Change, Exercise, Figures, Knob, counted, lasted
from simulator.records import RunRecord

# --- first the question ---------------------------------------------------------------------------

QUESTION = (
    "Three steps of a minute each are subflows, one after another. Somebody makes a deployment of"
    " each, for a process of its own, and the parent calls run_deployment three times."
    " How long does the chain take from then on?"
)
ANSWERS = (
    "As long as before: the work is the same.",
    "Some seconds longer for each step, but not twice as long.",
    "At least twice as long: each step costs as much again as it works.",
)
KNOB = Knob("polls", 10, "seconds from one look of the worker for runs to the next", 1, 120)

# --- what people write ----------------------------------------------------------------------------

PARENT_LOOKS = 5  # seconds from one look at a child's state to the next


@flow
def extract() -> None: ...


@flow(name="transform-load")
def transform_load() -> None: ...


@flow(name="clean-up")
def clean_up() -> None: ...


@flow(name="chain")
def of_subflows() -> None:
    extract()
    transform_load()
    clean_up()


@flow(name="chain")
def of_deployments() -> None:
    for step in ("extract/dev", "transform-load/dev", "clean-up/dev"):
        flow_run = run_deployment(step, poll_interval=PARENT_LOOKS)
        raise_state_exception(flow_run.state)


LANES = {"subflows": of_subflows, "deployments": of_deployments}

# --- what happens ---------------------------------------------------------------------------------

GIVEN = {
    "cron": "0 * * * *",
    "hours": 2,
    "each_step_takes": timedelta(minutes=1),
    "the_parent_looks_every": timedelta(seconds=PARENT_LOOKS),
    "a_process_starts_in": timedelta(),  # SlowStart makes it longer
}


def settings(polls: float) -> Mapping[str, Any]:
    return {"PREFECT_WORKER_QUERY_SECONDS": polls}


def run(sim: Simulation, chain: Flow, polls: float) -> None:
    for step in (extract, transform_load, clean_up):
        sim.deploy(step, name="dev")
        sim.takes(step.name, GIVEN["each_step_takes"])
    sim.deploy(chain, name="dev", cron=GIVEN["cron"])
    sim.advance(hours=GIVEN["hours"])


# --- what came out --------------------------------------------------------------------------------


def figures(sim: Simulation, polls: float) -> Figures:
    [chain] = sim.runs("chain")
    begun = [run for run in sim.runs() if run.flow != chain.flow and run.start is not None]
    steps = sorted(begun, key=lambda step: step.start)
    waited = sum((step.start - step.states[0].timestamp for step in steps), timedelta())
    worked = sum((step.end - step.start for step in steps), timedelta())
    took = chain.end - chain.start
    return {
        "the chain took": took,
        "its steps worked": worked,
        "its steps waited to start": waited,
        "it waited to see their ends": took - worked - waited,
        "processes": 1 + sum(step.deployment is not None for step in steps),
        "of their own have": ", ".join(step.flow for step in steps if step.deployment) or "none",
        "one after another it did": _one_after_another(steps),
    }


def _one_after_another(steps: list[RunRecord]) -> str:
    """The steps that were Completed, if each began when the one before was over."""
    done = [step for step in steps if step.completed]
    if any(later.start < step.end for step, later in pairwise(done)):
        return "not all"
    return ", ".join(step.flow for step in done) or "none"


def right(subflows: Figures, second: Figures) -> int:
    before, now = subflows["the chain took"], second["the chain took"]
    if now >= before + before:
        return 3
    return 1 if now - before < timedelta(seconds=1) else 2


def sentence(subflows: Figures, second: Figures) -> str:
    return (
        f"The chain took {lasted(subflows['the chain took'])} in"
        f" {counted(subflows['processes'], 'process', 'processes')}, and"
        f" {lasted(second['the chain took'])} in"
        f" {counted(second['processes'], 'process', 'processes')}, of which"
        f" {lasted(second['its steps waited to start'])} went by before its steps had started, and"
        f" {lasted(second['it waited to see their ends'])} before the parent had seen their ends."
    )


# --- now you --------------------------------------------------------------------------------------

CHANGE = Change(
    line="PARENT_LOOKS = 5  # seconds from one look at a child's state to the next",
    instead="PARENT_LOOKS = 60  # seconds from one look at a child's state to the next",
)


@flow(name="chain")
def of_both() -> None:
    extract()
    flow_run = run_deployment("transform-load/dev", poll_interval=PARENT_LOOKS)
    raise_state_exception(flow_run.state)
    clean_up()


def solved(subflows: Figures, second: Figures) -> str:
    own, done = second["of their own have"], second["one after another it did"]
    if own != "transform-load":
        return f"a process of their own have: {own}"
    if done != subflows["one after another it did"]:
        return f"one after another it did: {done}"
    return ""


EXERCISE = Exercise(
    task="Only transform-load needs an environment of its own. Let it have a process of its own, and"
    " no other step; all three are still done, one after another.",
    solved=solved,
    solution=of_both,
)
