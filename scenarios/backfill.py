"""A parent with dates as parameters: today by schedule, the past by backfill, and again."""

from dataclasses import dataclass
from datetime import date, timedelta

from prefect import Flow

from pipelines import backfill as pipeline
from pipelines import random_failure
from simulator import Simulation
from simulator.measures import Measure, share
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """A parent, and the numbers of the loads that fail, counted from 0 over the whole simulation."""

    parent: Flow
    failing: tuple[int, ...] = ()


GOOD = "repeated after success"
MENDED = "repeated after a failure"
BY_KEY = "repeated after a failure, with idempotency keys"

FIRST_DATE = date(2026, 1, 1)
DATES = 3
BAD_DATE = 1  # the second date


@scenario(
    name="backfill",
    question="May I repeat a backfill, and does a date that failed come right?",
    lesson=(
        "If every step replaces what it wrote for its date, a range may be ordered as often as one "
        "likes, also over dates that the schedule has loaded: every date is there once. An "
        "idempotency key for each date does not give that: it keeps the first run, so the date that "
        "failed fails again for ever, at once and without any run."
    ),
    patterns=("P01",),
    days=1,
    start="2026-01-10T00:00:00Z",
    variants={
        GOOD: Variant(pipeline.backfill),
        MENDED: Variant(pipeline.backfill, failing=(BAD_DATE,)),
        BY_KEY: Variant(pipeline.backfill_by_key, failing=(BAD_DATE,)),
    },
)
def backfill(sim: Simulation, variant: Variant, days: int) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    sim.takes("extract", timedelta(minutes=5))
    sim.takes("transform-load", timedelta(minutes=10))
    sim.takes("cleanup", timedelta(minutes=1))
    sim.fail("transform-load", on=variant.failing, error=OSError("the disk is full"))
    sim.deploy(random_failure.transform_load, name="dev")
    sim.deploy(variant.parent, name="dev", cron="0 12 * * *")
    for _ in range(2):
        sim.trigger(f"{variant.parent.name}/dev", parameters=span(FIRST_DATE, DATES))
        sim.advance(hours=4)
    sim.advance_to(sim.start + timedelta(days=days))
    # Once more, over what the schedule has loaded.
    sim.trigger(f"{variant.parent.name}/dev", parameters=span(sim.start.date(), days))
    sim.advance(hours=days)


def span(first: date, count: int) -> dict[str, str]:
    """The parameters of a parent for `count` dates from `first` on."""
    last = first + timedelta(days=count - 1)
    return {"start_date": f"{first}", "end_date": f"{last}"}


def parents(sim: Simulation) -> list[RunRecord]:
    """The parent's runs: two backfills, those of the schedule, and one more backfill."""
    return [run for run in sim.runs() if run.parent is None]


def batch(day: date) -> str:
    """The batch id of a date."""
    return f"{day:%Y%m%dT0000Z}"


def dates(first: date, count: int) -> list[date]:
    """`count` dates from `first` on."""
    return [first + timedelta(days=number) for number in range(count)]


def rows(sim: Simulation, table: str) -> dict[str, int]:
    """The rows of each batch in a table."""
    return dict(
        sim.warehouse.query(f"select batch_id, count(*) from {table} group by 1 order by 1")
    )


def one_date(day: date) -> list[tuple[str, str]]:
    """What one date calls, in order, and for which batch."""
    return [(step, batch(day)) for step in ("extract", "transform-load", "cleanup")]


def called(run: RunRecord) -> list[tuple[str, str]]:
    """What a parent called, in order, and for which batch."""
    return [(child.flow, child.parameters["batch_id"]) for child in run.children]


@backfill.expect(GOOD)
def each_backfill_goes_through_its_dates_in_order(sim):
    for run in parents(sim)[:2]:
        assert run.state == "Completed", run
        assert called(run) == [
            step for day in dates(FIRST_DATE, DATES) for step in one_date(day)
        ], run
        ends = [child.end for child in run.children]
        starts = [child.start for child in run.children]
        assert all(end <= start for end, start in zip(ends, starts[1:], strict=False)), run


@backfill.expect()
def only_transform_load_is_a_run_of_a_deployment(sim):
    for child in (child for run in parents(sim) for child in run.children):
        assert (child.deployment is not None) == (child.flow == "transform-load"), child


@backfill.expect()
def the_schedule_loads_its_own_date(sim, days):
    scheduled = [run for run in parents(sim) if run.auto_scheduled]
    assert len(scheduled) == days
    for run, day in zip(scheduled, dates(sim.start.date(), days), strict=True):
        assert run.state == "Completed", run
        assert called(run) == one_date(day), run


@backfill.expect(GOOD, MENDED)
def in_the_end_every_date_is_there_once_and_nothing_is_left_landed(sim, days):
    assert rows(sim, "marts.sales") == {
        batch(day): 10 for day in dates(FIRST_DATE, DATES) + dates(sim.start.date(), days)
    }
    assert rows(sim, "raw.sales") == {}


@backfill.expect(GOOD, MENDED)
def every_repetition_has_replaced_the_rows(sim, days):
    *_, second, last = [run for run in parents(sim) if not run.auto_scheduled]
    for run in (second, last):
        assert run.state == "Completed", run
        for child in run.children:
            if child.flow == "transform-load":
                built = sim.warehouse.query(
                    "select distinct built_at from marts.sales where batch_id = ?",
                    [child.parameters["batch_id"]],
                )
                assert len(built) == 1
                assert child.start <= built[0][0] <= child.end, child


@backfill.expect(MENDED, BY_KEY)
def the_first_failure_ends_the_range(sim):
    run = parents(sim)[0]
    done = [step for day in dates(FIRST_DATE, BAD_DATE) for step in one_date(day)]
    bad = one_date(dates(FIRST_DATE, DATES)[BAD_DATE])[:2]  # without its clean-up
    assert run.state == "Failed", run
    assert "the disk is full" in run.message
    assert called(run) == done + bad


@backfill.expect(BY_KEY)
def with_a_key_the_failed_date_fails_again_without_a_run(sim):
    first, again = parents(sim)[:2]
    assert again.state == "Failed", again
    assert "the disk is full" in again.message
    assert [child.flow for child in again.children] == ["extract", "cleanup"] * BAD_DATE + [
        "extract"
    ]
    assert len([child for child in first.children if child.deployment]) == BAD_DATE + 1


@backfill.expect(BY_KEY)
def with_a_key_the_failed_date_stays_landed_and_unloaded(sim, days):
    good = dates(FIRST_DATE, BAD_DATE) + dates(sim.start.date(), days)
    assert rows(sim, "marts.sales") == {batch(day): 10 for day in good}
    assert rows(sim, "raw.sales") == {batch(dates(FIRST_DATE, DATES)[BAD_DATE]): 10}


@backfill.expect(BY_KEY)
def with_a_key_a_repetition_loads_nothing(sim, days):
    last = parents(sim)[-1]
    assert last.state == "Completed", last
    assert [child.flow for child in last.children] == ["extract", "cleanup"] * days
    for day in dates(sim.start.date(), days):
        ((built,),) = sim.warehouse.query(
            "select distinct built_at from marts.sales where batch_id = ?", [batch(day)]
        )
        assert built < last.start


@backfill.measure
def dates_loaded(sim, days) -> Measure:
    wanted = {batch(day) for day in dates(FIRST_DATE, DATES) + dates(sim.start.date(), days)}
    return share("dates loaded", len(wanted & set(rows(sim, "marts.sales"))), len(wanted))
