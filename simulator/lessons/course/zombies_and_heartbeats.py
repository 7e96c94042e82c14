"""Zombies and heartbeats: a run whose machine is gone, and who notices."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect import flow, get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from simulator import Simulation
from simulator.faults import WorkerKilled
from simulator.lessons.lesson import Change, Exercise, Figures, Knob, lasted
from simulator.records import RunRecord

# --- first the question ---------------------------------------------------------------------------

QUESTION = (
    "A process worker has started a job of half an hour. After ten minutes its machine is gone, with"
    " the worker and all that it runs. Five minutes later there is a new machine, with a new worker."
    " In what state is the run of the job an hour after its start?"
)
ANSWERS = (
    "Crashed: the new worker finds that its process is gone.",
    "Completed: the new worker starts it once more.",
    "Running: whoever could have told is gone as well.",
)
KNOB = Knob(
    "silence", 90, "seconds without a heartbeat after which a run is taken for dead", 60, 900
)

# --- what people write ----------------------------------------------------------------------------


@flow
def job() -> None: ...


SILENT = EventTrigger(
    after={"prefect.flow-run.heartbeat"},
    expect={
        "prefect.flow-run.heartbeat",
        "prefect.flow-run.Completed",
        "prefect.flow-run.Failed",
        "prefect.flow-run.Cancelled",
        "prefect.flow-run.Crashed",
    },
    match={"prefect.resource.id": ["prefect.flow-run.*"]},
    for_each={"prefect.resource.id"},
    posture=Posture.Proactive,
    threshold=1,
)
CRASHED = ChangeFlowRunState(state=StateType.CRASHED, message="no heartbeat any more")


def nobody_watches(silence: timedelta, deployment: UUID) -> list[AutomationCore]:
    return []


def silence_is_death(silence: timedelta, deployment: UUID) -> list[AutomationCore]:
    trigger = SILENT.model_copy(update={"within": silence})
    return [AutomationCore(name="zombies", trigger=trigger, actions=[CRASHED])]


LANES = {"nobody watches": nobody_watches, "heartbeats": silence_is_death}

# --- what happens ---------------------------------------------------------------------------------

GIVEN = {
    "the_job_takes": timedelta(minutes=30),
    "the_machine_dies_after": timedelta(minutes=10),
    "the_next_comes_after": timedelta(minutes=15),
    "hours": 1,
    "a_heartbeat_every": timedelta(seconds=30),
}


def settings(silence: float) -> Mapping[str, Any]:
    every = GIVEN["a_heartbeat_every"].total_seconds()
    return {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": int(every)}


def run(sim: Simulation, watching: Callable[..., list[AutomationCore]], silence: float) -> None:
    deployment = sim.deploy(job, name="dev")
    with get_client(sync_client=True) as client:
        for automation in watching(timedelta(seconds=silence), deployment):
            client.create_automation(automation)
    sim.takes("job", GIVEN["the_job_takes"])
    dies = sim.start + GIVEN["the_machine_dies_after"]
    sim.inject(WorkerKilled(between=(dies, sim.start + GIVEN["the_next_comes_after"])))
    sim.trigger("job/dev")
    sim.advance(hours=GIVEN["hours"])


# --- what came out --------------------------------------------------------------------------------


def figures(sim: Simulation, silence: float) -> Figures:
    first, *others = sim.runs("job")
    died = sim.start + GIVEN["the_machine_dies_after"]
    return {
        "the run is": first.state,
        "its machine has been gone for": sim.now - died,
        "that was known after": first.end - died if first.end else "never",
        "the job was done": sum(map(_done, (first, *others))),
    }


def _done(run: RunRecord) -> bool:
    """Whether it came to its end, and is not only called Completed."""
    return run.completed and run.end - run.start >= GIVEN["the_job_takes"]


def right(unwatched: Figures, second: Figures) -> int:
    return {"Crashed": 1, "Completed": 2, "Running": 3}.get(unwatched["the run is"], 0)


def sentence(unwatched: Figures, second: Figures) -> str:
    def lane(one: Figures) -> str:
        known = one["that was known after"]
        when = "and nobody knows" if known == "never" else f"as was known after {lasted(known)}"
        return f"{one['the run is']}, {when}"

    return (
        f"When its machine has been gone for {lasted(unwatched['its machine has been gone for'])}, the"
        f" run that nobody watches is {lane(unwatched)}; in the other lane it is {lane(second)}."
    )


# --- now you --------------------------------------------------------------------------------------

CHANGE = Change(
    line='CRASHED = ChangeFlowRunState(state=StateType.CRASHED, message="no heartbeat any more")',
    instead='CRASHED = ChangeFlowRunState(state=StateType.FAILED, message="no heartbeat any more")',
)


def silence_is_death_and_a_new_life(silence: timedelta, deployment: UUID) -> list[AutomationCore]:
    trigger = SILENT.model_copy(update={"within": silence})
    again = RunDeployment(source="selected", deployment_id=deployment)
    return [AutomationCore(name="zombies", trigger=trigger, actions=[CRASHED, again])]


def solved(unwatched: Figures, second: Figures) -> str:
    if second["the run is"] == "Running":
        return "the run of the machine that is gone is still Running"
    if not second["the job was done"]:
        return "the job has not been done"
    return ""


EXERCISE = Exercise(
    task="Let the automation also see to it that the job is done.",
    solved=solved,
    solution=silence_is_death_and_a_new_life,
)
