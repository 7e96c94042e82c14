"""A failure, a worker that is away, a deployment that is paused: which alert hears which silence."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from prefect.events import DeploymentEventTrigger

from pipelines import dead_mans_switch as pipeline
from simulator import Simulation
from simulator.faults import DeploymentPaused, Raise, WorkerAway
from simulator.measures import Measure, mean, share
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """What raises an alert, None for a watchdog; and which of the three incidents it hears, None if it
    is a matter of chance.
    """

    trigger: Callable[[], DeploymentEventTrigger] | None
    hears: tuple[str, ...] | None


ON_FAILURE = "an alert on Failed"
ON_LATE = "an alert on Late"
WINDOWS = "a switch that looks at windows"
SWITCH = "a switch wound up by each run"
WATCHDOG = "a watchdog"

HOUR = timedelta(hours=1)
INCIDENTS = {  # each with its hours: two cycles, or one
    "failure": (1.5, 2.9),
    "worker away": (3.5, 5.9),
    "paused": (7.5, 9.9),
}


def on_failure() -> DeploymentEventTrigger:
    return pipeline.when("Failed", "Crashed", "TimedOut")


def in_windows() -> DeploymentEventTrigger:
    return pipeline.when_silent(after_one=False)


def on_late() -> DeploymentEventTrigger:
    return pipeline.when("Late")


@scenario(
    name="dead-mans-switch",
    question="My hourly job has not run since yesterday, and nobody told me. What would have?",
    lesson=(
        "An alert on Failed hears of failures alone, and one on Late of a worker that is away; a paused "
        "deployment makes no runs, and no event at all. A proactive trigger that expects a Completed "
        "run hears what does not happen, if each Completed run is also what it starts `after`: then the "
        "time begins with that. Without `after` it looks at windows of time, and after one in which all "
        "was well it leaves out the next: silences go by unheard. A watchdog, a job that looks for the "
        "last good run, hears all of it, if it does not depend on the same worker."
    ),
    patterns=("R04",),
    variants={
        ON_FAILURE: Variant(on_failure, ("failure",)),
        ON_LATE: Variant(on_late, ("worker away",)),
        WINDOWS: Variant(in_windows, None),
        SWITCH: Variant(pipeline.when_silent, tuple(INCIDENTS)),
        WATCHDOG: Variant(None, tuple(INCIDENTS)),
    },
)
def dead_mans_switch(sim: Simulation, variant: Variant) -> None:
    sim.deploy(pipeline.hourly_load, name="dev", cron="0 * * * *")
    triggers = [variant.trigger()] if variant.trigger is not None else []
    sim.deploy(pipeline.raise_alert, name="dev", work_pool="alerts", triggers=triggers)
    sim.advance(hours=1.2)  # one load is through
    if variant.trigger is None:
        sim.deploy(pipeline.watch_load, name="dev", work_pool="alerts", cron="30 * * * *")
    (failure, away, paused) = (during(sim, name) for name in INCIDENTS)
    sim.inject(
        [
            Raise(step="hourly-load", between=failure),
            WorkerAway(between=away),
            DeploymentPaused(deployment="hourly-load/dev", between=paused),
        ]
    )
    sim.advance_to(sim.start + 11.5 * HOUR)


def during(sim: Simulation, name: str) -> tuple[datetime, datetime]:
    """From when to when there is this incident."""
    begin, end = INCIDENTS[name]
    return sim.start + begin * HOUR, sim.start + end * HOUR


def alerts(sim: Simulation, name: str) -> list[datetime]:
    """The alerts raised from the beginning of an incident until half an hour after it."""
    begin, end = during(sim, name)
    raised = [run.start for run in sim.runs("raise-alert")]
    return [at for at in raised if begin <= at < end + HOUR / 2]


@dead_mans_switch.expect(ON_FAILURE, ON_LATE, SWITCH, WATCHDOG)
def it_hears_these_incidents_and_no_others(sim, variant):
    assert tuple(name for name in INCIDENTS if alerts(sim, name)) == variant.hears


@dead_mans_switch.expect(WINDOWS)
def windows_miss_a_silence_of_two_hours(sim):
    assert [name for name in INCIDENTS if not alerts(sim, name)]


@dead_mans_switch.expect()
def there_is_no_false_alarm(sim):
    told = [at for name in INCIDENTS for at in alerts(sim, name)]
    assert sorted(told) == [run.start for run in sim.runs("raise-alert")]


@dead_mans_switch.expect()
def the_load_does_what_its_incidents_make_of_it(sim):
    runs = {run.scheduled: run for run in sim.runs("hourly-load")}
    at = {hour: runs.get(sim.start + hour * HOUR) for hour in range(12)}
    assert at[2].state == "Failed"
    for hour in (4, 5):
        assert "Late" in [state.name for state in at[hour].states]
        assert at[hour].state == "Completed"
    assert at[8] is None
    assert at[9] is None
    assert [at[hour].state for hour in (1, 3, 6, 7, 10, 11)] == ["Completed"] * 6


@dead_mans_switch.measure
def how_well_it_hears(sim) -> list[Measure]:
    heard = {name: alerts(sim, name) for name in INCIDENTS}
    delays = [
        (told[0] - during(sim, name)[0]).total_seconds() for name, told in heard.items() if told
    ]
    return [
        share("incidents told", len(delays), len(INCIDENTS)),
        mean("told after", delays),
        Measure("alerts", len(sim.runs("raise-alert")), "runs", n=len(INCIDENTS)),
    ]
