"""What becomes of a fault, read from two histories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simulator.audit import judged
from simulator.history import History, Note, RunRecord, StateRecord
from tests.audit.histories import at, changed, family, run, task


def what_became(
    before: Sequence[RunRecord],
    after: Sequence[RunRecord],
    *,
    strike: float | None = 1,
    tables: Sequence[float] = (),
    **given: Any,
) -> list[tuple[str, str, float | None]]:
    """Of the last run of `before`, which is struck. `tables`: of which minute the newest rows are."""
    notes = [[], [] if strike is None else [Note(0, "fault", at(strike), "boom")]]
    for side, minute in zip(notes, tables, strict=False):
        details = {"newest": at(minute).isoformat()}
        side.append(Note(len(side), "table", at(minute), "mart.orders", details=details))
    end = at(24 * 60)
    sides = [
        History(runs, now=end, notes=own) for runs, own in zip((before, after), notes, strict=True)
    ]
    return [(one.kind, one.said, one.seconds) for one in judged(*sides, before[-1].id, **given)]


def test_nothing_differs() -> None:
    assert what_became(family(), family()) == [("nothing", "", None)]


def test_a_fault_that_found_nothing_to_strike_is_not_called_harmless() -> None:
    assert what_became(family(), family(), strike=None) == [("never struck", "", None)]


def test_a_child_fails_under_a_green_parent() -> None:
    assert what_became(family(), family("Failed")) == [
        ("masked", "load/prod ends Failed, and nightly/prod is Completed", None)
    ]


def test_a_child_that_is_called_in_a_loop_is_not_done_again_with_other_parameters() -> None:
    mother = run("nightly")

    def called(state: str, *tables: str) -> list[RunRecord]:
        first, second = [{"table": table} for table in tables]
        return [
            mother,
            run("load", state, 1, 4, mother, parameters=first),
            run("load", "Completed", 5, 9, mother, parameters=second),
        ]

    before = called("Completed", "orders", "prices")
    assert what_became(before, called("Failed", "orders", "prices")) == [
        ("masked", "load/prod ends Failed, and nightly/prod is Completed", None)
    ]
    before = called("Completed", "orders", "orders")
    assert what_became(before, called("Failed", "orders", "orders")) == [("nothing", "", None)]


def test_what_is_to_be_said_of_several_runs_is_said_once() -> None:
    three = [
        family(tasks=tuple(task("read", state) for _ in range(3)))
        for state in ("Completed", "Failed")
    ]
    assert what_became(*three) == [
        ("masked", "task read ends Failed, and load/prod is Completed", None)
    ]
    calm, bad = run("load", start=0, end=10), [run("load", "Failed", n, n + 5) for n in (0, 60)]
    assert what_became([calm, run("load", start=60, end=70)], bad) == [
        ("others fail", "load/prod", None),
        ("noticed", "by load/prod, which ends Failed", 240.0),  # the first one tells it
    ]


def test_who_was_masked_already_is_not_news() -> None:
    assert what_became(family("Failed"), family("Failed")) == [("nothing", "", None)]


def test_a_task_fails_in_a_green_flow() -> None:
    before, after = (family(tasks=(task("read", state),)) for state in ("Completed", "Failed"))
    assert what_became(before, after) == [
        ("masked", "task read ends Failed, and load/prod is Completed", None)
    ]


def test_a_task_that_never_ends_in_a_green_flow() -> None:
    before = family(tasks=(task("read"),))
    after = family(tasks=(task("read", "Running", end=None),))
    assert what_became(before, after) == [
        ("masked", "task read stays Running, and load/prod is Completed", None)
    ]


def test_the_outermost_run_that_fails_is_who_notices() -> None:
    assert what_became(family(), family("Failed", "Failed")) == [
        ("noticed", "by nightly/prod, which ends Failed", 540.0)
    ]


def test_an_automation_that_runs_only_then_notices_as_well() -> None:
    told = changed(run("alert", start=12, end=13), auto_scheduled=False)
    assert what_became(family(), [*family("Failed", "Failed"), told]) == [
        ("noticed", "by alert/prod, which runs only then", 660.0),
        ("noticed", "by nightly/prod, which ends Failed", 540.0),
    ]


def test_a_run_that_is_never_over_is_a_zombie_and_one_at_work_is_not() -> None:
    mother = run("nightly", "Running", end=None)
    child = run("load", "Running", 1, None, mother)
    assert what_became(family(), [mother, child]) == [
        ("zombie", "nightly/prod, load/prod never end", None)
    ]
    pending = changed(run("nightly", "Pending", end=None), start=None)
    assert what_became([run("nightly")], [pending]) == [("zombie", "nightly/prod never ends", None)]
    at_work = run("nightly", "Running", start=23 * 60, end=None)
    assert what_became([run("nightly", start=23 * 60, end=23 * 60 + 1)], [at_work]) == [
        ("nothing", "", None)
    ]


def test_a_retry_heals() -> None:
    before, after = (family(tasks=(task("read", attempts=count),)) for count in (1, 3))
    assert what_became(before, after) == [("healed", "by another attempt at read", 0.0)]


def test_work_that_had_been_done_is_done_again() -> None:
    again = (task("read"), task("write", "Failed"), task("read"), task("write"))
    after = family(tasks=again, run_count=2)
    assert what_became(family(tasks=(task("read"), task("write")), run_count=1), after) == [
        ("doubled work", "read", None),
        ("healed", "by another attempt at load/prod, read, write", 0.0),
    ]


def test_a_child_that_goes_on_alone_is_an_orphan() -> None:
    mother = run("nightly", "Failed", end=3)
    after = [mother, run("load", start=1, end=9, parent=mother)]
    assert what_became(family(), after) == [
        ("orphan", "load/prod goes on when nightly/prod has ended", None),
        ("noticed", "by nightly/prod, which ends Failed", 120.0),
    ]


def test_a_clean_up_that_is_skipped_is_told_apart_from_steps_that_had_to_be() -> None:
    before = family(tasks=(task("read"), task("write"), task("clean_up")))
    after = family("Failed", "Failed", tasks=(task("read", "Failed"),))
    assert what_became(before, after) == [
        ("skipped clean-up", "clean_up", None),
        ("noticed", "by nightly/prod, which ends Failed", 540.0),
        ("skipped", "write", None),
    ]


def test_a_run_that_is_not_there_is_lost_unless_something_says_so() -> None:
    other = run("report", start=20, end=30)
    assert what_became([other, *family()], family()) == [("lost run", "report/prod", None)]
    assert what_became([other, *family()], family("Failed", "Failed")) == [
        ("noticed", "by nightly/prod, which ends Failed", 540.0),
        ("skipped", "report/prod", None),
    ]


def test_what_had_no_time_to_begin_is_not_lost() -> None:
    other = run("report", start=20, end=30)
    waiting = run("report", "Pending", end=None)
    waiting = changed(waiting, start=None, state="Late", state_type="SCHEDULED")
    missing = [waiting, *family()]
    assert what_became([*family(), other], missing, until=at(24 * 60 + 1)) == [
        ("not over", "report/prod", None)
    ]
    assert what_became([*family(), other], missing, until=at(24 * 60)) == [
        ("lost run", "report/prod", None)
    ]
    at_work = run("nightly", "Running", start=20 * 60, end=None)
    assert what_became([other, run("nightly", start=20 * 60, end=21 * 60)], [at_work]) == [
        ("not over", "report/prod", None)
    ]


def test_others_fail_and_pile_up_and_are_late() -> None:
    def day(first: float, *others: tuple[str, float, float]) -> list[RunRecord]:
        due = [at(60 * number) for number in range(3)]
        runs = [run("load", state, start, end) for state, start, end in others]
        runs.append(run("load", end=first))
        return [
            changed(one, scheduled=when) for one, when in zip(runs, [*due[1:], due[0]], strict=True)
        ]

    before = day(10, ("Completed", 60, 70), ("Completed", 120, 130))
    after = day(150, ("Failed", 60, 70), ("Completed", 140, 155))
    assert what_became(before, after) == [
        ("others fail", "load/prod", None),
        ("at once", "2 runs of load/prod", None),
        ("noticed", "by load/prod, which ends Failed", 69 * 60.0),
        ("late", "load/prod", 140 * 60.0),
    ]


def test_a_table_that_gets_no_new_rows() -> None:
    found = what_became(family(), family("Failed", "Failed"), tables=(120, 60))
    assert ("stale table", "mart.orders", 3600.0) in found


def test_an_empty_batch_that_nobody_minds_is_unnoticed() -> None:
    assert what_became(family(), family(), wrong_value=True) == [
        ("unnoticed", "nightly/prod ends as ever", None)
    ]


def test_a_broken_promise_comes_first() -> None:
    found = what_became(family(), family("Failed"), broken=["no two runs at once"])
    assert [kind for kind, *_ in found] == ["broken promise", "masked"]


def test_a_child_that_failed_before_its_parent_was_retried_is_not_masked() -> None:
    mother, child = family("Failed")
    states = tuple(
        StateRecord(name, kind, at(minute))
        for name, kind, minute in (
            ("Running", "RUNNING", 0),
            ("AwaitingRetry", "SCHEDULED", 9),
            ("Retrying", "RUNNING", 9.5),
            ("Completed", "COMPLETED", 10),
        )
    )
    after = [changed(mother, states=states, run_count=2), child]
    kinds = [kind for kind, *_ in what_became(family(), after)]
    assert "masked" not in kinds
    assert "healed" in kinds
