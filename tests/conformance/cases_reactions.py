"""What reacts to a run that goes wrong: hooks, heartbeats, automations, and limits that it has held."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, WorkPoolUpdate
from prefect.client.schemas.objects import FlowRun, StateType, TaskRun
from prefect.concurrency.sync import concurrency
from prefect.deployments import run_deployment
from prefect.events import AutomationCore, EventTrigger, Posture
from prefect.events.actions import (
    ActionTypes,
    ChangeFlowRunState,
    PauseDeployment,
    PauseWorkPool,
    RunDeployment,
)
from prefect.events.schemas.automations import CompoundTrigger, SequenceTrigger, TriggerTypes
from prefect.runtime import flow_run
from prefect.states import Cancelling
from prefect.transactions import transaction

from simulator import Simulation
from tests.conformance.case import at_work, case, ended, running, until
from tests.conformance.shapes import bad, good, sleeps

BEATING = {"env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}}


@contextmanager
def _automation(name: str, trigger: TriggerTypes, actions: list[ActionTypes]) -> Iterator[None]:
    """An automation for as long as the block lasts."""
    automation = AutomationCore(name=f"conformance-{name}", trigger=trigger, actions=actions)
    with get_client(sync_client=True) as client:
        created = client.create_automation(automation)
        yield
        client.delete_automation(created)


def _when(deployment: str, state: str, **options: object) -> EventTrigger:
    return EventTrigger(
        expect={f"prefect.flow-run.{state}"},
        match_related={"prefect.resource.name": deployment, "prefect.resource.role": "deployment"},
        **{"posture": Posture.Reactive, "threshold": 1} | options,
    )


# -- hooks -----------------------------------------------------------------------------------------


@flow
def told(what: str) -> None:
    pass


def _tells(what: str, deployment: str | None = None) -> Callable[..., None]:
    """A hook that orders a run, of the deployment that is named here or by the flow's parameter."""

    def hook(_: object, run: FlowRun | TaskRun, __: object) -> None:
        name = deployment or run.parameters["tells"]
        run_deployment(f"told/{name}", parameters={"what": what}, timeout=0, as_subflow=False)

    return hook


HOOKS = {
    f"on_{when}": [_tells(when)]
    for when in ("running", "completion", "failure", "cancellation", "crashed")
}


@flow(**HOOKS)
def hooked(tells: str, seconds: float, fails: bool = False) -> None:
    time.sleep(seconds)
    if fails:
        raise ValueError("fails")


def _hooked(sim: Simulation, name: str, seconds: float, fails: bool = False) -> None:
    """Order a run with a hook of each kind."""
    sim.deploy(told, name)
    sim.deploy(hooked, name)
    sim.trigger(f"hooked/{name}", {"tells": name, "seconds": seconds, "fails": fails})


@case(concurrent=True)
def hooks_of_a_run_that_completes(sim: Simulation) -> None:
    """`on_running` and `on_completion`, and no other one."""
    _hooked(sim, "completes", 2)
    until(sim, ended(sim, "told", 2))


@case(concurrent=True)
def hooks_of_a_run_that_fails(sim: Simulation) -> None:
    """`on_running` and `on_failure`."""
    _hooked(sim, "fails", 2, fails=True)
    until(sim, ended(sim, "told", 2))


@case(concurrent=True)
def hooks_of_a_run_that_is_cancelled(sim: Simulation) -> None:
    """`on_cancellation` runs in the process that is ended, or beside it."""
    _hooked(sim, "is-cancelled", 60)
    at_work(sim, "hooked")
    until(sim, ended(sim, "told"))
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(sim.runs("hooked")[0].id, Cancelling())
    until(sim, ended(sim, "hooked"))
    sim.advance(seconds=10)


@case(concurrent=True)
def hooks_of_a_run_that_is_killed(sim: Simulation) -> None:
    """`on_crashed` of a process that is gone: is there anybody to run it?"""
    _hooked(sim, "is-killed", 60)
    at_work(sim, "hooked")
    until(sim, ended(sim, "told"))
    sim.kill(sim.runs("hooked")[0])
    until(sim, ended(sim, "hooked"))
    sim.advance(seconds=10)


def _raises(*_: object) -> None:
    raise RuntimeError("the hook itself")


@flow(on_completion=[_raises, _tells("the next one", "badly")])
def hooked_badly() -> None:
    pass


@case()
def hook_that_raises(sim: Simulation) -> None:
    """Its run has completed all the same, and the hook after it runs."""
    sim.deploy(told, "badly")
    sim.deploy(hooked_badly, "badly")
    sim.trigger("hooked-badly/badly")
    until(sim, ended(sim, "told"))


@task(on_failure=[_tells("failure of the task", "of-a-task")], retries=1)
def fails_twice() -> None:
    raise ValueError("fails")


@flow(on_failure=[_tells("failure of the flow", "of-a-task")])
def calls_task_with_hook() -> None:
    fails_twice()


@case(concurrent=True)
def hook_of_a_task_that_is_retried(sim: Simulation) -> None:
    """`on_failure` of a task: once it has failed to the end, and before its flow's own."""
    sim.deploy(told, "of-a-task")
    sim.deploy(calls_task_with_hook, "dev")
    sim.trigger("calls-task-with-hook/dev")
    until(sim, ended(sim, "told", 2))


@task
def lands() -> None:
    pass


@lands.on_rollback
def _undone(_: object) -> None:
    run_deployment(
        "told/rolled-back", parameters={"what": "rolled back"}, timeout=0, as_subflow=False
    )


@flow
def lands_and_fails() -> None:
    with transaction():
        lands()
        raise ValueError("after it has landed")


@case()
def rollback_of_what_has_landed(sim: Simulation) -> None:
    """A transaction that fails undoes what its first task has done."""
    sim.deploy(told, "rolled-back")
    sim.deploy(lands_and_fails, "dev")
    sim.trigger("lands-and-fails/dev")
    until(sim, ended(sim, "told"))


# -- heartbeats ------------------------------------------------------------------------------------


def _silence(flow_name: str) -> EventTrigger:
    """Zombie detection as Prefect documents it, for runs of one flow."""
    beat = "prefect.flow-run.heartbeat"
    ends = {
        f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")
    }
    return EventTrigger(
        after={beat},
        expect={beat} | ends,
        match={"prefect.resource.id": ["prefect.flow-run.*"]},
        match_related={"prefect.resource.name": flow_name, "prefect.resource.role": "flow"},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=45),
    )


CRASH = ChangeFlowRunState(state=StateType.CRASHED, message="no heartbeat any more")


@flow(name="silent")
def silent(seconds: float) -> None:
    time.sleep(seconds)


@flow
def holds_silent(seconds: float) -> None:
    silent(seconds)


@case(concurrent=True)
def zombie_that_is_found(sim: Simulation) -> None:
    """A process is killed; its subflow, of which nobody speaks, is silent and taken for dead."""
    sim.deploy(holds_silent, "zombie", job_variables=BEATING)
    with _automation("zombies", _silence("silent"), [CRASH]):
        sim.trigger("holds-silent/zombie", {"seconds": 300})
        at_work(sim, "silent")
        sim.kill(sim.runs("holds-silent")[0])
        until(sim, ended(sim, "silent"))


@flow(name="talkative")
def talkative(seconds: float) -> None:
    time.sleep(seconds)


@case(concurrent=True)
def heartbeats_that_come(sim: Simulation) -> None:
    """A run that is longer than the silence that is allowed, and sends heartbeats, is left alone."""
    sim.deploy(talkative, "beating", job_variables=BEATING)
    with _automation("beating", _silence("talkative"), [CRASH]):
        sim.trigger("talkative/beating", {"seconds": 75})
        until(sim, ended(sim, "talkative"))


@flow(name="crashed-alive")
def crashed_alive(seconds: float) -> None:
    time.sleep(seconds)
    good()


@case(concurrent=True)
def healthy_run_that_is_taken_for_dead(sim: Simulation) -> None:
    """Heartbeats that come too seldom: the run is Crashed while it goes on. How does it end?"""
    sim.deploy(crashed_alive, "seldom", job_variables=BEATING)
    often = _silence("crashed-alive").model_copy(update={"within": timedelta(seconds=20)})
    with _automation("seldom", often, [CRASH]):
        sim.trigger("crashed-alive/seldom", {"seconds": 40})
        until(sim, ended(sim, "crashed-alive"))
        sim.advance(seconds=30)


# -- automations -----------------------------------------------------------------------------------


@flow
def fails_at_first() -> None:
    if flow_run.run_count == 1:
        raise ValueError("at first")


@case()
def failed_run_that_is_scheduled_again(sim: Simulation) -> None:
    """An automation sets a failed run to Scheduled, and a worker takes it once more."""
    sim.deploy(fails_at_first, "again")
    again = ChangeFlowRunState(state=StateType.SCHEDULED, name="AwaitingRetry")
    with _automation("again", _when("again", "Failed"), [again]):
        sim.trigger("fails-at-first/again")
        until(sim, lambda: sim.runs("fails-at-first")[0].state == "Completed")


@case(concurrent=True)
def deployment_that_a_failure_pauses(sim: Simulation) -> None:
    """PauseDeployment: what is ordered then is made, and runs: only the schedule is paused."""
    sim.deploy(bad, "pausing")
    with _automation("pausing", _when("pausing", "Failed"), [PauseDeployment(source="inferred")]):
        sim.trigger("bad/pausing")
        with get_client(sync_client=True) as client:
            until(sim, lambda: client.read_deployment_by_name("bad/pausing").paused)
    sim.trigger("bad/pausing")
    until(sim, ended(sim, "bad", 2))


@case(concurrent=True)
def pool_that_a_failure_pauses(sim: Simulation) -> None:
    """PauseWorkPool: what is ordered then waits until the pool is resumed."""
    pool = "conformance-paused-by-failure"
    sim.work_pool(pool)
    sim.deploy(bad, "stopping", work_pool=pool)
    sim.deploy(good, "kept-waiting", work_pool=pool)
    with get_client(sync_client=True) as client:
        stop = PauseWorkPool(source="selected", work_pool_id=client.read_work_pool(pool).id)
        with _automation("stopping", _when("stopping", "Failed"), [stop]):
            sim.trigger("bad/stopping")
            until(sim, lambda: client.read_work_pool(pool).is_paused)
        sim.trigger("good/kept-waiting")
        sim.advance(seconds=8)
        assert not any(run.final for run in sim.runs("good"))
        client.update_work_pool(pool, WorkPoolUpdate(is_paused=False))
    until(sim, ended(sim, "good"))


@case(concurrent=True)
def run_after_both(sim: Simulation) -> None:
    """A compound trigger: two upstreams have completed, in any order, before the downstream runs."""
    for name in ("left", "right"):
        sim.deploy(sleeps, f"both-{name}")
    downstream = sim.deploy(good, "after-both")
    both = CompoundTrigger(
        require="all",
        within=timedelta(seconds=90),
        triggers=[_when(f"both-{name}", "Completed") for name in ("left", "right")],
    )
    with _automation("both", both, [RunDeployment(source="selected", deployment_id=downstream)]):
        for name in ("right", "left"):
            sim.trigger(f"sleeps/both-{name}", {"seconds": 1})
            sim.advance(seconds=12)
        until(sim, ended(sim, "good"))


@case(concurrent=True)
def run_after_a_sequence(sim: Simulation) -> None:
    """A sequence trigger: the second upstream counts only after the first one."""
    for name in ("first", "second"):
        sim.deploy(sleeps, f"sequence-{name}")
    downstream = sim.deploy(good, "after-sequence")
    sequence = SequenceTrigger(
        within=timedelta(seconds=120),
        triggers=[_when(f"sequence-{name}", "Completed") for name in ("first", "second")],
    )
    run = RunDeployment(source="selected", deployment_id=downstream)
    with _automation("sequence", sequence, [run]):
        for number, name in enumerate(("second", "first", "second")):
            sim.trigger(f"sleeps/sequence-{name}", {"seconds": 1})
            until(sim, ended(sim, "sleeps", number + 1))
            sim.advance(seconds=5)
        until(sim, ended(sim, "good"))


# -- what a dead run has held ----------------------------------------------------------------------


@flow
def holds_slot(seconds: float) -> None:
    with concurrency("conformance-held", lease_duration=60):
        time.sleep(seconds)


@flow
def gives_slot_and_asks_for_it_again() -> None:
    with concurrency("conformance-held"):
        time.sleep(30)
    time.sleep(30)
    with concurrency("conformance-held"):
        pass


@case(concurrent=True)
def slot_of_a_killed_process(sim: Simulation) -> None:
    """A process that holds a global limit's slot is killed: its lease runs out, and the next has it.

    Who asks for it says when the other one has it, or the wait would tell how long processes take to
    start.
    """
    with get_client(sync_client=True) as client:
        client.create_global_concurrency_limit(
            GlobalConcurrencyLimitCreate(name="conformance-held", limit=1)
        )
    sim.deploy(gives_slot_and_asks_for_it_again, "dev")
    sim.deploy(holds_slot, "dev")
    sim.trigger("gives-slot-and-asks-for-it-again/dev")
    at_work(sim, "gives-slot-and-asks-for-it-again")
    sim.trigger("holds-slot/dev", {"seconds": 300})
    until(sim, running(sim, "holds-slot"))
    sim.advance(seconds=35)
    sim.kill(sim.runs("holds-slot")[0])
    until(sim, ended(sim, "gives-slot-and-asks-for-it-again"))


@case(concurrent=True)
def deployment_slot_of_a_killed_run(sim: Simulation) -> None:
    """The only run of a deployment's limit is killed: who waits for it has the slot."""
    sim.deploy(sleeps, "limited-killed", concurrency_limit=1)
    sim.trigger("sleeps/limited-killed", {"seconds": 300})
    at_work(sim, "sleeps")
    sim.trigger("sleeps/limited-killed", {"seconds": 1})
    sim.advance(seconds=5)
    sim.kill(min((run for run in sim.runs("sleeps") if run.start), key=lambda run: run.start).id)
    until(sim, ended(sim, "sleeps", 2))
