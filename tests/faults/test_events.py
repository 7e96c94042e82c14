"""Events that are lost, late or twice, and what automations make of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events import DeploymentEventTrigger
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from simulator import Simulation, SimulationError, lognormal
from simulator.faults import EventLate, EventLost, EventTwice, HeartbeatLost, WorkerKilled

T0 = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@flow
def job():
    time.sleep(600)


@flow
def react(): ...


@contextmanager
def reacting(*faults, **trigger) -> Iterator[Simulation]:
    """An hour in which an automation reacts to the end of a run at ten past, under faults."""
    with Simulation(start=T0) as sim:
        sim.deploy(job, name="dev")
        ended = DeploymentEventTrigger(
            expect={"prefect.flow-run.Completed"},
            match_related={"prefect.resource.name": "job"},
            **trigger,
        )
        sim.deploy(react, name="dev", triggers=[ended])
        sim.inject(faults)
        sim.trigger("job/dev")
        sim.advance(hours=1)
        yield sim


def struck(sim: Simulation) -> list[tuple[str, str]]:
    notes = [note for note in sim.history().notes if note.kind == "fault"]
    return [(note.details["event"], sim.history().run(note.run_id).flow) for note in notes]


def test_nobody_reacts_to_an_event_that_is_lost():
    with reacting(EventLost(event="prefect.flow-run.Comp*", flow="job")) as sim:
        assert sim.runs("react") == []
        assert sim.runs("job")[0].state == "Completed"
        assert struck(sim) == [("prefect.flow-run.Completed", "job")]


def test_the_reaction_to_a_late_event_is_late():
    with reacting(EventLate(event="prefect.flow-run.Completed", by=7 * MINUTE, flow="job")) as sim:
        (run,) = sim.runs("react")
        assert timedelta(0) <= run.start - (T0 + 17 * MINUTE) <= timedelta(seconds=15)


@flow
def hears(occurred: str): ...


@pytest.mark.parametrize(
    ("by", "in_order"), [(7 * MINUTE, True), (lognormal(7 * MINUTE, 1), False)]
)
def test_events_that_are_not_late_alike_come_out_of_order_and_say_when_they_occurred(by, in_order):
    with Simulation(start=T0, seed=1) as sim:
        told = {"template": "{{ event.occurred }}", "__prefect_kind": "jinja"}
        ended = DeploymentEventTrigger(
            expect={"prefect.flow-run.Completed"},
            match_related={"prefect.resource.name": "react"},
            parameters={"occurred": told},
        )
        sim.deploy(react, name="dev", interval=6 * MINUTE)
        sim.deploy(hears, name="dev", triggers=[ended])
        sim.inject(EventLate(event="prefect.flow-run.Completed", by=by, flow="react"))
        sim.advance(hours=1.2)
        heard = [run.parameters["occurred"] for run in sim.runs("hears")]
        ends = [f"{run.end:%Y-%m-%d %H:%M}" for run in sim.runs("react", state="Completed")]
        assert len(heard) >= 8
        assert {one[:16] for one in heard} <= set(ends)
        assert (heard == sorted(heard)) == in_order


def test_odds_are_drawn_for_each_event_and_by_the_seed():
    def hours_lost(seed: int) -> list[datetime]:
        with Simulation(start=T0, seed=seed) as sim:
            sim.deploy(react, name="dev", cron="0 * * * *")
            lost = EventLost(event="prefect.flow-run.Completed", flow="react", probability=0.5)
            sim.inject(lost)
            sim.advance(hours=8.5)
            return [note.at for note in sim.history().notes if note.kind == "fault"]

    some = hours_lost(1)
    assert 0 < len(some) < 8
    assert hours_lost(1) == some != hours_lost(2)


@pytest.mark.parametrize(("after", "reactions"), [(5, 0), (45, 1)])
def test_an_event_that_comes_twice_counts_once_for_as_long_as_prefect_knows_it(after, reactions):
    twice = EventTwice(event="*.Completed", flow="job", after=after * MINUTE)
    with reacting(twice, threshold=2, within=HOUR) as sim:
        assert len(struck(sim)) == len(sim.runs("job")) == 1
        assert len(sim.runs("react")) == reactions


# -- heartbeats ------------------------------------------------------------------------------------


def zombie_detection() -> AutomationCore:
    """As Prefect documents it: three heartbeats have been missed, so the run must be dead."""
    beats = "prefect.flow-run.heartbeat"
    ends = {
        f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")
    }
    return AutomationCore(
        name="zombies",
        trigger=EventTrigger(
            after={beats},
            expect={beats, *ends},
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=90),
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="No heartbeats any more.")],
    )


@contextmanager
def beating(*faults) -> Iterator[Simulation]:
    """Half an hour with a run from the start on, heartbeats, and zombie detection."""
    with Simulation(start=T0, settings={"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": 30}) as sim:
        with get_client(sync_client=True) as client:
            client.create_automation(zombie_detection())
        sim.deploy(job, name="dev")
        sim.inject(faults)
        sim.trigger("job/dev")
        sim.advance(minutes=30)
        yield sim


def test_a_run_whose_heartbeats_come_is_left_alone():
    with beating() as sim:
        (run,) = sim.runs("job")
        assert (run.state, [state.name for state in run.states].count("Crashed")) == (
            "Completed",
            0,
        )


def test_a_healthy_run_whose_heartbeats_are_lost_is_taken_for_dead():
    """As in PrefectHQ/prefect #21932, #18838 and #18653."""
    silence = (T0 + 2 * MINUTE, T0 + 6 * MINUTE)
    with beating(HeartbeatLost(flow="job", between=silence)) as sim:
        (run,) = sim.runs("job")
        alarm = next(state for state in run.states if state.name == "Crashed")
        assert T0 + 3 * MINUTE < alarm.timestamp < T0 + 4 * MINUTE  # and it goes on until 00:10
        why = sim.explain(run)
        assert why.fault == 0
        assert "loses heartbeats of job" in str(why)


def test_a_run_that_was_killed_with_its_worker_is_found_dead():
    with beating(WorkerKilled(at=T0 + 2 * MINUTE)) as sim:
        (run,) = sim.runs("job")
        assert (run.state, run.message) == ("Crashed", "No heartbeats any more.")
        assert T0 + 3 * MINUTE < run.end < T0 + 4 * MINUTE
        assert sim.explain(run).fault == 0


def test_heartbeats_may_be_asked_for_by_a_variable_of_the_processes():
    with Simulation(start=T0, settings={"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": None}) as sim:
        sim.setenv(PREFECT_FLOWS_HEARTBEAT_FREQUENCY="30")
        sim.deploy(job, name="dev")
        sim.inject(HeartbeatLost(on=[1]))
        sim.trigger("job/dev")
        sim.advance(minutes=2)
        assert len(struck(sim)) == 1


def test_what_cannot_be_is_refused():
    with Simulation(start=T0, settings={"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": None}) as sim:
        with pytest.raises(
            SimulationError, match="no heartbeats here: PREFECT_FLOWS_HEARTBEAT_FREQUENCY"
        ):
            sim.inject(HeartbeatLost())
    with Simulation(start=T0) as sim:
        with pytest.raises(SimulationError, match="did you mean 'react'"):
            sim.inject(EventLost(flow="raect"))


def test_each_fault_counts_all_that_concern_it_whatever_another_does():
    completed = "prefect.flow-run.Completed"
    with Simulation(start=T0) as sim:
        sim.deploy(job, name="dev", cron="0 * * * *")
        sim.inject([EventLost(event=completed, flow="job", on=[number]) for number in (0, 1)])
        sim.advance(hours=4.5)
        runs = [
            sim.history().run(note.run_id) for note in sim.history().notes if note.kind == "fault"
        ]
        assert [run.scheduled for run in runs] == [T0 + HOUR, T0 + 2 * HOUR]
