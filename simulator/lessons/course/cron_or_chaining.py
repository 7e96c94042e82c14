"""Cron or chaining: a second cron a few minutes later, or a start by the one before."""

import os
import time
from datetime import datetime, timedelta
from typing import Any

import duckdb
import prefect.runtime
from prefect import flow, task
from prefect.deployments import run_deployment

from simulator import Simulation, lognormal
from simulator.lessons.lesson import Change, Exercise, Figures, Knob, counted

# --- first the question ---------------------------------------------------------------------------

QUESTION = (
    "Each hour an export begins, and takes some four minutes. A report reads what it has"
    " written, and has a cron of its own a few minutes later. When the export takes longer than"
    " that, what becomes of the report?"
)
ANSWERS = (
    "It is Completed, and shows what was there before.",
    "It waits: it begins when the export is through.",
    "It is Failed: what it reads is not there.",
)
KNOB = Knob("gap", 5, "minutes from the cron of the export to that of the report", 1, 29)

# --- what people write ----------------------------------------------------------------------------


def connect() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(os.environ["WAREHOUSE_PATH"])
    con.execute("create table if not exists feed (hour text)")
    con.execute("create table if not exists reports (hour text, shows text)")
    return con


def this_hour() -> str:
    return f"{prefect.runtime.flow_run.scheduled_start_time:%Y-%m-%d %H}"


@task
def download() -> None: ...


@flow(name="export")
def export() -> None:
    download()
    with connect() as con:
        con.execute("insert into feed values (?)", [this_hour()])


@flow(name="export")
def export_and_start() -> None:
    download()
    with connect() as con:
        con.execute("insert into feed values (?)", [this_hour()])
    run_deployment("report/dev", timeout=0)


@flow(name="report")
def report() -> None:
    with connect() as con:
        con.execute("insert into reports select ?, max(hour) from feed", [this_hour()])


LANES = {"two crons": (export, report, True), "chained": (export_and_start, report, False)}

# --- what happens ---------------------------------------------------------------------------------

GIVEN = {
    "cron_of_the_export": "0 * * * *",
    "both_are_deployed_after": timedelta(minutes=30),
    "hours": 4,
    "half_of_the_downloads_take_less_than": timedelta(minutes=4),
    "the_logarithm_of_their_length_varies_by": 0.6,
}


def run(sim: Simulation, way: Any, gap: float) -> None:
    exporting, reporting, by_cron = way
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    median = GIVEN["half_of_the_downloads_take_less_than"]
    sim.takes("download", lognormal(median, GIVEN["the_logarithm_of_their_length_varies_by"]))
    sim.advance(GIVEN["both_are_deployed_after"])
    sim.deploy(reporting, name="dev", cron=f"{gap:g} * * * *" if by_cron else None)
    sim.deploy(exporting, name="dev", cron=GIVEN["cron_of_the_export"])
    sim.advance(hours=GIVEN["hours"])


# --- what came out --------------------------------------------------------------------------------


def figures(sim: Simulation, gap: float) -> Figures:
    built = sim.warehouse.query("select hour, shows is distinct from hour from reports")
    exports = sim.runs("export")
    ends = {_hour(run.scheduled): run.end or sim.now for run in exports}
    reports = sim.runs("report")
    longer = [hour for hour, end in ends.items() if end - hour > timedelta(minutes=gap)]
    return {
        "hours": len(exports),
        "exports that took longer than the gap": len(longer),
        "reports": len(built),
        "reports that lack their hour": sum(without for _, without in built),
        "hours without a report": len(exports) - len({hour for hour, _ in built}),
        "reports that are not Completed": sum(not run.completed for run in reports),
        "reports that began before the export's end": sum(
            run.start < ends[_hour(run.scheduled)] for run in reports
        ),
    }


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def right(crons: Figures, second: Figures) -> int:
    if not crons["exports that took longer than the gap"]:
        return 0
    if not crons["reports that began before the export's end"]:
        return 2
    return 3 if crons["reports that are not Completed"] else 1


def sentence(crons: Figures, second: Figures) -> str:
    return (
        f"In {counted(crons['exports that took longer than the gap'], 'hour')} of {crons['hours']} the"
        f" export took longer than the gap, and by two crons"
        f" {counted(crons['reports that lack their hour'], 'report')} of {crons['reports']} lacked the"
        f" hour's feed; in the other lane {counted(second['reports that lack their hour'], 'report')} of"
        f" {second['reports']} did."
    )


# --- now you --------------------------------------------------------------------------------------

CHANGE = Change(
    line='LANES = {"two crons": (export, report, True), "chained": (export_and_start, report, False)}',
    instead='LANES = {"two crons": (export, report, True), "chained": (export_and_start, report, True)}',
)


def is_there(hour: str) -> bool:
    with connect() as con:
        return con.execute("from feed where hour = ?", [hour]).fetchone() is not None


@flow(name="report", timeout_seconds=3600)
def report_when_it_is_there() -> None:
    while not is_there(this_hour()):
        time.sleep(60)
    report.fn()


def solved(crons: Figures, second: Figures) -> str:
    if second["reports that began before the export's end"] == 0:
        return "no report has begun before its export's end, so nothing is shown"
    if second["reports that lack their hour"]:
        return "a report lacks the hour's feed"
    if second["reports that are not Completed"]:
        return "a report is not Completed"
    if second["hours without a report"]:
        return f"{counted(second['hours without a report'], 'hour')} without a report"
    return ""


EXERCISE = Exercise(
    task="Keep both crons, and let each hour have its report, Completed and with the hour's feed.",
    solved=solved,
    solution=(export, report_when_it_is_there, True),
)
