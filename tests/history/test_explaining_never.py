"""Why what never ran did not: what it waits for, and what was lost."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from prefect.events import DeploymentEventTrigger

from simulator import Simulation
from simulator.faults import EventLost
from simulator.history import Results, explain, kept_histories


@flow
def job():
    pass


@flow
def upstream():
    pass


@flow
def downstream():
    pass


DONE = "prefect.flow-run.Completed"


def test_a_schedule_that_is_not_due_is_told() -> None:
    with Simulation(start="2026-01-10T00:00:00Z") as sim:
        sim.deploy(job, name="nightly", cron="0 3 * * *")
        assert "its schedule has not come due" in str(sim.explain("job/nightly"))
        sim.deploy(job, name="yearly", cron="0 3 1 12 *")
        sim.advance(minutes=30)
        assert "its first run is due" in str(sim.explain("job/nightly"))
        assert "its schedule has not come due" in str(sim.explain("job/yearly"))


def test_an_event_that_is_waited_for_is_told_and_that_it_was_lost(tmp_path: Path) -> None:
    with Simulation() as sim:
        trigger = DeploymentEventTrigger(
            expect={DONE},
            match_related={
                "prefect.resource.name": "upstream",
                "prefect.resource.role": "flow",
            },
        )
        sim.deploy(upstream, name="dev")
        sim.deploy(downstream, name="dev", triggers=[trigger])
        sim.advance(minutes=1)
        waits = f"downstream/dev: it has never run: it waits for an event {DONE}"
        assert str(sim.explain("downstream/dev")) == waits
        sim.inject(EventLost(event=DONE, flow="upstream"))
        sim.trigger("upstream/dev")
        sim.advance(minutes=1)
        why = sim.explain("downstream/dev")
        assert waits in str(why)
        assert why.fault == 0
        file = tmp_path / "results.duckdb"
        Results.open(file).add("day", "default", 0, sim.history())
        (kept,) = kept_histories(file).values()
        assert str(explain(kept, "downstream/dev")) == str(why)
