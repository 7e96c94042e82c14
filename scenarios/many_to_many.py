"""Twenty sources, forty marts, one declaration, three ways to run it."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from difflib import ndiff
from functools import cache
from typing import Any

from prefect import Flow

from pipelines import shapes
from pipelines.graph import cycle_at, is_due, read_graph
from pipelines.many_to_many import deployments
from simulator import Simulation
from simulator.measures import Build, Measure, mean, share, staleness
from simulator.records import RunRecord
from simulator.scenario import scenario

PARENT = "one generated parent"
TRIGGERS = "event triggers"
WAITING = "waiting downstreams"

MIDNIGHT = datetime(2026, 1, 6, tzinfo=UTC)
FAILING = "shop-orders"
ADDED = "  - {name: order-alerts, cadence: hourly, upstream: [shop-orders]}\n"


LAUNCH = MIDNIGHT - timedelta(hours=2, minutes=10)


@scenario(
    name="many-to-many",
    question="Sixty flows need each other. Who should see to the order?",
    lesson=(
        "A generated parent keeps the order and shows a cycle in one run, but one failure makes the "
        "cycle Failed (1/60 states), and what needs the failed flow is never created. Event triggers "
        "cost nothing while they wait, but events know no cycle: a daily flow of hourly ones runs "
        "every hour, and what never started leaves no trace. Waiting downstreams tell every miss by a "
        "Failed run, and are Running while they wait. Adding a flow is one line in all three."
    ),
    patterns=("P14",),
    days=1,
    start=MIDNIGHT - timedelta(days=1, minutes=5),
    variants={PARENT: "parent", TRIGGERS: "triggers", WAITING: "waiting"},
)
def many_to_many(sim: Simulation, variant: str, days: int) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    deployed = options_by_name(variant, added=False)
    for number, declared in enumerate(GRAPH.flows):
        nightly_load = declared.template == "etl" and declared.cadence == "daily"
        sim.takes(declared.name, timedelta(minutes=2 + number % 4 + 8 * nightly_load))
    sim.fail(FAILING, between=(MIDNIGHT, MIDNIGHT + timedelta(minutes=59)))
    # An hourly flow needs these, so those of the day before have to be there.
    rates, options = deployed["exchange-rates"]
    sim.deploy(rates, name="dev", parameters=options["parameters"])
    sim.trigger("exchange-rates/dev", at=MIDNIGHT - timedelta(days=1))
    sim.advance_to(LAUNCH)
    for flow, options in deployed.values():
        sim.deploy(flow, **options)
    sim.advance_to(MIDNIGHT + timedelta(hours=1, minutes=50))
    for flow, options in touched(variant):
        sim.deploy(flow, **options)
    sim.advance_to(LAUNCH + span(days))


def span(days: int) -> timedelta:
    """How long the platform lives: by default six hours with a midnight in them, else whole days."""
    return timedelta(hours=6) if days == 1 else timedelta(days=days)


@cache
def options_by_name(way: str, *, added: bool) -> dict[str, tuple[Flow, dict[str, Any]]]:
    """What there is to deploy, by the name of the flow, before and after somebody adds a flow."""
    graph = read_graph(declaration(added=added))
    return {flow.name: (flow, options) for flow, options in deployments(graph, way)}


def declaration(*, added: bool) -> str:
    """The text that users write, before and after somebody adds a flow to it."""
    return shapes.PLATFORM.read_text() + (ADDED if added else "")


def touched(way: str) -> list[tuple[Flow, dict[str, Any]]]:
    """The deployments that a flow more makes anew or changes."""
    before, after = (options_by_name(way, added=added) for added in (False, True))
    return [
        (flow, options)
        for name, (flow, options) in after.items()
        if name not in before or before[name][1] != options
    ]


# --- what was due, and what was built -------------------------------------------------------------

GRAPH = shapes.many_to_many()
HIT = GRAPH.downstream_of(FAILING)
"""The flows that need the failing one, directly or not."""


def hours(days: int) -> list[datetime]:
    """The full hours that the platform lived through."""
    first = LAUNCH + timedelta(minutes=10)
    return [first + timedelta(hours=at) for at in range(span(days) // timedelta(hours=1))]


def due(days: int, names: Iterable[str]) -> set[tuple[str, datetime]]:
    """Each of these flows with each cycle for which it is to be built."""
    return {
        (name, hour) for name in names for hour in hours(days) if is_due(cadence_of(name), hour)
    }


def cadence_of(name: str) -> str:
    """How often a flow of the platform runs."""
    return GRAPH.by_name[name].cadence


def built(sim: Simulation) -> Counter[tuple[str, datetime]]:
    """How often each flow was built for each cycle, since the platform lives."""
    rows = sim.warehouse.query(
        "select flow, cycle, count(distinct built_at) from marts.builds "
        "where built_at > ? group by all",
        [LAUNCH],
    )
    return Counter({(flow, cycle): builds for flow, cycle, builds in rows})


def reads(sim: Simulation) -> list[tuple[str, datetime, datetime, str, datetime, datetime]]:
    """A row for each build and each upstream flow that it read."""
    return sim.warehouse.query(
        "select * from marts.builds where upstream is not null and built_at > ? order by all",
        [LAUNCH],
    )


def as_old_as_its_oldest_input(sim: Simulation) -> list[Build]:
    """The builds, each with the age of the upstream flow whose data is the oldest."""
    rows = sim.warehouse.query(
        "select built_at, min(loaded_at) as oldest from marts.builds "
        "where upstream is not null and built_at > ? group by flow, built_at order by all",
        [LAUNCH],
    )
    return [Build(built_at, oldest) for built_at, oldest in rows]


def stale(read: tuple[str, datetime, datetime, str, datetime | None, datetime]) -> bool:
    """Whether a build found an older cycle of an upstream flow than the one it should have found."""
    _, cycle, _, upstream, found, _ = read
    return found is None or found < cycle_at(cycle, cadence_of(upstream))


def missed(sim: Simulation, days: int) -> set[tuple[str, datetime]]:
    """What was due and has not been built, without the failing flow itself."""
    return due(days, GRAPH.by_name) - {*built(sim)} - {(FAILING, MIDNIGHT)}


def platform_runs(sim: Simulation) -> list[RunRecord]:
    """The runs that have started since the platform lives, without the parent's."""
    return [
        run for run in sim.runs() if run.flow != "graph-parent" and (run.start or LAUNCH) > LAUNCH
    ]


@many_to_many.expect()
def what_does_not_need_the_failed_flow_is_built_in_every_cycle(sim, days):
    spared = GRAPH.by_name.keys() - HIT - {FAILING}
    assert not due(days, spared) - {*built(sim)}
    assert not [read for read in reads(sim) if stale(read) and read[0] not in HIT]


@many_to_many.expect()
def every_flow_is_built_again_after_the_failure(sim, days):
    after = {(name, cycle) for name, cycle in missed(sim, days) if cycle != MIDNIGHT}
    assert not after


@many_to_many.expect(PARENT, WAITING)
def all_that_needs_the_failed_flow_misses_its_cycle(sim, days):
    assert missed(sim, days) == {(name, MIDNIGHT) for name in HIT}


@many_to_many.expect(PARENT)
def the_parent_is_failed_and_what_could_not_run_was_never_created(sim):
    for parent in sim.runs("graph-parent", state="Completed"):
        assert parent.scheduled != MIDNIGHT
        assert all(child.state == "Completed" for child in parent.children), parent
    (failed,) = sim.runs("graph-parent", state="Failed")
    assert failed.scheduled == MIDNIGHT
    # What is NotReady has not ended, for Prefect: it is Pending, and not counted as failed.
    assert failed.message == f"1/{len(GRAPH.flows)} states failed.", failed
    not_completed = [child.flow for child in failed.children if child.state != "Completed"]
    assert not_completed == [FAILING]
    assert not HIT & {child.flow for child in failed.children}
    names = Counter(task.state for task in failed.tasks if task.task == "run-declared")
    assert names == {
        "Completed": len(GRAPH.flows) - 1 - len(HIT),
        "Failed": 1,
        "NotReady": len(HIT),
    }


@many_to_many.expect(TRIGGERS)
def nothing_tells_of_the_flows_that_never_started(sim, days):
    red = [run.flow for run in platform_runs(sim) if run.failed]
    assert red == [FAILING]
    silent = missed(sim, days)
    assert silent
    assert {name for name, _ in silent} <= HIT


@many_to_many.expect(TRIGGERS)
def a_daily_flow_of_hourly_ones_runs_every_hour(sim, days):
    hourly_only = {
        flow.name
        for flow in GRAPH.flows
        if flow.cadence == "daily"
        and flow.upstream
        and all(cadence_of(name) == "hourly" for name in flow.upstream)
    }
    assert hourly_only == {"orders-by-day", "funnel"}
    for name in hourly_only:
        good = len(hours(days)) - (name in HIT)
        assert len(sim.runs(name, state="Completed")) == good, name


@many_to_many.expect(PARENT, WAITING)
def nothing_is_built_twice_for_a_cycle(sim):
    assert set(built(sim).values()) == {1}


@many_to_many.expect(WAITING)
def every_flow_that_misses_its_cycle_fails_and_says_what_for(sim):
    red = {run.flow: run for run in platform_runs(sim) if run.failed}
    assert red.keys() == HIT | {FAILING}
    for name in HIT:
        culprits = {*GRAPH.by_name[name].upstream} & red.keys()
        assert any(f"the run of {one}/dev for" in red[name].message for one in culprits), red[name]


@many_to_many.expect()
def no_flow_is_built_before_what_it_needs(sim):
    ends = {(run.flow, run.end) for run in platform_runs(sim)}
    for flow, cycle, built_at, upstream, found, _ in reads(sim):
        last = max(
            (end for name, end in ends if name == upstream and end <= built_at), default=None
        )
        if last is None:
            assert upstream == "exchange-rates", flow  # of the day before
            assert cycle < MIDNIGHT
        assert found is not None


@many_to_many.expect()
def one_line_more_adds_a_flow_that_runs_in_the_next_cycle(sim, days):
    assert lines_touched() == 1
    runs = sim.runs("order-alerts")
    later = [hour for hour in hours(days) if hour >= MIDNIGHT + timedelta(hours=2)]
    assert [cycle_at(run.start, "hourly") for run in runs if run.start] == later
    assert {run.state for run in runs if run.start} == {"Completed"}


def lines_touched() -> int:
    """How many lines differ between the two declarations."""
    before, after = (declaration(added=added).splitlines() for added in (False, True))
    return sum(line[0] in "+-" for line in ndiff(before, after))


@many_to_many.measure
def three_ways_compared(sim, variant, days) -> list[Measure]:
    runs = [run for run in sim.runs() if run.start and run.start > LAUNCH]
    lost = missed(sim, days)
    red = {run.flow for run in platform_runs(sim) if run.failed}
    return [
        Measure("runs", len(runs), "runs", n=len(runs)),
        mean("lag behind upstream", [lag.total_seconds() for lag in lags(sim)]),
        staleness(as_old_as_its_oldest_input(sim)),
        share("stale reads", sum(map(stale, reads(sim))), len(reads(sim))),
        share("cycles missed", len(lost), len(due(days, GRAPH.by_name))),
        share("missed in silence", sum(name not in red for name, _ in lost), len(lost)),
        share("built again for a cycle", sum(built(sim).values()) - len(built(sim)), len(runs)),
        Measure("lines to add a flow", lines_touched(), "lines", n=1),
        Measure("deployments to add a flow", len(touched(variant)), "deployments", n=1),
    ]


def lags(sim: Simulation) -> list[timedelta]:
    """From the end of the last run that a build needs to the build itself."""
    ends: dict[str, list[datetime]] = {}
    for run in platform_runs(sim):
        if run.completed:
            ends.setdefault(run.flow, []).append(run.end)
    needed: dict[tuple[str, datetime], list[datetime]] = {}
    for flow, _, built_at, upstream, _, _ in reads(sim):
        before = [end for end in ends.get(upstream, ()) if end <= built_at]
        needed.setdefault((flow, built_at), []).extend(before[-1:])
    return [at - max(before) for (_, at), before in needed.items() if before]
