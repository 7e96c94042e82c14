"""A dead worker's run is Pending for ever and holds the only slot: of a pool, or of a deployment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from prefect.client.orchestration import get_client

from pipelines import only_slot as pipeline
from simulator import Simulation
from simulator.faults import WorkerLost
from simulator.measures import Measure, share
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """Whose slot it is, and whether an automation looks after what stays Pending."""

    slots_of_pool: int | None = None
    deployed: Mapping[str, Any] = field(default_factory=dict)
    automation: bool = False


POOL = "the pool's slot"
DEPLOYMENT = "the deployment's slot"
AUTOMATION = "the pool's slot, and an automation"

MINUTE = timedelta(minutes=1)
EVERY = timedelta(minutes=30)
STRUCK = 2  # the number of the cycle whose worker dies


@scenario(
    name="only-slot",
    question="My worker died, and nothing has run since, though it is back. Who holds the slot?",
    lesson=(
        "A run that its worker had taken and not yet started: it is Pending for ever, and no worker "
        "takes it again. In a pool with a limit of one it lets nothing pass, for ever, and every run "
        "is Late. The slot of a deployment is a lease, which ends after five minutes if nobody renews "
        "it, so the next cycle runs; the Pending run stays behind all the same. An automation that "
        "crashes what does not get beyond Pending frees the pool, too."
    ),
    patterns=("R03",),
    variants={
        POOL: Variant(slots_of_pool=1),
        DEPLOYMENT: Variant(deployed={"concurrency_limit": 1}),
        AUTOMATION: Variant(slots_of_pool=1, automation=True),
    },
)
def only_slot(sim: Simulation, variant: Variant) -> None:
    sim.work_pool("sync", concurrency_limit=variant.slots_of_pool)
    sim.deploy(
        pipeline.sync_repository, name="dev", work_pool="sync", interval=EVERY, **variant.deployed
    )
    if variant.automation:
        with get_client(sync_client=True) as client:
            client.create_automation(pipeline.crash_what_stays_pending("dev"))
    about = sim.start + STRUCK * EVERY
    sim.inject(
        WorkerLost(work_pool="sync", back=5 * MINUTE, between=(about - MINUTE, about + MINUTE))
    )
    sim.advance(hours=3.9)


def cycles(sim: Simulation) -> list[RunRecord]:
    """The runs, by their cycles; the first one is at the start."""
    return sorted(sim.runs(), key=lambda run: run.scheduled)


def later(sim: Simulation) -> list[RunRecord]:
    """Those of the cycles after the death of the worker."""
    return [run for run in cycles(sim) if run.scheduled > sim.start + STRUCK * EVERY]


def struck(sim: Simulation) -> RunRecord:
    """The run that the dead worker had taken."""
    (run,) = [run for run in cycles(sim) if run.scheduled == sim.start + STRUCK * EVERY]
    return run


@only_slot.expect()
def cycles_before_are_completed(sim):
    before = [run for run in cycles(sim) if run.scheduled < sim.start + STRUCK * EVERY]
    assert before
    assert all(run.state == "Completed" for run in before), before


@only_slot.expect(POOL, DEPLOYMENT)
def the_run_stays_pending(sim):
    assert struck(sim).state_type == "PENDING"
    assert struck(sim).start is None


@only_slot.expect(POOL)
def nothing_passes_any_more(sim):
    assert len(later(sim)) >= 5
    assert {run.state for run in later(sim)} == {"Late"}


@only_slot.expect(DEPLOYMENT)
def the_next_cycle_runs_as_if_nothing_had_been(sim):
    for run in later(sim):
        assert run.state == "Completed", run
        assert run.start - run.scheduled < MINUTE, run


@only_slot.expect(AUTOMATION)
def the_run_is_crashed_after_ten_minutes_and_the_next_cycle_runs(sim):
    run = struck(sim)
    assert run.state == "Crashed", run
    assert "Running" not in [state.name for state in run.states]
    pending = next(state for state in run.states if state.type == "PENDING")
    waited = run.end - pending.timestamp
    assert pipeline.PATIENCE <= waited <= pipeline.PATIENCE + MINUTE, waited
    assert {one.state for one in later(sim)} == {"Completed"}


@only_slot.measure
def what_is_done_since(sim) -> list[Measure]:
    done = [run for run in later(sim) if run.completed]
    return [share("later cycles that were done", len(done), len(later(sim)))]
