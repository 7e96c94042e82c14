"""An API is down for two minutes, and twelve tasks try again: together, or each in its own time."""

from datetime import datetime, timedelta

from prefect import Flow

from pipelines import retrying as pipeline
from pipelines.retrying import SERVED, SHOPS
from simulator import Simulation
from simulator.measures import Measure, share
from simulator.scenario import scenario

FIXED = "a fixed delay"
BACKOFF = "exponential backoff"
JITTER = "exponential backoff with jitter"

DOWN = timedelta(minutes=2)


@scenario(
    name="retrying",
    question="Why do my retries make an API that was down fall over again, and what does jitter do?",
    lesson=(
        "Without jitter all tasks come back in the same second, every time: as many as the API bears "
        "are served, and the others are turned away and come together again. Backing off makes that "
        "worse, for each further round is twice as far away. With `retry_jitter_factor` nearly every "
        "request is served once the API is back."
    ),
    patterns=("R02",),
    variants={
        FIXED: pipeline.load_shops_fixed,
        BACKOFF: pipeline.load_shops_backing_off,
        JITTER: pipeline.load_shops_with_jitter,
    },
)
def retrying(sim: Simulation, variant: Flow) -> None:
    sim.warehouse.keep_open()
    until = sim.start + DOWN
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path, API_DOWN_UNTIL=until.isoformat())
    sim.deploy(variant, name="dev")
    sim.trigger(f"{variant.name}/dev")
    sim.advance(hours=1)


def requests(sim: Simulation) -> list[tuple[datetime, int]]:
    """When each request was made since the API is back, and how it was answered."""
    return sim.warehouse.query(
        "select began_at, status from raw.requests where began_at >= ? order by began_at",
        [sim.start + DOWN],
    )


def rounds(sim: Simulation) -> list[int]:
    """How many requests came in each second in which any came, from the very first one on."""
    found = sim.warehouse.query(
        "select count(*) from raw.requests group by date_trunc('second', began_at) "
        "order by date_trunc('second', began_at)"
    )
    return [count for (count,) in found]


def turned_away(sim: Simulation) -> int:
    """The requests that were refused although the API was back."""
    return sum(status != 200 for _, status in requests(sim))


def all_served_after(sim: Simulation) -> timedelta:
    """From the end of the outage to the last request that was served."""
    return max(at for at, status in requests(sim) if status == 200) - (sim.start + DOWN)


@retrying.expect()
def every_shop_is_loaded_once_in_the_end(sim, variant):
    (run,) = sim.runs(variant.name)
    assert run.state == "Completed", run
    served = sim.warehouse.query("select shop from raw.requests where status = 200 order by shop")
    assert served == [(shop,) for shop in range(SHOPS)]


@retrying.expect(FIXED, BACKOFF)
def without_jitter_they_come_together_each_time(sim):
    *down, first, second, third = rounds(sim)
    assert set(down) == {SHOPS}
    assert [first, second, third] == [SHOPS, SHOPS - SERVED, SHOPS - 2 * SERVED]
    assert turned_away(sim) == (SHOPS - SERVED) + (SHOPS - 2 * SERVED)


@retrying.expect(FIXED)
def three_rounds_of_twenty_seconds_serve_all(sim):
    assert all_served_after(sim) < timedelta(seconds=61)


@retrying.expect(BACKOFF)
def three_rounds_of_backing_off_take_minutes(sim):
    assert all_served_after(sim) > timedelta(seconds=2 * pipeline.LONGEST)


@retrying.expect(JITTER)
def with_jitter_they_come_apart(sim):
    first, *later = rounds(sim)
    assert first == SHOPS
    assert max(later[2:]) <= SHOPS // 2
    assert turned_away(sim) < SHOPS - SERVED


@retrying.measure
def how_the_api_fares(sim) -> list[Measure]:
    made = requests(sim)
    return [
        Measure("requests in one second", max(rounds(sim)[1:]), "requests", n=len(made)),
        share("turned away by an API that is back", turned_away(sim), len(made)),
        Measure("all served after", all_served_after(sim).total_seconds(), "seconds", n=len(made)),
    ]
