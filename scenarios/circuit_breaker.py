"""A partner is down for an hour and a half: try each time, open a breaker, or pause the deployment."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from prefect import Flow
from prefect.client.orchestration import get_client

from pipelines import circuit_breaker as pipeline
from pipelines.circuit_breaker import ATTEMPTS, FAILURES
from simulator import Simulation
from simulator.measures import Measure
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """A flow, and whether an automation pauses its deployment."""

    flow: Flow = pipeline.load_rates
    pausing: bool = False


NOTHING = "try each time"
BREAKER = "a breaker in a variable"
PAUSED = "an automation that pauses"

MINUTE = timedelta(minutes=1)
DOWN, UP = 25 * MINUTE, 115 * MINUTE
CYCLES = 9  # while the partner is down


@scenario(
    name="circuit-breaker",
    question="An API is down for hours. How do I stop hammering it, and who starts the job again?",
    lesson=(
        "Retries are for moments: over an outage each cycle makes all its attempts, and holds a slot "
        "for as long as they take. A breaker that opens after two failed cycles makes one request "
        "in half an hour, and closes by itself, half an hour after the outage at the latest. An "
        "automation that pauses the deployment makes no request at all, and no run after the outage "
        "either: nobody resumes it."
    ),
    patterns=("R06",),
    variants={
        NOTHING: Variant(),
        BREAKER: Variant(pipeline.load_rates_with_breaker),
        PAUSED: Variant(pausing=True),
    },
)
def circuit_breaker(sim: Simulation, variant: Variant) -> None:
    sim.warehouse.keep_open()
    down = ",".join((sim.start + one).isoformat() for one in (DOWN, UP))
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path, PARTNER_DOWN=down)
    sim.deploy(variant.flow, name="dev", interval=pipeline.EVERY)
    if variant.pausing:
        with get_client(sync_client=True) as client:
            client.create_automation(pipeline.pause_after_failures("dev"))
    sim.advance(minutes=165)


def cycles(sim: Simulation) -> list[RunRecord]:
    """The runs that were due while the partner was down, oldest first."""
    return [run for run in sim.runs() if sim.start + DOWN <= run.scheduled < sim.start + UP]


def requests(sim: Simulation) -> int:
    """The requests made to the partner while it was down."""
    [(count,)] = sim.warehouse.query("select count(*) from raw.attempts where not answered")
    return count


def good_again(sim: Simulation) -> datetime | None:
    """When the partner answered for the first time after the outage."""
    [(first,)] = sim.warehouse.query(
        "select min(made_at) from raw.attempts where answered and made_at >= ?", [sim.start + UP]
    )
    return first


@circuit_breaker.expect(NOTHING)
def each_cycle_makes_all_its_attempts_and_fails(sim):
    assert [run.state for run in cycles(sim)] == ["Failed"] * CYCLES
    assert requests(sim) == CYCLES * ATTEMPTS
    assert good_again(sim) - (sim.start + UP) < pipeline.EVERY


@circuit_breaker.expect(BREAKER)
def two_cycles_fail_and_then_one_request_in_half_an_hour_does(sim):
    states = [run.state for run in cycles(sim)]
    half_an_hour = ["Skipped", "Skipped", "Failed"]
    assert states == ["Failed"] * FAILURES + 2 * half_an_hour + ["Skipped"]
    assert requests(sim) == FAILURES * ATTEMPTS + 2


@circuit_breaker.expect(BREAKER)
def it_closes_by_itself(sim):
    assert good_again(sim) - (sim.start + UP) < pipeline.OPEN + pipeline.EVERY
    assert sim.runs()[-1].state == "Completed"


@circuit_breaker.expect(PAUSED)
def the_deployment_is_paused_after_two_failures_and_for_good(sim):
    assert [run.state for run in cycles(sim)] == ["Failed"] * FAILURES
    assert requests(sim) == FAILURES * ATTEMPTS
    assert good_again(sim) is None
    (gate,) = [gate for gate in sim.history().gates if gate.kind == "deployment"]
    assert gate.paused


@circuit_breaker.measure
def what_the_outage_costs(sim) -> list[Measure]:
    again = good_again(sim)
    busy = sum((run.end - run.start for run in cycles(sim)), timedelta(0)).total_seconds()
    after = None if again is None else (again - (sim.start + UP)).total_seconds()
    return [
        Measure("requests in vain", requests(sim), "requests", n=len(cycles(sim))),
        Measure("a slot held in vain", busy, "seconds", n=len(cycles(sim))),
        Measure("good again after", after, "seconds", n=int(again is not None)),
    ]
