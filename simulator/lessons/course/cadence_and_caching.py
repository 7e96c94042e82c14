"""Cadence and caching: a daily step in a parent that runs more often."""

from datetime import datetime, timedelta
from typing import Any

import prefect.runtime
from prefect import Flow, flow, task
from prefect.context import TaskRunContext

from simulator import Simulation
from simulator.lessons.lesson import Change, Exercise, Figures, Knob, counted, lasted

# --- first the question ---------------------------------------------------------------------------

QUESTION = (
    "A parent runs every eight hours, and calls a forecast that is to be made once a day. So its"
    " task has a cache that expires after 24 hours. The forecast takes twenty minutes, and is"
    " first made on Monday at 08:00. When is it made for the second time?"
)
ANSWERS = (
    "Never: the result is there.",
    "On Tuesday at 08:00: 24 hours later the cache has expired.",
    "Later than on Tuesday at 08:00: then the result of Monday is still good.",
)
KNOB = Knob("expires", 24, "hours for which the cache of the first lane is good", 1, 72)

# --- what people write ----------------------------------------------------------------------------


def always_the_same(context: TaskRunContext, _: dict[str, Any]) -> str:
    return context.task.name


def of_the_date(context: TaskRunContext, _: dict[str, Any]) -> str:
    key = f"{prefect.runtime.flow_run.scheduled_start_time:%Y-%m-%d}"
    return f"{context.task.name} {key}"


@flow(name="forecast")
def make() -> None: ...


@task(persist_result=True)
def forecast() -> None:
    make()


@flow(name="parent")
def by_expiry(hours: int) -> None:
    good_for = timedelta(hours=hours)
    forecast.with_options(cache_key_fn=always_the_same, cache_expiration=good_for)()


@flow(name="parent")
def by_date(hours: int) -> None:
    forecast.with_options(cache_key_fn=of_the_date)()


LANES = {"by expiry": by_expiry, "by date": by_date}

# --- what happens ---------------------------------------------------------------------------------

GIVEN = {"cron": "0 */8 * * *", "days": 3, "the_forecast_takes": timedelta(minutes=20)}


def run(sim: Simulation, parent: Flow, expires: float) -> None:
    sim.deploy(parent, name="dev", cron=GIVEN["cron"], parameters={"hours": int(expires)})
    sim.takes("forecast", GIVEN["the_forecast_takes"])
    sim.advance(days=GIVEN["days"])


# --- what came out --------------------------------------------------------------------------------


def figures(sim: Simulation, expires: float) -> Figures:
    made = [run.start for run in sim.runs("forecast")]
    return {
        "parents": len(sim.runs("parent")),
        "forecasts made": len(made),
        "made on": ", ".join(f"{at:%a %H:%M}" for at in made) or "no day",
        "the second after": made[1] - made[0] if made[1:] else _not_yet(sim, made),
    }


def _not_yet(sim: Simulation, made: list[datetime]) -> str:
    """What is known of a second one that has not come: no run is long enough to say "never"."""
    return f"more than {lasted(sim.now - made[0])}" if made else "no first"


def right(expiry: Figures, second: Figures) -> int:
    after = expiry["the second after"]
    if not isinstance(after, timedelta):
        return 0
    if after == timedelta(days=1):
        return 2
    return 3 if after > timedelta(days=1) else 0


def sentence(expiry: Figures, second: Figures) -> str:
    return (
        f"Of {expiry['parents']} parents {expiry['forecasts made']} made the forecast by its expiry, on"
        f" {expiry['made on']}; in the other lane {second['forecasts made']} of {second['parents']} made"
        f" it, on {second['made on']}."
    )


# --- now you --------------------------------------------------------------------------------------

CHANGE = Change(
    line='    key = f"{prefect.runtime.flow_run.scheduled_start_time:%Y-%m-%d}"',
    instead='    key = f"{prefect.runtime.flow_run.scheduled_start_time:%Y, week %W}"',
)


@flow(name="parent")
def in_the_morning(hours: int) -> None:
    if prefect.runtime.flow_run.scheduled_start_time.hour >= 8:
        forecast.with_options(cache_key_fn=of_the_date)()


def solved(expiry: Figures, second: Figures) -> str:
    if second["forecasts made"] != GIVEN["days"]:
        return f"{counted(second['forecasts made'], 'forecast')} made on {GIVEN['days']} days"
    if wrong := [at for at in second["made on"].split(", ") if not at.endswith("08:00")]:
        return f"one is made on {wrong[0]}"
    return ""


EXERCISE = Exercise(
    task="Let the forecast be made once on each date, at 08:00.",
    solved=solved,
    solution=in_the_morning,
)
