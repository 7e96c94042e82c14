"""A step that returns what it has returned before: which run's, at which place, and when it cannot."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from simulator import Simulation, SimulationError
from simulator.faults import ReturnEarlier, from_plain, watched

count: dict[str, int] = {}
read: list[object] = []


def again(what: str) -> str:
    count[what] = count.get(what, 0) + 1
    return f"{what} {count[what]}"


@task(cache_policy=NO_CACHE)
def source(of: str) -> list[str]:
    return [again(of)]


@flow
def rates() -> str:
    return again("rates")


@flow
def nightly() -> None:
    shops, stocks = source("shops"), source("stocks")
    read.append((*shops, *stocks, rates()))
    shops.append("changed by who got it")


@flow
async def anightly() -> None:
    read.append(await afeed())


@task(cache_policy=NO_CACHE)
async def afeed() -> str:
    return again("feed")


@flow(retries=1)
def tried() -> None:
    read.append(source("tries")[0])
    if count["tries"] == 2:
        raise RuntimeError("once more")


@flow
def strict() -> None:
    if source("seen")[0] in read:
        raise ValueError("the same as the day before")
    read.append(f"seen {count['seen']}")


@task(cache_policy=NO_CACHE)
def lock() -> object:
    return threading.Lock()


@flow
def locking() -> None:
    read.append(type(lock()).__name__)


@pytest.fixture
def sim():
    count.clear()
    read.clear()
    with Simulation(start="2026-01-05T00:00:00Z") as simulation:
        yield simulation


def live(sim: Simulation, one, *faults: ReturnEarlier, days: int = 3) -> list[object]:
    sim.deploy(one, name="dev", cron="0 3 * * *")
    sim.inject(faults)
    sim.advance(days=days)
    return read


def test_a_step_returns_what_it_returned_the_run_before_at_its_place(sim) -> None:
    assert live(sim, nightly, ReturnEarlier(step="source", on=[2, 3])) == [
        ("shops 1", "stocks 1", "rates 1"),
        ("shops 1", "stocks 1", "rates 2"),  # of each place its own, as it was returned
        ("shops 2", "stocks 2", "rates 3"),  # its own code has not run that night
    ]


def test_so_does_a_subflow(sim) -> None:
    course = live(sim, nightly, ReturnEarlier(step="rates", on=[2]))
    assert course[2] == ("shops 3", "stocks 3", "rates 2")


def test_so_does_an_async_step(sim) -> None:
    assert live(sim, anightly, ReturnEarlier(step="afeed", on=[1])) == [
        "feed 1",
        "feed 1",
        "feed 2",
    ]


def test_it_may_be_older(sim) -> None:
    fault = ReturnEarlier(step="afeed", on=[2], runs_back=2)
    assert live(sim, anightly, fault) == ["feed 1", "feed 2", "feed 1"]


def test_what_never_changes_again_stays_as_it_was(sim) -> None:
    assert live(sim, anightly, ReturnEarlier(step="afeed"), days=4) == ["feed 1"] * 4


def test_another_attempt_of_the_flow_is_at_the_same_place(sim) -> None:
    course = live(sim, tried, ReturnEarlier(step="source", on=[2]))
    assert course == ["tries 1", "tries 2", "tries 1", "tries 3"]


def test_another_deployment_has_places_of_its_own(sim) -> None:
    sim.deploy(anightly, name="other", cron="0 4 * * *")
    assert live(sim, anightly, ReturnEarlier(step="afeed", on=[3]), days=2)[3] == "feed 2"


def test_what_fails_of_it_goes_back_to_the_fault(sim) -> None:
    live(sim, strict, ReturnEarlier(step="source", on=[1], name="stale"))
    why = sim.explain(sim.runs("strict")[1])
    assert why.fault == 0
    assert "stale: returns what it returned the run before in place of source" in str(why)
    struck = next(note for note in sim.history().notes if note.kind == "fault")
    assert struck.run_id == sim.runs("strict")[1].id


@pytest.mark.filterwarnings("ignore::simulator.errors.SilentFault")
@pytest.mark.parametrize("one", [(anightly, "afeed", [0, 77], 1), (locking, "lock", None, 3)])
def test_when_there_is_nothing_to_return_it_is_told(sim, one) -> None:
    top, step, on, days = one
    live(sim, top, ReturnEarlier(step=step, on=on), days=days)
    assert len(read) == days
    [said] = sim.silent_faults
    assert said == (
        f"fault 0 has never struck: returns what it returned the run before in place of {step}"
        " (when it could, the step had not returned anything so long before)"
    )


def test_what_can_never_strike_is_refused() -> None:
    with pytest.raises(SimulationError, match=r"on=\[0\]: 'x' has not returned anything the run"):
        from_plain({"kind": "return earlier", "step": "x", "on": [0]})
    with pytest.raises(SimulationError, match="not returned anything 3 runs before then"):
        ReturnEarlier(step="x", on=[1, 2], runs_back=3)
    with pytest.raises(SimulationError, match="runs_back=0 must be"):
        ReturnEarlier(step="x", runs_back=0)


@task(cache_policy=NO_CACHE)
def always() -> list[int]:
    return [1, 2]


@flow
def steady() -> None:
    always()
    source("steady")
    lock()


def test_who_watches_knows_which_runs_have_returned_something_else() -> None:
    count.clear()
    with watched() as changed, Simulation(start="2026-01-05T00:00:00Z") as sim:
        sim.deploy(steady, name="dev", interval=timedelta(hours=1))
        sim.advance(hours=3.5)
        runs = sim.runs("steady")
    tasks = [one for run in runs for one in run.tasks]
    assert len(runs) == 3
    assert [one.task for one in tasks if one.id in changed] == ["source", "source"]
    assert not changed & {one.id for one in runs[0].tasks}
    assert not changed & {run.id for run in runs}
    with Simulation() as sim:
        sim.run(steady)
        sim.run(steady)
    assert len(changed) == 2, "it is over"
