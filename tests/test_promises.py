"""Promises: what breaks one, from when on and for how long, who shows it, and what is behind it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from prefect import flow, get_client, task
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.states import Cancelled

from simulator import Simulation, SimulationError
from simulator.faults import Hang, Kill, Raise, WorkerAway
from simulator.promises import (
    PromiseBroken,
    always,
    fresh,
    never_pending,
    never_two,
    noticed,
    once_per_cycle,
    sometimes,
)
from simulator.scenario import run_variant, scenario

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@flow
def load():
    time.sleep(600)


@flow
def alert(): ...


@flow
def build(path: str):
    with duckdb.connect(path) as con:
        con.execute("create table if not exists orders (loaded_at timestamp)")
        con.execute("insert into orders values (now()::timestamp)")


@task
def extract(): ...


@flow
def write(path: str):
    with duckdb.connect(path) as con:
        con.execute("create table if not exists renewed (loaded_at timestamp)")
        con.execute("insert into renewed values (now()::timestamp)")


@flow
def renew(path: str):
    extract()
    write(path)


@pytest.fixture
def sim():
    with Simulation(start=T0) as simulation:
        simulation.deploy(load, name="dev", cron="0 * * * *")
        simulation.deploy(alert, name="dev")
        path = str(simulation.warehouse.path)
        simulation.deploy(build, name="dev", cron="30 * * * *", parameters={"path": path})
        yield simulation


def only(sim: Simulation):
    (outcome,) = sim.promises()
    return outcome


def test_no_two_at_once(sim):
    sim.promise(never_two("load/dev"))
    sim.advance(hours=1.5)
    assert only(sim).kept
    sim.takes("load", 2 * HOUR)  # on top of its ten minutes
    sim.advance_to(T0 + 3.5 * HOUR)
    outcome = only(sim)
    assert outcome.first == T0 + 3 * HOUR
    assert outcome.lasted == 30 * MINUTE
    assert [run.scheduled for run in outcome.runs] == [T0 + 2 * HOUR, T0 + 3 * HOUR]
    assert "for 0:30:00 in all, and still is: two were Running" in outcome.said


def test_whoever_fails_is_noticed(sim):
    sim.promise(noticed(by="alert", within=HOUR, of="load"))
    sim.inject(Raise(step="load", on=[0, 2]))
    sim.advance_to(T0 + 1.2 * HOUR)
    sim.trigger("alert/dev")
    sim.advance_to(T0 + 3.5 * HOUR)
    assert only(sim).kept  # its hour is not over
    sim.advance_to(T0 + 5 * HOUR)
    outcome = only(sim)
    assert outcome.first == T0 + 4 * HOUR
    assert outcome.lasted == HOUR
    assert "fault 0" in outcome.explained[0]


def test_no_run_twice_for_one_cycle(sim):
    sim.promise(once_per_cycle("load/dev"))
    sim.advance_to(T0 + 2.5 * HOUR)
    assert only(sim).kept
    for _ in range(2):
        sim.trigger("load/dev", at=T0 + 2.75 * HOUR)
    sim.advance_to(T0 + 3 * HOUR)
    assert only(sim).said.endswith("load/dev has run 2 times for 2026-01-01T02:45:00Z")


@pytest.mark.parametrize(
    ("table", "column"), [("main.orders", "loaded_at"), ("Main.Orders", "LOADED_AT")]
)
def test_the_newest_row_of_a_table(sim, table, column):
    sim.promise(fresh(table, column=column, within=1.5 * HOUR))
    sim.advance_to(T0 + 4.25 * HOUR)
    assert only(sim).kept
    sim.inject(Raise(step="build", between=(T0 + 4.25 * HOUR, T0 + 6.75 * HOUR)))
    sim.advance_to(T0 + 9 * HOUR)
    outcome = only(sim)
    assert outcome.first == T0 + 5 * HOUR  # the newest row is of half past three
    assert outcome.lasted == 2.5 * HOUR
    assert [run.flow for run in outcome.runs] == ["build"]
    assert "fault 0" in outcome.explained[0]


@pytest.fixture
def renewing(sim):
    """Every hour at half past, a run extracts for fifteen minutes the first time and for ten later, and
    then a subflow writes. What begins from three to six o'clock fails.
    """
    path = str(sim.warehouse.path)
    sim.deploy(renew, name="dev", cron="30 * * * *", parameters={"path": path})
    sim.takes("extract", [15 * MINUTE, 10 * MINUTE])
    sim.inject(Raise(step="renew", between=(T0 + 3 * HOUR, T0 + 6 * HOUR)))
    return sim


def test_from_when_on_a_table_could_no_longer_be_renewed_in_time(renewing):
    """By hand: the newest row is of 02:40, so an hour and a half is over at 04:10; the quickest of three
    renewals took ten minutes, so at 04:00 one could still have begun.
    """
    renewing.promise(fresh("main.renewed", column="loaded_at", within=1.5 * HOUR))
    renewing.advance_to(T0 + 5 * HOUR)
    outcome = only(renewing)
    assert outcome.first == T0 + 4 * HOUR + 10 * MINUTE
    assert outcome.lost == T0 + 4 * HOUR
    assert outcome.said.endswith(
        "; from 2026-01-01T04:00:00Z on it could no longer be kept: a run that renews it takes 0:10:00,"
        " the quickest of 3 in this history"
    )


def test_a_promise_that_begins_while_it_is_broken_was_lost_nobody_knows_when(renewing):
    promise = fresh("main.renewed", column="loaded_at", within=1.5 * HOUR)
    renewing.promise(promise, since=T0 + 4.5 * HOUR)
    renewing.advance_to(T0 + 5 * HOUR)
    assert (only(renewing).first, only(renewing).lost) == (T0 + 4.5 * HOUR, None)


def test_a_table_that_nobody_is_known_to_renew_was_lost_nobody_knows_when(sim):
    sim.promise(fresh("main.bought", column="at", within=HOUR))
    with duckdb.connect(str(sim.warehouse.path)) as con:
        con.execute("create table bought as select now()::timestamp as at")
    sim.advance(hours=2)
    outcome = only(sim)
    assert (outcome.first, outcome.lost) == (T0 + HOUR, None)
    assert "could no longer" not in outcome.said


def test_what_a_run_does_at_once_could_be_averted_until_it_does_it(sim):
    sim.promise(never_two("load/dev"), always("none of it", lambda moment: not moment.runs("load")))
    sim.takes("load", 2 * HOUR)
    sim.advance_to(T0 + 2.5 * HOUR)
    two, own = sim.promises()
    assert two.lost == two.first == T0 + 2 * HOUR
    assert own.first is not None
    assert own.lost is None
    assert "could no longer" not in two.said


def test_a_table_that_never_comes_breaks_its_promise(sim):
    sim.promise(fresh("main.order", column="loaded_at", within=2 * HOUR))
    sim.advance(hours=1)
    assert only(sim).said == "no table 'main.order' was ever there: did you mean 'main.orders'?"


def test_a_column_that_is_not_there_breaks_its_promise(sim):
    sim.promise(fresh("main.orders", column="loaded", within=2 * HOUR))
    sim.advance(hours=1)
    assert only(sim).said.startswith("column='loaded' of main.orders: ")


def test_one_of_your_own_is_looked_at_at_every_instant(sim):
    def at_most_one(moment):
        return moment.runs("load", state="RUNNING")[1:]

    sim.promise(always("one load at a time", at_most_one))
    sim.advance_to(T0 + 1.5 * HOUR)
    assert only(sim).kept
    sim.trigger("load/dev", at=T0 + 2 * HOUR + 3 * MINUTE)
    sim.advance_to(T0 + 3 * HOUR)
    outcome = only(sim)
    assert (outcome.first, outcome.lasted) == (T0 + 2 * HOUR + 3 * MINUTE, 7 * MINUTE)
    assert len(outcome.runs) == 1


def test_one_of_your_own_holds_while_nothing_has_happened(sim):
    sim.promise(always("nothing fails", lambda moment: not moment.runs(state="Failed")))
    sim.advance(hours=1)
    assert only(sim).kept


def test_a_state_that_no_run_can_be_in_is_told(sim):
    sim.promise(always("nothing fails", lambda moment: not moment.runs(state="Faild")))
    sim.trigger("load/dev")
    with pytest.raises(SimulationError, match=r"^no state 'Faild': did you mean 'Failed'\?$"):
        sim.promises()


def test_a_task_is_no_flow_of_which_something_is_promised(sim):
    @task
    def pushes(): ...

    with pytest.raises(SimulationError, match=r"^no flow named 'pushes'"):
        sim.promise(never_two("pushes"))


def test_a_run_that_was_refused_is_none_for_its_cycle(sim):
    """Prefect gives it a start all the same."""
    limit = ConcurrencyLimitConfig(limit=1, collision_strategy="CANCEL_NEW")
    sim.deploy(load, name="alone", concurrency_limit=limit)
    for _ in range(2):
        sim.trigger("load/alone", at=T0 + HOUR)
    sim.promise(once_per_cycle("load/alone"))
    sim.advance(hours=2)
    assert only(sim).kept
    ended = {run.state: run for run in sim.runs(deployment="load/alone")}
    assert ended.keys() == {"Completed", "Cancelled"}
    assert ended["Cancelled"].start is None
    assert ended["Completed"].start == T0 + HOUR


def test_a_run_that_goes_on_after_an_end_has_the_second_one(sim):
    called = sim.trigger("load/dev")
    sim.advance(minutes=1)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(called, Cancelled(), force=True)
    sim.advance(minutes=30)
    run = sim.history().run(called)
    assert [state.name for state in run.states[-2:]] == ["Cancelled", "Completed"]
    assert run.end == run.states[-1].timestamp == T0 + 10 * MINUTE


def test_an_assert_may_say_what_breaks_it(sim):
    def none_crashed(moment):
        assert not moment.runs(state="Crashed"), f"{len(moment.faults)} fault has struck"

    sim.promise(always("none crashes", none_crashed))
    sim.inject(Kill(step="load", on=[0], after=MINUTE))
    sim.advance(hours=2)
    assert only(sim).first == T0 + HOUR + MINUTE
    assert only(sim).said.endswith("1 fault has struck")


def test_what_must_be_seen_once(sim):
    sim.promise(sometimes("a run is Late", lambda moment: moment.runs(state="Late")))
    sim.advance(hours=2)
    assert only(sim).said.endswith("it was never seen")
    sim.inject(WorkerAway(between=(T0 + 2.5 * HOUR, T0 + 3.25 * HOUR)))
    sim.advance(hours=2)
    assert only(sim).kept


def test_from_an_instant_on_what_has_healed_is_forgiven(sim):
    sim.inject(WorkerAway(between=(T0 + 0.9 * HOUR, T0 + 1.5 * HOUR)))
    on_time = always("on time", lambda moment: not moment.runs(state="Late"))
    sim.promise(on_time)
    sim.promise(on_time, since=T0 + 2 * HOUR)
    sim.advance(hours=3)
    assert [one.kept for one in sim.promises()] == [False, True]


def test_a_broken_one_ends_the_simulation_unless_it_was_looked_at():
    def live():
        with Simulation(start=T0) as sim:
            sim.deploy(load, name="dev", cron="0 * * * *")
            sim.inject(Hang(step="load", on=[0]))
            sim.promise(never_two("load"))
            sim.advance(hours=3)

    with pytest.raises(PromiseBroken) as broken:
        live()
    first, said, *others = str(broken.value).splitlines()
    assert first == "BROKEN: no two runs of load at once"
    assert said.startswith("  broken first at 2026-01-01T02:00:00Z, for 0:10:00 in all: two were R")
    assert any("fault 0: lets load hang for ever" in line for line in others)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: never_two("laod"), "no flow named 'laod'"),
        (lambda: once_per_cycle("load/prod"), "load/prod"),
        (lambda: noticed(by="alrt", within=HOUR), "no flow named 'alrt'"),
        (lambda: never_pending(timedelta(0)), "within=0 s must be more than 0"),
        (lambda: fresh("orders", "loaded_at", HOUR), "table='orders' must be a table's full name"),
        (lambda: always("x", 7), "check=7 must be a function of a Moment"),
        (lambda: 7, "promise: 7 is no promise: see simulator.promises"),
    ],
)
def test_what_cannot_be_promised_is_refused_in_one_line(sim, make, message):
    with pytest.raises(SimulationError) as refused:
        sim.promise(make())
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@scenario(name="kept-or-not", question="?", variants={"kept": None, "broken": 3 * HOUR})
def kept_or_not(sim, variant):
    sim.deploy(load, name="dev", cron="0 * * * *")
    if variant:
        sim.takes("load", variant)
    sim.promise(never_two("load/dev"))
    sim.advance(hours=4)


def test_a_promise_is_a_verdict_of_its_scenario():
    kept, broken = (run_variant(kept_or_not, name) for name in ("kept", "broken"))
    assert [verdict.passed for verdict in kept.verdicts] == [True]
    assert not broken.passed
    (verdict,) = broken.verdicts
    assert verdict.expectation == "no two runs of load/dev at once"
    assert len(verdict.runs) == len(verdict.explained) == 2
