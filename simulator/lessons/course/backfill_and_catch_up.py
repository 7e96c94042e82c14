"""Backfill and catch-up: what a worker finds that has been away."""

import os
from datetime import UTC, date, datetime, timedelta

import duckdb
import prefect.runtime
from prefect import Flow, flow, get_client, task
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.sync import concurrency

from simulator import Simulation
from simulator.lessons.lesson import Change, Exercise, Figures, Knob, counted, lasted
from simulator.records import TaskRecord

# --- first the question ---------------------------------------------------------------------------

QUESTION = (
    "Each night at 03:00 a flow loads the day. Its worker is away for some nights, and comes back"
    " at noon. What becomes of the runs that were due meanwhile?"
)
ANSWERS = (
    "All of them begin when the worker is back, at once.",
    "They are gone: it goes on with the next night.",
    "The newest of them begins when the worker is back, and makes up for the others.",
)
KNOB = Knob("away", 3, "nights for which the worker is away", 1, 4)

# --- what people write ----------------------------------------------------------------------------


@task
def fetch(day: date) -> None:
    with duckdb.connect(os.environ["WAREHOUSE_PATH"]) as con:
        con.execute("create table if not exists loaded (day date)")
        con.execute("delete from loaded where day = ?", [day])
        con.execute("insert into loaded values (?)", [day])


@flow(name="load")
def by_the_clock() -> None:
    fetch(datetime.now(UTC).date())


@flow(name="load")
def by_the_schedule() -> None:
    fetch(prefect.runtime.flow_run.scheduled_start_time.date())


LANES = {"by the clock": by_the_clock, "by the schedule": by_the_schedule}

# --- what happens ---------------------------------------------------------------------------------

GIVEN = {
    "cron": "0 3 * * *",
    "nights": 5,
    "a_fetch_takes": timedelta(minutes=20),
    "the_worker_goes_after": timedelta(hours=12),
}


def run(sim: Simulation, load: Flow, away: float) -> None:
    with get_client(sync_client=True) as client:
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name="source", limit=1))
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    sim.deploy(load, name="dev", cron=GIVEN["cron"])
    sim.takes("fetch", GIVEN["a_fetch_takes"])
    sim.advance(GIVEN["the_worker_goes_after"])
    sim.stop_worker()
    sim.advance(days=away)
    sim.start_worker()
    sim.advance_to(sim.start + timedelta(days=GIVEN["nights"]))


# --- what came out --------------------------------------------------------------------------------


def figures(sim: Simulation, away: float) -> Figures:
    runs = sim.runs("load")
    gone = sim.start + GIVEN["the_worker_goes_after"]
    back = gone + timedelta(days=away)
    due = [run for run in runs if gone < run.scheduled <= back]
    began = [run.start - back for run in due if run.start is not None]
    days = {day for (day,) in sim.warehouse.query("select day from loaded")}
    return {
        "runs": len(runs),
        "runs due while the worker was away": len(due),
        "of them began when it was back": sum(later >= timedelta() for later in began),
        "the last of them began after": max(began, default=timedelta()),
        "dates without a load": len({run.scheduled.date() for run in runs} - days),
        "fetches at once, at most": _at_once([task for run in runs for task in run.tasks]),
    }


def _at_once(tasks: list[TaskRecord]) -> int:
    """How many are going on when one of them begins, at most."""
    return max(
        (sum(one.start <= task.start < one.end for one in tasks) for task in tasks), default=0
    )


def right(clock: Figures, second: Figures) -> int:
    due, began = (
        clock["runs due while the worker was away"],
        clock["of them began when it was back"],
    )
    if due < 2:
        return 0
    if began == due:
        return 1
    return 3 if began else 2


def sentence(clock: Figures, second: Figures) -> str:
    return (
        f"Of {counted(clock['runs due while the worker was away'], 'run')} due while the worker was away"
        f" {clock['of them began when it was back']} began when it was back, the last of them"
        f" {lasted(clock['the last of them began after'])} later; what takes its date from the clock"
        f" leaves {counted(clock['dates without a load'], 'date')} of {clock['runs']} without a load,"
        f" and the other lane {second['dates without a load']}."
    )


# --- now you --------------------------------------------------------------------------------------

CHANGE = Change(
    line="    fetch(prefect.runtime.flow_run.scheduled_start_time.date())",
    instead="    fetch(prefect.runtime.flow_run.scheduled_start_time.date() - timedelta(days=1))",
)


@flow(name="load")
def one_at_a_time() -> None:
    with concurrency("source", occupy=1, strict=True):
        fetch(prefect.runtime.flow_run.scheduled_start_time.date())


def solved(clock: Figures, second: Figures) -> str:
    if second["runs due while the worker was away"] < 2:
        return "no two runs catch up, so nothing is shown"
    if second["dates without a load"]:
        return f"{counted(second['dates without a load'], 'date')} without a load"
    if not second["fetches at once, at most"]:
        return "the task fetch has not run"
    if second["fetches at once, at most"] > 1:
        return f"{second['fetches at once, at most']} fetches go on at once"
    return ""


EXERCISE = Exercise(
    task="The source bears one fetch at a time, and has a limit named source for that, with one slot."
    " Let the runs that catch up keep to it, and leave no date without a load.",
    solved=solved,
    solution=one_at_a_time,
)
