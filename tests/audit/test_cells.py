"""Which faults there are of which steps, and which run each of them strikes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from uuid import UUID

from simulator.audit.cells import AN_HOUR, AWAY, DOWN, MOMENT, Cell, cells_of
from simulator.history import History, RunRecord
from tests.audit.histories import at, changed, family, run, task


def cells(*runs: RunRecord, anew: Collection[UUID] = (), **empty: object) -> dict[str, Cell]:
    found = cells_of(History(runs, now=at(24 * 60)), empty, anew)
    return {cell.name: cell for cell in found}


def test_a_run_that_went_well_is_struck_and_known_by_its_number() -> None:
    bad, good = run("load", "Failed"), run("load", start=60, end=70)
    found = cells(bad, good, run("load", start=120, end=130))
    assert found["load/prod:raises-once"].run_id == good.id
    assert found["load/prod:raises-once"].fault["on"] == [1]
    assert found["load/prod:raises"].fault["between"] == [
        at(60).isoformat(),  # up to the next one, with all its attempts
        at(120).isoformat(),
    ]


def test_what_takes_no_time_is_not_made_slower() -> None:
    assert "load/prod:slow" in cells(run("load"))
    assert "load/prod:slow" not in cells(run("load", end=0))


def test_only_what_a_worker_takes_is_without_one() -> None:
    mother = changed(run("nightly"), work_pool="own")
    child = changed(run("load", parent=mother), deployment=None)
    found = cells(mother, child)
    assert found["nightly/prod:worker-away"].fault["work_pool"] == "own"
    assert {"load:raises", "load:hangs", "load:killed"} <= found.keys()
    assert not {"load:worker-away", "load:api-down"} & found.keys()


def test_only_what_an_event_has_brought_about_can_miss_it() -> None:
    told = changed(run("alert", start=10, end=11), auto_scheduled=False)
    found = cells(*family(), told)
    assert {name for name in found if "event" in name} == {
        "alert/prod:event-late",
        "alert/prod:event-lost",
    }
    assert "event" not in found["alert/prod:event-lost"].fault  # whichever it was
    at_its_end = changed(told, states=(replace(told.states[0], timestamp=at(10)),))
    assert cells(*family(), at_its_end)["alert/prod:event-lost"].fault["event"] == (
        "prefect.flow-run.*"
    )


def test_what_holds_something_up_is_over_at_an_instant() -> None:
    told = changed(run("alert", start=10, end=11), auto_scheduled=False, work_pool="own")
    found = cells(told)
    assert {name.partition(":")[2]: cell.until for name, cell in found.items() if cell.until} == {
        "raises": at(24 * 60),
        "worker-away": at(10) + AWAY,
        "api-down": at(10) + DOWN,
        "event-late": told.states[0].timestamp + MOMENT + AN_HOUR,
    }


def test_a_task_that_says_what_it_returns_may_return_nothing() -> None:
    runs = family(tasks=(task("read"), task("write")))
    found = cells(*runs, read=[])
    assert found["read:gives-nothing"].fault == {
        "kind": "return", "step": "read", "on": [0], "value": []
    }  # fmt: skip
    assert "write:gives-nothing" not in found


def test_what_has_returned_something_else_than_before_may_return_the_same() -> None:
    first = family(tasks=(task("read"), task("write")))
    mother = run("nightly", start=60, end=70)
    child = run("load", start=61, end=69, parent=mother, tasks=(task("read"), task("write")))
    found = cells(*first, mother, child, anew={child.tasks[0].id, child.id})
    assert found["read:gives-stale"].fault == {
        "kind": "return earlier", "step": "read", "on": [1]
    }  # fmt: skip
    assert found["read:gives-stale"].wrong_value
    assert found["read:gives-stale"].run_id == child.id
    assert {name for name in found if "stale" in name} == {"read:gives-stale"}  # no deployment
    subflow = changed(child, deployment=None)
    assert "load:gives-stale" in cells(*first, mother, subflow, anew={subflow.id})
    assert "load:gives-stale" not in cells(*first, mother, subflow)
