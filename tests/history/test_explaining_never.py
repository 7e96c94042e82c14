"""Why what never ran did not: what it waits for, and what was lost."""

from __future__ import annotations

from pathlib import Path

from prefect import flow, get_client
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


def test_a_gate_has_the_event_that_it_waits_for_and_its_id(tmp_path: Path) -> None:
    with Simulation() as sim, get_client(sync_client=True) as client:
        sim.deploy(downstream, name="by hand", triggers=[DeploymentEventTrigger(expect={DONE})])
        sim.work_pool("narrow", concurrency_limit=2)
        deployment = client.read_deployment_by_name("downstream/by hand")
        pool = client.read_work_pool("narrow")
        history = sim.history()
        file = tmp_path / "results.duckdb"
        Results.open(file).add("day", "default", 0, history)
        (kept,) = kept_histories(file).values()
    assert sorted(map(str, kept.gates)) == sorted(map(str, history.gates))
    gates = {(gate.kind, gate.name): gate for gate in kept.gates}
    assert gates["deployment", "downstream/by hand"].id == deployment.id
    assert gates["deployment", "downstream/by hand"].event is None
    assert gates["work pool", "narrow"].id == pool.id
    trigger = gates["trigger", "downstream/by hand"]
    assert trigger.event == DONE
    assert trigger.id not in (None, deployment.id)
