"""Who cleans up after a run that does not get to its last line.

``export-invoices`` locks a month, writes its file, and unlocks the month. One that stays locked is never
exported again, so somebody must unlock it, whatever becomes of the run. Who is left to do so depends on
how it ends (PrefectHQ/prefect #16436, #17259, #10826):

===========================  ========  ============  ============  ===============
the month is unlocked by     it fails  is cancelled  is killed     its machine is
                                                                   gone
===========================  ========  ============  ============  ===============
its own ``finally``          yes       yes           no            no
its hooks                    yes       yes           yes           no
hooks by other names         yes       no            no            no
its parent                   yes       yes           yes           no
an automation                yes       yes           yes           no
the same, with heartbeats    yes       yes           yes           yes
===========================  ========  ============  ============  ===============

A hook on Failed is called by the run's own process; one on Crashed or Cancelled by its worker, which
names the arguments ``flow``, ``flow_run`` and ``state``. One that takes them by other names fails then,
which is a line in the log.
"""

from datetime import timedelta
from typing import Any

from prefect import flow, task
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.events import AutomationCore, DeploymentEventTrigger
from prefect.states import State, raise_state_exception

from pipelines import zombies
from pipelines.warehouse import connect

PATIENCE = timedelta(minutes=5)  # without a heartbeat

TABLES = """
create schema if not exists raw;
create table if not exists raw.locks (month varchar, locked_at timestamptz);
create table if not exists raw.unlocked (month varchar, who varchar, unlocked_at timestamptz);
"""


def lock(month: str) -> None:
    """Lock a month."""
    with connect() as con:
        con.execute(TABLES)
        con.execute("insert into raw.locks values (?, now())", [month])


def unlock(month: str, who: str) -> None:
    """Unlock a month, and note who has done it."""
    with connect() as con:
        con.execute("delete from raw.locks where month = ?", [month])
        con.execute("insert into raw.unlocked values (?, ?, now())", [month, who])


@task(name="write-file")
def write_file(month: str) -> None:
    """What takes its time."""


def export(month: str) -> None:
    """All of it, if all goes well."""
    lock(month)
    write_file(month)
    unlock(month, "export")


@flow(name="export-invoices")
def export_invoices(month: str) -> None:
    """Leave what is to be done after a bad end to somebody else."""
    export(month)


@flow(name="export-invoices")
def export_with_finally(month: str) -> None:
    """Do it in the flow.

    For: plain Python, also when the run is cancelled: its process is asked to end, and does.
    Against: a process that is killed has no last line.
    """
    lock(month)
    try:
        write_file(month)
    finally:
        unlock(month, "finally")


def unlock_after(flow: Any, flow_run: FlowRun, state: State) -> None:
    """A hook."""
    unlock(flow_run.parameters["month"], f"hook on {state.name}")


def unlock_by_other_names(its_flow: Any, its_run: FlowRun, its_state: State) -> None:
    """A hook as well, as long as nobody calls it by the names of its arguments."""
    unlock_after(its_flow, its_run, its_state)


@flow(
    name="export-invoices",
    on_failure=[unlock_after],
    on_crashed=[unlock_after],
    on_cancellation=[unlock_after],
)
def export_with_hooks(month: str) -> None:
    """Have Prefect do it.

    For: the worker calls them, too, when it finds the process dead.
    Against: each of the three must be named, and the worker must live.
    """
    export(month)


@flow(
    name="export-invoices",
    on_failure=[unlock_by_other_names],
    on_crashed=[unlock_by_other_names],
    on_cancellation=[unlock_by_other_names],
)
def export_with_hooks_by_other_names(month: str) -> None:
    """The trap: it works when the flow fails, which is what one tries."""
    export(month)


@flow(name="export-month")
def export_month(month: str) -> None:
    """Do it in a parent.

    For: plain code, in a process of its own.
    Against: it waits for an end, and a run whose machine is gone has none.
    """
    state = run_deployment("export-invoices/dev", parameters={"month": month}).state
    if not state.is_completed():
        unlock(month, "parent")
    raise_state_exception(state)


@flow(name="unlock-month")
def unlock_month(month: str) -> None:
    """What the automation runs."""
    unlock(month, "automation")


def on_bad_end() -> DeploymentEventTrigger:
    """When an export has ended badly.

    For: it lives in the server, and outlasts process, worker and parent.
    Against: it hears of ends alone; see ``crash_the_silent``.
    """
    return DeploymentEventTrigger(
        expect={f"prefect.flow-run.{end}" for end in ("Failed", "Crashed", "Cancelled")},
        match_related={"prefect.resource.name": "export-invoices", "prefect.resource.role": "flow"},
        parameters={"month": "{{ flow_run.parameters.month }}"},
    )


def crash_the_silent() -> AutomationCore:
    """An automation that gives an end to each run that sends no heartbeats any more."""
    silent = zombies.when_silent(PATIENCE, zombies.ANY)
    return AutomationCore(name="crash-the-silent", trigger=silent, actions=[zombies.CRASH])
