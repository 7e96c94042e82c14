"""Schedules, late runs, absent workers, pause and resume."""

from __future__ import annotations

from datetime import timedelta

from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.flow_runs import pause_flow_run, suspend_flow_run
from prefect.states import Cancelled

from simulator import Simulation
from tests.conformance.case import case, ended, until
from tests.conformance.shapes import good


def _few(sim: Simulation, count: int, seconds: int, first: int = 25) -> str:
    """A schedule of so many runs, so many seconds apart, the first one in `first` seconds."""
    begin = sim.now.replace(microsecond=0) + timedelta(seconds=first)
    rule = f"FREQ=SECONDLY;INTERVAL={seconds};COUNT={count}"
    return f"DTSTART:{begin:%Y%m%dT%H%M%SZ}\nRRULE:{rule}"


@case(concurrent=True)
def scheduled_runs(sim: Simulation) -> None:
    """Two runs, 12 seconds apart, each begun at its instant: the worker takes them before."""
    sim.deploy(good, "scheduled", rrule=_few(sim, 2, 12))
    until(sim, ended(sim, "good", 2))


@case(concurrent=True)
def cron_every_minute(sim: Simulation) -> None:
    """A cron's first run, at the full minute; paused after that."""
    deployment = sim.deploy(good, "cron", cron="* * * * *")
    until(sim, ended(sim, "good"))
    with get_client(sync_client=True) as client:
        client.pause_deployment(deployment)


@case(concurrent=True)
def ordered_at_an_instant(sim: Simulation) -> None:
    """A run that is ordered for later is not begun before."""
    sim.deploy(good, "at")
    sim.trigger("good/at", at=sim.now + timedelta(seconds=14))
    until(sim, ended(sim, "good"))


@case()
def late_run(sim: Simulation) -> None:
    """Without a worker a run is Late after the margin; a worker that comes back takes it."""
    pool = "conformance-late"
    sim.deploy(good, "late", work_pool=pool)
    sim.stop_worker(pool)
    sim.trigger("good/late")
    until(sim, lambda: bool(sim.runs("good", state="Late")))
    sim.start_worker(pool)
    until(sim, ended(sim, "good"))


@case(concurrent=True)
def missed_runs_are_all_made_up_for(sim: Simulation) -> None:
    """A worker that comes back after three scheduled runs executes all of them."""
    pool = "conformance-missed"
    sim.work_pool(pool)
    sim.stop_worker(pool)
    sim.deploy(good, "missed", work_pool=pool, rrule=_few(sim, 3, 4))
    until(sim, lambda: len(sim.runs("good", state="Late")) == 3)
    sim.start_worker(pool)
    until(sim, ended(sim, "good", 3))


@case()
def paused_deployment(sim: Simulation) -> None:
    """A paused deployment's schedule makes no runs; resumed, it does."""
    deployment = sim.deploy(good, "paused", rrule=_few(sim, 1, 30, first=40), paused=True)
    sim.advance(seconds=8)
    assert not sim.history().upcoming()
    with get_client(sync_client=True) as client:
        client.resume_deployment(deployment)
    until(sim, ended(sim, "good"))


@case()
def cancelled_before_it_began(sim: Simulation) -> None:
    """A run that waits for its hour can be cancelled; no process is ever started."""
    sim.deploy(good, "called-off")
    run = sim.trigger("good/called-off", at=sim.now + timedelta(seconds=40))
    sim.advance(seconds=2)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run, Cancelled(message="called off"))
    sim.advance(seconds=3)


@flow
def pauses():
    good()
    pause_flow_run(timeout=60, poll_interval=1)
    good()


def _paused_and_resumed(sim: Simulation, flow: str, state: str) -> None:
    until(sim, lambda: bool(sim.runs(flow, state=state)))
    sim.advance(seconds=3)
    (run,) = sim.runs(flow)
    with get_client(sync_client=True) as client:
        client.resume_flow_run(run.id)
    until(sim, ended(sim, flow))


@case()
def pause_and_resume(sim: Simulation) -> None:
    """A paused run keeps its process, and goes on where it was."""
    sim.deploy(pauses, "dev")
    sim.trigger("pauses/dev")
    _paused_and_resumed(sim, "pauses", "Paused")


@task
def step() -> None:
    pass


@flow(persist_result=True)
def suspends():
    step()
    suspend_flow_run(timeout=120, key="once")
    step()


@case()
def suspend_and_resume(sim: Simulation) -> None:
    """A suspended run gives up its process, and begins again in another one."""
    sim.deploy(suspends, "dev")
    sim.trigger("suspends/dev")
    _paused_and_resumed(sim, "suspends", "Suspended")


@flow(persist_result=True)
def suspends_in_vain():
    suspend_flow_run(timeout=6)
    step()


@case()
def suspension_that_nobody_ends(sim: Simulation) -> None:
    """A suspension has a time-out, and its end is a failure."""
    sim.deploy(suspends_in_vain, "dev")
    sim.trigger("suspends-in-vain/dev")
    until(sim, ended(sim, "suspends-in-vain"))
