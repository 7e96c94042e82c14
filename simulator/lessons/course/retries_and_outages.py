"""Retries and outages: how many attempts there are, and how long they reach."""

from datetime import timedelta
from itertools import pairwise

from prefect import Flow, flow, task
from prefect.tasks import exponential_backoff

from simulator import Simulation
from simulator.lessons.lesson import Change, Exercise, Figures, Knob, counted, lasted

# --- first the question ---------------------------------------------------------------------------

QUESTION = (
    "Each hour a task asks an API, with retries=3 and retry_delay_seconds=10. One day the API is"
    " away for some minutes, just when a run begins. What becomes of that run?"
)
ANSWERS = (
    "It is Failed, and was so before the API is back.",
    "It is Completed: three retries are there for such a case.",
    "It is tried again until the API is back, however long that takes.",
)
KNOB = Knob("outage", 240, "seconds for which the API is away", 5, 3000)

# --- what people write ----------------------------------------------------------------------------


@task(name="ask", retries=3, retry_delay_seconds=10)
def ask_soon_again() -> None: ...


@task(name="ask", retries=3, retry_delay_seconds=exponential_backoff(backoff_factor=60))
def ask_later_each_time() -> None: ...


@flow(name="load")
def hasty() -> None:
    ask_soon_again()


@flow(name="load")
def patient() -> None:
    ask_later_each_time()


LANES = {"10 s apart": hasty, "backing off": patient}

# --- what happens ---------------------------------------------------------------------------------

GIVEN = {"cron": "0 * * * *", "hours": 4, "the_outage_begins_after": timedelta(hours=2)}


def run(sim: Simulation, load: Flow, outage: float) -> None:
    sim.deploy(load, name="dev", cron=GIVEN["cron"])
    gone = sim.start + GIVEN["the_outage_begins_after"]
    away = ConnectionError("the API is away")
    sim.fail("ask", between=(gone, gone + timedelta(seconds=outage)), error=away)
    sim.advance(hours=GIVEN["hours"])


# --- what came out --------------------------------------------------------------------------------


def figures(sim: Simulation, outage: float) -> Figures:
    runs = sim.runs("load")
    gone = sim.start + GIVEN["the_outage_begins_after"]
    [struck] = [run for run in runs if run.scheduled == gone]
    asked = [state for task in struck.tasks for state in task.states]
    tries = [state.timestamp for state in asked if state.type == "RUNNING"]
    back = gone + timedelta(seconds=outage)
    return {
        "runs": len(runs),
        "runs that are Completed": sum(run.completed for run in runs),
        "the run of the outage": struck.state,
        "its attempts": len(tries),
        "waits between them": ", ".join(lasted(b - a) for a, b in pairwise(tries)) or "none",
        "from the API's return to its end": struck.end - back,
    }


def right(hasty: Figures, second: Figures) -> int:
    if hasty["the run of the outage"] == "Failed":
        return 1
    return 2 if hasty["the run of the outage"] == "Completed" else 3


def sentence(hasty: Figures, second: Figures) -> str:
    def lane(one: Figures) -> str:
        later = one["from the API's return to its end"]
        beside = "after" if later >= timedelta() else "before"
        return (
            f"{one['the run of the outage']} after {counted(one['its attempts'], 'attempt')},"
            f" {lasted(abs(later))} {beside} the API is back"
        )

    return f"The run of the outage is {lane(hasty)}; in the other lane it is {lane(second)}."


# --- now you --------------------------------------------------------------------------------------

CHANGE = Change(
    line='@task(name="ask", retries=3, retry_delay_seconds=exponential_backoff(backoff_factor=60))',
    instead='@task(name="ask", retries=3, retry_delay_seconds=exponential_backoff(backoff_factor=15))',
)


@task(name="ask", retries=9, retry_delay_seconds=60)
def ask_each_minute() -> None: ...


@flow(name="load")
def steady() -> None:
    ask_each_minute()


def solved(hasty: Figures, second: Figures) -> str:
    if second["runs that are Completed"] < second["runs"]:
        return "a run is not Completed"
    later = second["from the API's return to its end"]
    if later < timedelta():
        return (
            f"the run of the outage ended {lasted(-later)} before the API was back, with no answer"
        )
    if later > timedelta(minutes=1):
        return f"the run of the outage ended {lasted(later)} after the API was back"
    return ""


EXERCISE = Exercise(
    task="Let every run be Completed, and that of the outage within a minute of the API's return.",
    solved=solved,
    solution=steady,
)
