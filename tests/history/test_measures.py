"""Measures over hand-made histories, small enough to work each figure out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import SimulationError
from simulator.history.history import History, RunRecord, StateRecord, TaskRecord
from simulator.measures import (
    Build,
    Measure,
    child_success,
    default_measures,
    end_to_end_latency,
    freshness_attainment,
    masked_failures,
    mean,
    orphans,
    parent_success,
    partial_reads,
    peak_concurrency,
    recovery_time,
    run_seconds,
    share,
    skipped_cleanups,
    slot_waiting,
    stale_reads,
    staleness,
    staleness_over_time,
    waiting,
    wasted_builds,
    wasted_runs,
    zombies,
)

T0 = datetime(2026, 1, 1, tzinfo=UTC)
TYPES = {"AwaitingConcurrencySlot": "SCHEDULED", "Late": "SCHEDULED", "TimedOut": "FAILED"}
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def run(
    flow: str,
    *states: tuple[str, float],
    parent: RunRecord | None = None,
    deployment: str | None = None,
    scheduled: float | None = None,
    tasks: tuple[TaskRecord, ...] = (),
    auto_scheduled: bool = False,
) -> RunRecord:
    """A run that entered those states at those minutes."""
    entered = tuple(
        StateRecord(name, TYPES.get(name, name.upper()), at(minute)) for name, minute in states
    )
    newest = entered[-1]
    return RunRecord(
        id=uuid4(),
        name="bold-otter",
        flow=flow,
        deployment=f"{flow}/{deployment}" if deployment else None,
        state=newest.name,
        state_type=newest.type,
        message=None,
        states=entered,
        scheduled=entered[0].timestamp if scheduled is None else at(scheduled),
        start=next((state.timestamp for state in entered if state.type == "RUNNING"), None),
        end=newest.timestamp if newest.type in FINAL else None,
        tasks=tasks,
        parent_id=parent.id if parent else None,
        auto_scheduled=auto_scheduled,
    )


def ran(flow: str, start: float, end: float, final: str = "Completed", **values) -> RunRecord:
    return run(flow, ("Running", start), (final, end), **values)


def figures(measure: Measure) -> tuple[float | None, int]:
    return measure.value, measure.n


def spread(measure: Measure) -> tuple[float | None, float | None, float | None, int]:
    return measure.value, measure.low, measure.high, measure.n


# --- figures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counted", "n", "low", "high"),
    # The examples of Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),  # not among them
    ],
)
def test_a_share_carries_its_wilson_interval(counted, n, low, high):
    measure = share("x", counted, n)

    assert measure.value == counted / n
    assert (round(measure.low, 4), round(measure.high, 4)) == (low, high)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_its_share_and_stays_within_bounds(pair):
    measure = share("x", *pair)

    assert 0 <= measure.low <= measure.value <= measure.high <= 1
    assert measure.low < measure.high
    # Where it comes from: shares that lie 1.96 of their own standard errors away.
    for end in {measure.low, measure.high} - {0.0, 1.0}:
        error = (end * (1 - end) / measure.n) ** 0.5
        assert abs(measure.value - end) == pytest.approx(1.959964 * error)


def test_a_share_of_nothing_is_undefined():
    assert share("x", 0, 0) == Measure("x", None, "share", None, None, 0)
    with pytest.raises(ValueError, match=r"counted\(=3\) must be within 0\.\.2"):
        share("x", 3, 2)


def test_a_mean_tells_the_smallest_and_the_largest():
    assert mean("x", [1.0, 2.0, 6.0]) == Measure("x", 3.0, "seconds", 1.0, 6.0, 3)
    assert mean("x", []) == Measure("x", None, "seconds", None, None, 0)


# --- did it work -------------------------------------------------------------------------------


def family() -> History:
    """Four parents: good; failed; Completed over a failed child; over a failed grandchild."""
    good = ran("parent", 0, 10)
    failed = ran("parent", 60, 70, "Failed")
    masking = ran("parent", 120, 130)
    deep = ran("parent", 180, 190)
    alive = run("parent", ("Running", 240))
    middle = ran("middle", 181, 189, parent=deep)
    return History(
        [
            *(good, ran("child", 1, 2, parent=good)),
            *(failed, ran("child", 61, 62, "Crashed", parent=failed)),
            *(masking, ran("child", 121, 122, "TimedOut", parent=masking, deployment="dev")),
            *(deep, middle, ran("child", 182, 183, "Cancelled", parent=middle)),
            *(alive, run("child", ("Running", 241), parent=alive)),
            run("parent", ("Scheduled", 0), scheduled=300, auto_scheduled=True),
        ]
    )


def test_parent_success_counts_top_level_runs_that_have_ended():
    assert figures(parent_success(family())) == (3 / 4, 4)
    assert figures(parent_success(family(), "middle")) == (1, 1)


def test_child_success_counts_called_runs_that_have_ended():
    assert figures(child_success(family())) == (2 / 5, 5)
    assert figures(child_success(family(), "child")) == (1 / 4, 4)


def test_masked_failures_reach_down_to_grandchildren():
    assert figures(masked_failures(family())) == (2 / 4, 4)
    assert figures(masked_failures(family(), "middle")) == (1, 1)


def test_orphans_outlive_their_parent():
    parent = ran("parent", 0, 10)
    alive = run("parent", ("Running", 0))
    history = History(
        [
            *(parent, alive),
            ran("child", 1, 9, parent=parent),
            ran("child", 1, 10, parent=parent),  # ends in the same instant
            ran("child", 1, 11, parent=parent),
            run("child", ("Running", 2), parent=parent),
            run("child", ("Scheduled", 9), ("Running", 12), ("Completed", 13), parent=parent),
            run("other", ("Scheduled", 9), parent=parent),
            run("child", ("Running", 1), parent=alive),
        ]
    )

    assert figures(orphans(history)) == (2 / 6, 6)
    assert figures(orphans(history, waiting=True)) == (4 / 6, 6)
    assert figures(orphans(history, "other", waiting=True)) == (1, 1)


def test_zombies_never_reach_a_final_state():
    ended = ran("parent", 0, 10, "Failed")
    alive = run("parent", ("Running", 2000))
    sibling = run("child", ("Running", 5), parent=ended)
    history = History(
        [
            *(ended, alive, sibling),
            run("leaf", ("Running", 1990), parent=sibling),  # its host is two levels up
            run("child", ("Running", 1990), parent=ended, deployment="dev"),  # a process of its own
            run("silent", ("Pending", 10)),
            run("child", ("Running", 2000), parent=alive),
            run("waits", ("Late", 10)),
        ],
        now=at(2000),
    )

    assert figures(zombies(history)) == (3 / 7, 7)
    assert figures(zombies(history, silence=timedelta(minutes=5))) == (4 / 7, 7)


def test_skipped_cleanups_are_parents_without_their_last_step():
    def task(start: datetime | None) -> TaskRecord:
        fields = {"state": "Completed", "state_type": "COMPLETED", "message": None, "states": ()}
        return TaskRecord(
            *(uuid4(), "tidy-3a9", "tidy", "tidy-00"),
            **fields,
            scheduled=None,
            start=start,
            end=start,
            run_count=1,
        )

    tidy, untidy, waited = ran("parent", 0, 9), ran("parent", 10, 19), ran("parent", 20, 29)
    nested = ran("parent", 30, 39)
    middle = ran("middle", 31, 38, parent=nested)
    history = History(
        [
            *(tidy, untidy, waited, nested, middle),
            ran("tidy", 1, 2, "Failed", parent=tidy),
            run("tidy", ("Scheduled", 21), parent=waited),
            ran("tidy", 32, 33, parent=middle),
            ran("tidy", 34, 35),  # on its own
            ran("parent", 40, 49, tasks=(task(at(41)),)),
            ran("parent", 50, 59, tasks=(task(None),)),
            run("parent", ("Running", 60)),
        ]
    )

    assert figures(skipped_cleanups(history, "tidy")) == (3 / 6, 6)
    assert figures(skipped_cleanups(history, "tidy", "middle")) == (0, 1)


def test_recovery_goes_from_the_first_fault_to_the_end_of_the_next_good_cycle():
    failed, masking = ran("parent", 60, 70, "Failed"), ran("parent", 120, 130)
    good = ran("parent", 180, 190)
    history = History(
        [
            ran("parent", 0, 10),
            *(failed, ran("child", 61, 65, "Crashed", parent=failed)),
            *(masking, ran("child", 121, 122, "Failed", parent=masking)),
            run("parent", ("Running", 150)),  # undecided
            *(good, ran("child", 189, 195, parent=good, deployment="dev")),
            ran("parent", 240, 250, "Failed"),
            ran("parent", 300, 310),
            ran("parent", 360, 370, "Failed"),
            ran("other", 65, 66),  # another flow does not heal this one
        ]
    )

    # 65 -> 195 and 250 -> 310; the last one is not over.
    assert spread(recovery_time(history)) == (95 * 60, 3600, 7800, 2)


def test_recovery_follows_the_scheduled_times():
    """A cycle that was due earlier but ran later does not heal one that was due after it."""
    history = History(
        [
            ran("parent", 10, 20, "Failed", scheduled=5),
            ran("parent", 30, 40, scheduled=0),
            ran("parent", 50, 60, scheduled=10),
        ]
    )

    assert figures(recovery_time(history)) == (40 * 60, 1)


# --- time and load -----------------------------------------------------------------------------


def test_waiting_is_from_scheduled_to_started():
    history = History(
        [
            run("f", ("Scheduled", 0), ("Running", 1), ("Completed", 9), deployment="dev"),
            run("f", ("Scheduled", 0), ("Late", 1), ("Running", 4), deployment="dev"),
            run("f", ("Scheduled", 0), deployment="dev"),
            run("f", ("Pending", 0), ("Running", 8)),
            run("g", ("Scheduled", 0), ("Running", 1), deployment="dev"),
        ]
    )

    assert spread(waiting(history)) == (120, 60, 240, 3)
    assert spread(waiting(history, "f")) == (150, 60, 240, 2)


def test_slot_waiting_is_the_time_in_awaiting_concurrency_slot():
    slot = "AwaitingConcurrencySlot"
    history = History(
        [
            run(
                "f",
                *(("Scheduled", 0), ("Pending", 1), (slot, 2), ("Pending", 4), (slot, 5)),
                *(("Pending", 6), ("Running", 8)),
                deployment="dev",
            ),
            run("f", ("Scheduled", 0), ("Running", 1), deployment="dev"),
            run("f", ("Scheduled", 0), (slot, 1), deployment="dev"),
            run("g", ("Pending", 0), ("Running", 1)),
        ]
    )

    assert spread(slot_waiting(history)) == (90, 0, 180, 2)


def test_peak_concurrency_counts_what_runs_at_one_time():
    parent = ran("parent", 0, 30)
    history = History(
        [
            parent,
            ran("child", 0, 10, parent=parent),
            ran("child", 10, 20, parent=parent),  # starts as the other ends
            ran("child", 15, 25, parent=parent),
            run("child", ("Scheduled", 16), parent=parent),
        ],
        flows=["none"],
    )

    assert peak_concurrency(history) == Measure("peak concurrency", 3, "runs", None, None, 4)
    assert figures(peak_concurrency(history, "child")) == (2, 3)
    assert figures(peak_concurrency(history, "none")) == (None, 0)


def test_peak_concurrency_leaves_out_the_time_between_attempts():
    retried = run("f", ("Running", 0), ("AwaitingRetry", 5), ("Running", 20), ("Completed", 30))

    assert figures(peak_concurrency(History([retried, ran("f", 5, 20)]))) == (1, 2)


def test_peak_concurrency_of_runs_that_take_no_time():
    parent = ran("parent", 5, 5)
    middle = ran("middle", 5, 5, parent=parent)
    chain = [parent, middle, ran("leaf", 5, 5, parent=middle), ran("leaf", 5, 5, parent=middle)]
    around = [ran("around", 0, 9), ran("before", 0, 5), ran("after", 5, 9)]

    assert figures(peak_concurrency(History(chain))) == (3, 4)
    assert figures(peak_concurrency(History([*chain, *around]))) == (4, 7)
    # A parent that starts, or ends, in the instant of its child is running with it.
    first, last = ran("parent", 0, 9), ran("parent", 20, 29)
    assert figures(peak_concurrency(History([first, ran("c", 0, 0, parent=first)]))) == (2, 2)
    assert figures(peak_concurrency(History([last, ran("c", 29, 29, parent=last)]))) == (2, 2)


def test_run_seconds_add_up_the_time_in_running():
    ended = ran("parent", 0, 10, "Failed")
    history = History(
        [
            ended,
            run("f", ("Running", 0), ("AwaitingRetry", 5), ("Running", 20), ("Completed", 30)),
            run("zombie", ("Running", 2), parent=ended),  # until its host ended
            run("alive", ("Running", 90), parent=ended, deployment="dev"),  # until now
            run("waits", ("Late", 0)),
        ],
        now=at(100),
    )

    assert run_seconds(history) == Measure(
        "run-seconds", (10 + 15 + 8 + 10) * 60, "seconds", None, None, 4
    )
    assert figures(run_seconds(history, "waits")) == (None, 0)


def test_latency_of_a_downstream_that_the_cycle_calls():
    first, second, third = (ran("export", m + 1, m + 10, scheduled=m) for m in (0, 60, 120))
    history = History(
        [
            *(first, ran("dbt", 9, 14, parent=first, deployment="dev")),
            # Its own downstream failed: the cycle's data is built with the next one.
            *(second, ran("dbt", 69, 72, "Failed", parent=second, deployment="dev")),
            *(third, ran("dbt", 129, 135, parent=third, deployment="dev")),
        ]
    )

    assert spread(end_to_end_latency(history, "export", "dbt")) == (
        pytest.approx((14 + 75 + 15) * 60 / 3),
        14 * 60,
        75 * 60,
        3,
    )


def test_latency_of_a_downstream_with_a_schedule_of_its_own():
    history = History(
        [
            ran("export", 0, 3, scheduled=0),
            ran("dbt", 5, 6),
            ran("export", 60, 67, scheduled=60),  # too late for the next
            ran("dbt", 65, 66),
            ran("export", 120, 125, "Failed", scheduled=120),
            ran("dbt", 125, 127),  # in time for the second, and nothing of the third
            ran("export", 180, 183, scheduled=180),
            ran("dbt", 183, 191),  # just in time
            ran("export", 240, 243, scheduled=240),  # not built yet
        ]
    )

    assert spread(end_to_end_latency(history, "export", "dbt")) == (28 * 60, 6 * 60, 67 * 60, 3)
    assert figures(end_to_end_latency(history, "export", "export"))[1] == 4


def test_wasted_runs_change_nothing_or_are_read_by_nobody():
    history = History(
        [
            ran("b", 0, 1),  # nothing there yet
            ran("a", 2, 3),
            ran("a", 4, 5),  # overwrites the first before anybody read it
            ran("b", 5, 7),  # starts as the second delivers
            ran("b", 8, 9),  # nothing new
            ran("a", 10, 12, "Failed"),
            ran("b", 13, 14),  # nothing new
            ran("a", 15, 16),
            ran("b", 17, 18, "Failed"),
            ran("b", 19, 20),
            ran("a", 21, 22),  # not read yet: undecided
        ],
        flows=["none", "nothing"],
    )

    assert figures(wasted_runs(history, "a", "b")) == (4 / 8, 8)
    assert figures(wasted_runs(history, "a", "none")) == (3 / 3, 3)
    assert figures(wasted_runs(history, "none", "b")) == (1, 5)
    assert figures(wasted_runs(history, "none", "nothing")) == (None, 0)


def test_a_downstream_that_starts_inside_its_upstream_has_read_it():
    first, second = ran("a", 0, 10), ran("a", 20, 30)
    history = History(
        [
            *(first, ran("b", 8, 9, parent=first, deployment="dev")),
            *(second, ran("b", 28, 29, parent=second)),
        ]
    )

    assert figures(wasted_runs(history, "a", "b")) == (0, 4)


# --- tables ------------------------------------------------------------------------------------


def test_stale_and_partial_reads_are_shares_of_builds():
    builds = [
        Build(at(65), at(61), complete=True, cycle=at(60)),
        Build(at(5), at(-50), complete=False, cycle=at(0)),
        Build(at(125), at(120), complete=False, cycle=at(120)),
        Build(at(185), None, complete=True, cycle=at(180)),
        Build(at(190), at(1), complete=True),
    ]

    assert figures(stale_reads(builds)) == (2 / 4, 4)
    assert figures(partial_reads(iter(builds))) == (2 / 5, 5)
    assert figures(partial_reads([])) == (None, 0)


def test_builds_that_found_nothing_new_are_wasted():
    builds = [Build(at(5), at(0)), Build(at(9), at(5)), Build(at(1), at(0)), Build(at(12), at(10))]

    assert figures(wasted_builds(builds)) == (1 / 3, 3)
    assert figures(wasted_builds(builds[:1])) == (None, 0)


def test_staleness_is_the_age_at_the_moment_of_building():
    builds = [Build(at(5), at(1)), Build(at(65), at(55)), Build(at(70), None)]

    assert spread(staleness(builds)) == (7 * 60, 4 * 60, 10 * 60, 2)


def test_staleness_over_time_is_the_area_under_the_saw_tooth():
    # From minute 10 the age goes from 10 to 30, from minute 30 from 5 to 15.
    builds = [Build(at(30), at(25)), Build(at(10), at(0)), Build(at(35), None)]

    measure = staleness_over_time(builds, until=at(40))

    assert spread(measure) == (
        pytest.approx((20 * 20 + 10 * 10) / 30 * 60),
        5 * 60,
        30 * 60,
        2,
    )
    assert figures(staleness_over_time(builds, until=at(10))) == (None, 0)


def test_freshness_attainment_is_the_share_of_time_within_the_target():
    builds = [Build(at(10), at(0)), Build(at(30), at(25)), Build(at(35), None)]
    target = timedelta(minutes=12)

    # Met from 10 to 12 and from 30 to 37.
    measure = freshness_attainment(builds, target, until=at(40))
    assert (measure.value, measure.low, measure.high, measure.n) == (
        pytest.approx(9 / 30),
        None,
        None,
        3,
    )
    assert freshness_attainment(builds, target, at(40), since=at(0)).value == pytest.approx(9 / 40)
    assert freshness_attainment(builds, target, at(40), since=at(11)).value == pytest.approx(8 / 29)
    assert freshness_attainment(builds, target, at(30)).value == pytest.approx(2 / 20)
    assert freshness_attainment(builds, timedelta(minutes=40), at(40)).value == 1
    assert freshness_attainment(builds, timedelta(minutes=4), at(40)).value == 0
    assert freshness_attainment([], target, at(40)).value is None
    assert freshness_attainment([], target, at(40), since=at(0)).value == 0


def test_bad_facts_are_one_clear_error():
    with pytest.raises(SimulationError, match=r"^built_at\(=2026-01-01 00:00:00\) of a build must"):
        Build(datetime(2026, 1, 1), None)  # noqa: DTZ001
    with pytest.raises(SimulationError, match=r"^target\(=-1 day, 0:00:00\) must not be negative$"):
        freshness_attainment([], timedelta(days=-1), at(0))


# --- the default set ---------------------------------------------------------------------------


def test_the_default_measures_are_the_same_ones_for_every_history():
    empty = default_measures(History([], now=T0))
    filled = default_measures(family())

    assert [(m.name, m.unit) for m in empty] == [(m.name, m.unit) for m in filled]
    assert len({m.name for m in filled}) == len(filled) == 10
    assert all((m.value, m.n) == (None, 0) for m in empty)
    values = {m.name: m.value for m in filled}
    assert (values["parent success"], values["masked failures"]) == (3 / 4, 2 / 4)
