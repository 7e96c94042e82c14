"""A run fails, is cancelled, is killed, and its machine is gone: who cleans up after it?"""

from dataclasses import dataclass
from datetime import timedelta

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.states import Cancelling

from pipelines import cleaning_up as pipeline
from pipelines import zombies
from simulator import Simulation
from simulator.faults import Kill, Raise, WorkerKilled
from simulator.measures import Measure, share
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """The export, who does what it has left undone, and after which of the incidents."""

    cleans: tuple[str, ...]
    export: Flow = pipeline.export_invoices
    parent: bool = False
    automation: bool = False
    heartbeats: bool = False


FINALLY = "finally"
HOOKS = "hooks"
OTHER_NAMES = "hooks by other names"
PARENT = "a parent"
AUTOMATION = "an automation"
HEARTBEATS = "an automation, and heartbeats"

MINUTE = timedelta(minutes=1)
EVERY = 30 * MINUTE
FAILS, CANCELLED, KILLED, GONE = INCIDENTS = ("fails", "cancelled", "killed", "gone")
"""What happens, half an hour after each other; each month is called after it."""

WRITING, STRUCK = 10 * MINUTE, 5 * MINUTE


@scenario(
    name="cleaning-up",
    question="My clean-up works when the run fails. Does it when the run is cancelled, killed, or gone?",
    lesson=(
        "A `finally` also runs when the run is cancelled, and not when its process is killed. Hooks run "
        "then, too, called by the worker, with `flow`, `flow_run` and `state` as keywords: one whose "
        "arguments have other names works on Failed, and on Crashed and Cancelled is an error in the "
        "log. A parent, and an automation on all three ends, do as much as good hooks. If the machine "
        "is gone with its worker nobody does anything, for there is no end: the run stays Running. "
        "Heartbeats and an automation that crashes what is silent make one, and the other automation "
        "hears it."
    ),
    patterns=("R10",),
    variants={
        FINALLY: Variant((FAILS, CANCELLED), pipeline.export_with_finally),
        HOOKS: Variant((FAILS, CANCELLED, KILLED), pipeline.export_with_hooks),
        OTHER_NAMES: Variant((FAILS,), pipeline.export_with_hooks_by_other_names),
        PARENT: Variant((FAILS, CANCELLED, KILLED), parent=True),
        AUTOMATION: Variant((FAILS, CANCELLED, KILLED), automation=True),
        HEARTBEATS: Variant(INCIDENTS, automation=True, heartbeats=True),
    },
)
def cleaning_up(sim: Simulation, variant: Variant) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    sim.deploy(variant.export, name="dev", work_pool="exports")
    ordered = "export-invoices/dev"
    if variant.parent:
        sim.deploy(pipeline.export_month, name="dev")
        ordered = "export-month/dev"
    if variant.automation:
        sim.deploy(pipeline.unlock_month, name="dev", triggers=[pipeline.on_bad_end()])
    if variant.heartbeats:
        sim.setenv(PREFECT_FLOWS_HEARTBEAT_FREQUENCY=str(zombies.BEAT))
        with get_client(sync_client=True) as client:
            client.create_automation(pipeline.crash_the_silent())
    sim.takes("write-file", WRITING)
    gone = sim.start + INCIDENTS.index(GONE) * EVERY + STRUCK
    sim.inject(
        [
            Raise(step="write-file", on=[INCIDENTS.index(FAILS)], after=STRUCK),
            Kill(step="write-file", on=[INCIDENTS.index(KILLED)], after=STRUCK),
            WorkerKilled(work_pool="exports", between=(gone, gone + 5 * MINUTE)),
        ]
    )
    for number, incident in enumerate(INCIDENTS):
        sim.trigger(ordered, at=sim.start + number * EVERY, parameters={"month": incident})
    sim.advance_to(sim.start + INCIDENTS.index(CANCELLED) * EVERY + STRUCK)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(export_of(sim, CANCELLED).id, Cancelling())
    sim.advance_to(sim.start + len(INCIDENTS) * EVERY - MINUTE)


def export_of(sim: Simulation, incident: str) -> RunRecord:
    """The run that met with an incident."""
    (run,) = [run for run in sim.runs("export-invoices") if run.parameters["month"] == incident]
    return run


def unlocked(sim: Simulation) -> dict[str, timedelta]:
    """The months that were unlocked, and how long they were locked in vain."""
    found = sim.warehouse.query("select month, unlocked_at from raw.unlocked order by unlocked_at")
    struck = {one: sim.start + at * EVERY + STRUCK for at, one in enumerate(INCIDENTS)}
    return {month: at - struck[month] for month, at in found}


@cleaning_up.expect()
def these_months_are_unlocked_and_no_others(sim, variant):
    assert tuple(unlocked(sim)) == variant.cleans
    locked = sim.warehouse.query("select month from raw.locks order by locked_at")
    assert tuple(month for (month,) in locked) == tuple(
        one for one in INCIDENTS if one not in variant.cleans
    )


@cleaning_up.expect()
def nobody_unlocks_a_month_twice(sim, variant):
    [(count,)] = sim.warehouse.query("select count(*) from raw.unlocked")
    assert count == len(variant.cleans)


@cleaning_up.expect()
def the_runs_end_as_their_incidents_make_them(sim, variant):
    ends = ["Failed", "Cancelled", "Crashed", "Crashed" if variant.heartbeats else "Running"]
    assert [export_of(sim, incident).state for incident in INCIDENTS] == ends


@cleaning_up.expect()
def what_has_an_end_is_cleaned_up_within_half_a_minute(sim):
    soon = [waited for one, waited in unlocked(sim).items() if one != GONE]
    assert max(soon) < MINUTE / 2, soon


@cleaning_up.expect(PARENT)
def the_parent_of_what_is_gone_waits_for_ever(sim):
    (parent,) = [run for run in sim.runs("export-month") if run.parameters["month"] == GONE]
    assert parent.state == "Running"


@cleaning_up.expect(OTHER_NAMES)
def the_error_of_a_hook_is_a_line_in_the_log(sim):
    for incident in (CANCELLED, KILLED):
        said = [line.message for line in export_of(sim, incident).logs]
        assert any("error was encountered while running hook" in line for line in said), said


@cleaning_up.measure
def what_is_left_locked(sim) -> list[Measure]:
    done = unlocked(sim)
    gone = done[GONE].total_seconds() if GONE in done else None
    return [
        share("incidents cleaned up after", len(done), len(INCIDENTS)),
        Measure("what is gone, after", gone, "seconds", n=int(GONE in done)),
    ]
