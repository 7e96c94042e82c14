"""One declared graph of flows, run in three ways.

`deployments(graph, way)` makes the deployments of a `Graph`, one a flow, as arguments for
`Flow.deploy`. What differs is who sees to it that a flow runs after what it needs:

``parent``    one generated parent, every hour, runs all that is due, each after what it needs
``triggers``  sources have a cron; every other flow starts when what it needs has Completed
``waiting``   every flow has a cron, and first waits for the runs of its cycle that it needs

``marts.builds`` has a row for each build and each of its upstream flows: which cycle it was for,
which cycle of the upstream it found, and when the oldest data in it was loaded.
"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import prefect.runtime
from prefect import Flow, flow, task
from prefect.deployments import run_deployment
from prefect.events import DeploymentCompoundTrigger, DeploymentEventTrigger, EventTrigger
from prefect.futures import PrefectFuture
from prefect.states import State, raise_state_exception
from prefect.task_runners import ThreadPoolTaskRunner

from pipelines.graph import CADENCES, DeclaredFlow, Graph, cycle_at, is_due
from pipelines.waiting_downstream import wait_for_run
from pipelines.warehouse import batch_of, connect, land_rows

BUILDS = """
create schema if not exists marts;
create table if not exists marts.builds (
    flow varchar, cycle timestamptz, built_at timestamptz,
    upstream varchar, upstream_cycle timestamptz, loaded_at timestamptz
);
"""

# --- the templates --------------------------------------------------------------------------------


@flow(name="etl")
def etl(name: str, cadence: str, cycle: datetime | None = None) -> None:
    """Land the rows of one cycle in the raw table of the declared flow `name`.

    It cannot ask Prefect for that name: a process imports the template, and that is called "etl".
    """
    cycle = cycle or current_cycle(cadence)
    rng = Random(f"{name} {cycle}")
    table = f"raw.{name.replace('-', '_')}"
    land_rows(
        table, [{"id": number, "value": rng.random()} for number in range(3)], batch_of(cycle)
    )
    with connect() as con:
        con.execute(BUILDS)
        con.execute(
            "insert into marts.builds values (?, ?, now(), null, null, now())", [name, cycle]
        )


@flow(name="mart")
def mart(
    name: str,
    cadence: str,
    upstream: dict[str, str],
    cycle: datetime | None = None,
    wait: bool = False,
) -> None:
    """Build one cycle out of the newest build of each upstream flow.

    Args:
        name: What this flow is declared as.
        cadence: How often this flow runs.
        upstream: The names of the flows that it needs, with the cadence of each.
        cycle: The cycle to build; by default the one that the run's schedule lies in.
        wait: Whether to wait first for the runs of this cycle that it needs.
    """
    cycle = cycle or current_cycle(cadence)
    if wait:
        for needed, its_cadence in upstream.items():
            wait_for_run(
                f"{needed}/dev", cycle_at(cycle, its_cadence), poll_interval=timedelta(minutes=2)
            )
    with connect() as con:
        con.execute(BUILDS)
        con.execute(
            "insert into marts.builds "
            "with newest as ("
            "  select flow, cycle, min(loaded_at) as loaded_at from marts.builds "
            "  group by flow, cycle, built_at "
            "  qualify row_number() over (partition by flow order by built_at desc) = 1"
            ") select $flow, $cycle, now(), needed, newest.cycle, newest.loaded_at "
            "from unnest($upstream) as names(needed) left join newest on newest.flow = needed",
            {
                "flow": name,
                "cycle": cycle,
                "upstream": [*upstream],
            },
        )


TEMPLATES = {"etl": etl, "mart": mart}


def current_cycle(cadence: str) -> datetime:
    """The cycle that the current flow run's scheduled start lies in."""
    return cycle_at(prefect.runtime.flow_run.scheduled_start_time.astimezone(UTC), cadence)


# --- one generated parent -------------------------------------------------------------------------


@task(name="run-declared")
def run_declared(name: str, cycle: datetime) -> None:
    """Run one declared flow to its end; fails if it fails."""
    flow_run = run_deployment(f"{name}/dev", parameters={"cycle": cycle.isoformat()})
    raise_state_exception(flow_run.state)


@flow(name="graph-parent", task_runner=ThreadPoolTaskRunner(max_workers=100))
def graph_parent(flows: list[DeclaredFlow]) -> list[State]:
    """Run all flows that are due in this hour, each after those that it needs.

    For: the order is sure, one run shows the whole cycle, and what cannot run is not even begun.
    Against: one failure makes the whole cycle Failed, the next cycle starts beside a slow one, and
    a flow that could not run has to wait for its next cycle.
    """
    cycle = current_cycle("hourly")
    futures: dict[str, PrefectFuture[None]] = {}
    for declared in flows:
        if is_due(declared.cadence, cycle):
            needed = [futures[name] for name in declared.upstream if name in futures]
            futures[declared.name] = run_declared.submit(declared.name, cycle, wait_for=needed)
    for future in futures.values():
        future.wait()
    return [future.state for future in futures.values()]


# --- event triggers -------------------------------------------------------------------------------


def after_all_of(declared: DeclaredFlow, graph: Graph) -> list[Any]:
    """The trigger that starts a flow when what it needs has Completed.

    For: nothing waits and nothing polls; a flow starts seconds after what it needs.
    Against: events know no cycle. A compound trigger joins whichever Completed events lie within
    its time, which therefore has to be shorter than the shortest cadence. Nothing tells of a flow
    that never started.

    An hourly flow is not started by a daily one: it would run once a day. A daily flow that needs
    hourly ones only runs every hour.
    """
    cadences = {name: graph.by_name[name].cadence for name in declared.upstream}
    needed = [name for name in declared.upstream if cadences[name] == "hourly"]
    if declared.cadence == "daily" or not needed:
        needed = [*declared.upstream]
    completed = [
        {
            "expect": {"prefect.flow-run.Completed"},
            "match_related": {
                "prefect.resource.role": "flow",
                "prefect.resource.name": name,
            },
        }
        for name in needed
    ]
    name = f"{declared.name} after {', '.join(needed)}"
    if len(completed) == 1:
        return [DeploymentEventTrigger(name=name, **completed[0])]
    return [
        DeploymentCompoundTrigger(
            name=name,
            require="all",
            within=timedelta(minutes=45),
            triggers=[EventTrigger(**one) for one in completed],
        )
    ]


# --- the deployments of a graph -------------------------------------------------------------------


def deployments(graph: Graph, way: str) -> Iterator[tuple[Flow[..., Any], dict[str, Any]]]:
    """The deployments of a graph, each as a flow and the arguments of its `Flow.deploy`.

    `way`: "parent", "triggers" or "waiting". For "waiting" every flow has a schedule of its own.
    """
    for declared in graph.flows:
        needs = {name: graph.by_name[name].cadence for name in declared.upstream}
        parameters: dict[str, Any] = {"name": declared.name, "cadence": declared.cadence}
        parameters |= {"upstream": needs} if needs else {}
        options: dict[str, Any] = {"name": "dev", "parameters": parameters}
        if way == "waiting" or (way == "triggers" and not needs):
            options["cron"] = CADENCES[declared.cadence]
        elif way == "triggers":
            options["triggers"] = after_all_of(declared, graph)
        if way == "waiting" and needs:
            parameters["wait"] = True
        yield TEMPLATES[declared.template].with_options(name=declared.name), options
    if way == "parent":
        flows = [asdict(declared) for declared in graph.flows]
        yield graph_parent, {"name": "dev", "cron": "0 * * * *", "parameters": {"flows": flows}}
