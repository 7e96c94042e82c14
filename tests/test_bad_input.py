"""What cannot be right is refused where it is given, in one line: a table of all of it."""

import inspect
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from prefect import flow, task
from prefect.client.schemas.schedules import CronSchedule
from prefect.states import Completed

from simulator import Simulation, SimulationError, lognormal
from simulator.arguments import declared
from simulator.history import Explaining, History

START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAN, INFINITY = float("nan"), float("inf")


@flow
def job(number: int = 1) -> None: ...


@flow
def named(city: str) -> None: ...


@flow
def skips():
    return Completed(name="Skipped on holidays")


@task
def step() -> None: ...


@pytest.fixture(scope="module")
def sim():
    with Simulation(start=START) as opened:
        opened.deploy(job, name="dev")
        opened.run(job)
        yield opened


REFUSED = {
    # -- advance
    "nan hours": (lambda sim: sim.advance(hours=NAN), "hours=nan must be finite"),
    "infinite days": (lambda sim: sim.advance(days=-INFINITY), "days=-inf must be finite"),
    "hours in words": (lambda sim: sim.advance(hours="2"), "hours='2' must be a number of hours"),
    "true hours": (lambda sim: sim.advance(hours=True), "hours=True must be a number of hours"),
    "minutes as a timedelta": (lambda sim: sim.advance(minutes=HOUR), "must be a number of min"),
    "decimal seconds": (lambda sim: sim.advance(seconds=Decimal(1)), "seconds=Decimal('1') must"),
    "a bare number": (lambda sim: sim.advance(60), "by=60 must be a timedelta"),
    "two steps": (lambda sim: sim.advance(HOUR, hours=2), "by= and hours= say the same thing"),
    "a step back": (lambda sim: sim.advance(-HOUR), "-3600 s must be 0 or more"),
    "a step off the calendar": (lambda sim: sim.advance(days=1e300), "beyond all dates"),
    "a step past the end": (lambda sim: sim.advance(days=100_000), "from 1970 to 2261"),
    "now": (lambda sim: sim.advance_to(None), "instant=None must be an aware datetime"),
    "a date": (lambda sim: sim.advance_to(date(2026, 2, 1)), "must be an aware datetime"),
    "a time stamp": (lambda sim: sim.advance_to(1.8e9), "instant=1800000000.0 must be an aware"),
    "naive": (lambda sim: sim.advance_to(START.replace(tzinfo=None)), "is naive: give it an offset"),
    "in words": (lambda sim: sim.advance_to("tomorrow\n"), "no ISO 8601 instant"),
    "the past": (lambda sim: sim.advance_to("2026-01-04T00:00:00Z"), "lies before now"),
    "the end of dates": (lambda sim: sim.advance_to("9999-12-31T23:59:59Z"), "from 1970 to 2261"),
    "off the calendar": (lambda sim: sim.advance_to("9999-12-31T23:59:59-05:00"), "to 2261"),
    # -- deploy
    "a function": (lambda sim: sim.deploy(job.fn, "a"), "decorate job with @flow"),
    "a task": (lambda sim: sim.deploy(step, "a"), "must be a Prefect flow"),
    "the name of a flow": (lambda sim: sim.deploy("job", "a"), "flow='job' must be a Prefect flow"),
    "no name": (lambda sim: sim.deploy(job, ""), "name='' must be text that is not empty"),
    "None as a name": (lambda sim: sim.deploy(job, None), "name=None must be text"),
    "a name with a slash": (lambda sim: sim.deploy(job, "a/b"), "without any of /"),
    "a pool with a slash": (lambda sim: sim.deploy(job, "a", "x/y"), "work_pool='x/y'"),
    "two pools": (
        lambda sim: sim.deploy(job, "a", "x", work_pool_name="y"),
        "work_pool= and work_pool_name= say the same thing",
    ),
    "no queue": (lambda sim: sim.deploy(job, "a", work_queue_name=""), "work_queue_name=''"),
    "a cron that is none": (lambda sim: sim.deploy(job, "a", cron="0 25 * * *"), "0 25 * * *"),
    "a number as cron": (lambda sim: sim.deploy(job, "a", cron=5), "cron=5 must be text"),
    "a time zone that is none": (
        lambda sim: sim.deploy(job, "a", cron="0 1 * * *", timezone="Mars/Base"),
        "Mars/Base",
    ),
    "a time zone for nothing": (
        lambda sim: sim.deploy(job, "a", timezone="Europe/Zurich"),
        "says something about cron, interval or rrule",
    ),
    "two time zones": (
        lambda sim: sim.deploy(job, "a", schedule=CronSchedule(cron="* * * * *"), timezone="UTC"),
        "says something about cron, interval or rrule",
    ),
    "two schedules": (
        lambda sim: sim.deploy(job, "a", cron="* * * * *", interval=60),
        "cron= and interval= say the same thing",
    ),
    "no interval": (lambda sim: sim.deploy(job, "a", interval=0), "interval=0 s must be more"),
    "a negative interval": (lambda sim: sim.deploy(job, "a", interval=-HOUR), "more than 0"),
    "a nan interval": (lambda sim: sim.deploy(job, "a", interval=NAN), "interval=nan must be"),
    "one bad interval": (lambda sim: sim.deploy(job, "a", interval=[60, "x"]), "interval='x' must"),
    "an endless interval": (lambda sim: sim.deploy(job, "a", interval=1e300), "is longer than"),
    "an rrule that is none": (lambda sim: sim.deploy(job, "a", rrule="FREQ=NEVER"), "FREQ=NEVER"),
    "a schedule that is none": (lambda sim: sim.deploy(job, "a", schedule=1), "schedule"),
    "schedules that are none": (lambda sim: sim.deploy(job, "a", schedules=7), "must be a list"),
    "schedules of numbers": (lambda sim: sim.deploy(job, "a", schedules=[7]), "schedule"),
    "parameters in a list": (lambda sim: sim.deploy(job, "a", parameters=[1]), "must be a dict"),
    "an unknown parameter": (
        lambda sim: sim.deploy(job, "a", parameters={"nmber": 1}),
        "no parameter of flow 'job' named 'nmber': did you mean 'number'?",
    ),
    "a parameter of a wrong kind": (
        lambda sim: sim.deploy(job, "a", parameters={"number": "x"}),
        "'x' is not of type 'integer'",
    ),
    "tags in one text": (lambda sim: sim.deploy(job, "a", tags="ab"), "such as ['ab']"),
    "a number as a tag": (lambda sim: sim.deploy(job, "a", tags=[1]), "tags=1 must be texts"),
    "no slot": (lambda sim: sim.deploy(job, "a", concurrency_limit=0), "greater than 0"),
    "a limit in words": (lambda sim: sim.deploy(job, "a", concurrency_limit="x"), "limit"),
    "paused in words": (lambda sim: sim.deploy(job, "a", paused="no"), "paused='no' must be True"),
    "a trigger that is none": (lambda sim: sim.deploy(job, "a", triggers=[1]), "triggers"),
    "a version by number": (lambda sim: sim.deploy(job, "a", version=2), "version=2 must be text"),
    "variables in a list": (lambda sim: sim.deploy(job, "a", job_variables=[1]), "must be a dict"),
    # -- pools, queues, workers
    "a pool without a name": (lambda sim: sim.work_pool(" "), "name=' ' must be text"),
    "half a slot": (lambda sim: sim.work_pool("x", 1.5), "concurrency_limit=1.5 must be a whole"),
    "a negative limit": (lambda sim: sim.work_pool("x", -1), "must be a whole number, 0 or more"),
    "a queue without a name": (lambda sim: sim.work_queue(""), "name='' must be text"),
    "the zeroth queue": (lambda sim: sim.work_queue("q", priority=0), "priority=0 must be a whole"),
    "a true priority": (lambda sim: sim.work_queue("q", priority=True), "priority=True must"),
    "a worker of no pool": (lambda sim: sim.stop_worker("defualt"), "did you mean 'default'"),
    "a worker of nothing": (lambda sim: sim.start_worker(None), "work_pool=None must be text"),
    # -- steps
    "a step that is none": (lambda sim: sim.takes("jbo", HOUR), "did you mean 'job'"),
    "a step by itself": (lambda sim: sim.takes(job, HOUR), "must be text"),
    "a duration in seconds": (lambda sim: sim.takes("job", 5), "duration=5 must be a timedelta"),
    "a negative duration": (lambda sim: sim.takes("job", -HOUR), "-3600 s must be 0 or more"),
    "no durations": (lambda sim: sim.takes("job", []), "must hold at least one"),
    "durations in seconds": (lambda sim: sim.takes("job", [60]), "holds 60: use timedelta"),
    "a negative one of many": (lambda sim: sim.takes("job", [HOUR, -HOUR]), "0 or more"),
    "durations in lists": (lambda sim: sim.takes("job", [[HOUR]]), "holds [datetime.timedelta"),
    "a duration in words": (lambda sim: sim.takes("job", "5 min"), "duration='5 min' must be"),
    "a fault of nobody": (lambda sim: sim.fail("jbo"), "did you mean 'job'"),
    "a share in words": (lambda sim: sim.fail("job", probability="1"), "probability='1' must be"),
    "a nan share": (lambda sim: sim.fail("job", probability=NAN), "nan must be from 0 to 1"),
    "per cent": (lambda sim: sim.fail("job", probability=50), "probability=50 must be from 0 to 1"),
    "an error in words": (lambda sim: sim.fail("job", error="boom"), "RuntimeError('boom')"),
    "a class that is no error": (lambda sim: sim.fail("job", error=int), "must be an exception"),
    "one number of runs": (lambda sim: sim.fail("job", on=3), "must be numbers of runs, such as [3]"),
    "letters of runs": (lambda sim: sim.fail("job", on=["a"]), "on=['a'] must be numbers of runs"),
    "the run before all": (lambda sim: sim.fail("job", on=[-1]), "numbers of runs, from 0"),
    "half a run": (lambda sim: sim.fail("job", on=[0.5]), "numbers of runs, from 0"),
    "the zeroth attempt": (lambda sim: sim.fail("job", attempts="0"), "a run count from 1"),
    "attempts backwards": (lambda sim: sim.fail("job", attempts="2-1"), "attempts='2-1' must be"),
    "attempts in a list": (lambda sim: sim.fail("job", attempts=[1]), "attempts=[1] must be"),
    "too many attempts": (lambda sim: sim.fail("job", attempts="1-2-3"), "attempts='1-2-3'"),
    "one instant": (lambda sim: sim.fail("job", between=START), "two aware instants"),
    "no time between": (lambda sim: sim.fail("job", between=(START, START)), "the earlier one fir"),
    "naive instants": (
        lambda sim: sim.fail("job", between=(START.replace(tzinfo=None), START)),
        "between=2026-01-05T00:00:00 is naive",
    ),
    "after in seconds": (lambda sim: sim.fail("job", after=5), "after=5 must be a timedelta"),
    "after before": (lambda sim: sim.fail("job", after=-HOUR), "after=-3600 s must be 0 or more"),
    "random of nothing": (lambda sim: sim.random(None), "name=None must be text"),
    # -- environment
    "no variable": (lambda sim: sim.setenv(TARGET=None), "TARGET=None must be text or a path"),
    "a flag": (lambda sim: sim.setenv(TARGET=True), "TARGET=True must be text or a path"),
    "a NUL": (lambda sim: sim.setenv(TARGET="a\0b"), "without a NUL"),
    "an equals sign": (lambda sim: sim.setenv(**{"A=B": "x"}), "'A=B' is no name"),
    # -- running
    "to run a function": (lambda sim: sim.run(job.fn), "decorate job with @flow"),
    "to run with a wrong name": (lambda sim: sim.run(job, nmber=1), "did you mean 'number'"),
    "to run with a lack": (lambda sim: sim.run(named), "flow 'named' needs its parameter 'city'"),
    "to kill nobody": (lambda sim: sim.kill("abc"), "run='abc' must be a run of `sim.runs()`"),
    "to kill nothing": (lambda sim: sim.kill(None), "run=None must be a run of `sim.runs()`"),
    "to kill who has ended": (lambda sim: sim.kill(sim.runs("job")[0]), "no worker runs"),
    "to kill in words": (lambda sim: sim.kill(sim.runs("job")[0], "TERM"), "exit_code='TERM'"),
    "to kill too much": (lambda sim: sim.kill(sim.runs("job")[0], 256), "from -64 to 255"),
    "half a name": (lambda sim: sim.trigger("job"), "such as 'flow/deployment'"),
    "a deployment that is none": (lambda sim: sim.trigger("job/dve"), "did you mean 'job/dev'"),
    "a deployment by number": (lambda sim: sim.trigger(5), "deployment=5 must be a deployment's"),
    "to order with a wrong name": (
        lambda sim: sim.trigger("job/dev", {"nmber": 1}),
        "did you mean 'number'",
    ),
    "to order with a wrong kind": (
        lambda sim: sim.trigger("job/dev", {"number": "x"}),
        "'x' is not of type 'integer'",
    ),
    "to order with no names": (lambda sim: sim.trigger("job/dev", {1: 2}), "has the key 1"),
    "to order for the past": (
        lambda sim: sim.trigger("job/dev", at=START - HOUR),
        "lies before now",
    ),
    "to order for a naive instant": (
        lambda sim: sim.trigger("job/dev", at="2026-02-01"),
        "at=2026-02-01T00:00:00 is naive",
    ),
    # -- what happened
    "runs of no flow": (lambda sim: sim.runs("jbo"), "no flow named 'jbo': did you mean 'job'?"),
    "runs of a flow itself": (lambda sim: sim.runs(job), "must be text"),
    "runs of no deployment": (lambda sim: sim.runs(deployment="job/dve"), "did you mean 'job/dev'"),
    "a state that is none": (
        lambda sim: sim.runs(state="Complted"),
        "no state 'Complted': did you mean 'Completed'?",
    ),
    "a state in small letters": (lambda sim: sim.runs(state="completed"), "mean 'Completed'"),
    "a state itself": (lambda sim: sim.runs(state=Completed()), "must be text"),
    "history of no flow": (lambda sim: sim.history().runs("jbo"), "did you mean 'job'"),
    "history of no state": (lambda sim: sim.history().runs(state="FAILD"), "mean 'FAILED'"),
    "history of no deployment": (
        lambda sim: sim.history().runs(deployment="dve"),
        "no deployment 'dve'",
    ),
    "coming in words": (lambda sim: sim.history().runs(upcoming="yes"), "must be True or False"),
    "coming of no flow": (lambda sim: sim.history().upcoming("jbo"), "did you mean 'job'"),
    "a run that is none": (lambda sim: sim.history().run("abc"), "no flow run has the id 'abc'"),
    "a run by nothing": (lambda sim: sim.history().run(None), "no flow run has the id"),
    # -- a second one
    "a second one": (lambda sim: Simulation().__enter__(), "is open in this process already"),
}  # fmt: skip

NOT_MADE = {
    "naive": ({"start": "2026-01-01T00:00:00"}, "start=2026-01-01T00:00:00 is naive"),
    "in words": ({"start": "yesterday"}, "no ISO 8601 instant"),
    "by number": ({"start": 0}, "start=0 must be an aware datetime"),
    "before ids": ({"start": "1969-12-31T23:59:59Z"}, "an instant from 1970 to 2261"),
    "a seed in words": ({"seed": "seven"}, "seed='seven' must be a whole number"),
    "half a seed": ({"seed": 0.5}, "seed=0.5 must be a whole number"),
    "no seed": ({"seed": None}, "seed=None must be a whole number"),
    "no limit": ({"stall_limit": 0}, "stall_limit=0 s must be more than 0"),
    "an endless limit": ({"stall_limit": INFINITY}, "stall_limit=inf must be more than 0"),
    "a nan limit": ({"stall_limit": NAN}, "stall_limit=nan must be more than 0"),
    "a limit in words": ({"stall_limit": "60"}, "stall_limit='60' must be a number of s"),
    "settings in a list": ({"settings": ["PREFECT_HOME"]}, "settings=['PREFECT_HOME'] must be"),
    "an unknown setting": (
        {"settings": {"PREFECT_WORKER_QUERY_SECOND": 5}},
        "did you mean 'PREFECT_WORKER_QUERY_SECONDS'?",
    ),
    "no setting": ({"settings": {"get_current_settings": 5}}, "named 'get_current_settings'"),
    "a setting in words": (
        {"settings": {"PREFECT_WORKER_QUERY_SECONDS": "often"}},
        "PREFECT_WORKER_QUERY_SECONDS='often': ",
    ),
}


def one_line(refused, says):
    said = str(refused.value)
    assert says in said
    assert "\n" not in said
    assert len(said) < 300


def what_there_is(sim):
    names = [
        f"select name from {table}" for table in ("flow", "deployment", "work_pool", "work_queue")
    ]
    return [sim._world.database.execute(one).fetchall() for one in names], sim.now


@pytest.mark.parametrize("wrong", REFUSED)
def test_what_cannot_be_right_is_refused_in_one_line_and_changes_nothing(sim, wrong):
    call, says = REFUSED[wrong]
    before = what_there_is(sim)
    with pytest.raises(SimulationError) as refused:
        call(sim)
    one_line(refused, says)
    assert what_there_is(sim) == before
    assert sim.run(job).completed


@pytest.mark.parametrize("wrong", NOT_MADE)
def test_a_simulation_is_not_made_of_what_cannot_be_right(wrong):
    given, says = NOT_MADE[wrong]
    with pytest.raises(SimulationError) as refused:
        Simulation(**given)
    one_line(refused, says)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: lognormal(5, 1), "median=5 must be a timedelta"),
        (lambda: lognormal(timedelta(0), 1), "median=0 s must be more than 0"),
        (lambda: lognormal(HOUR, -0.5), "sigma=-0.5 must be 0 or more"),
        (lambda: lognormal(HOUR, NAN), "sigma=nan must be 0 or more"),
        (lambda: lognormal(HOUR, "1"), "sigma='1' must be a number"),
        (lambda: Simulation.live(server="here"), "server='here' must be a LiveServer"),
        (lambda: Simulation.live(seed="x"), "seed='x' must be a whole number"),
        (lambda: Simulation.live(settings=1), "settings=1 must be a dict"),
    ],
)
def test_other_calls_refuse_in_one_line_too(call, says):
    with pytest.raises(SimulationError) as refused:
        call()
    one_line(refused, says)


# -- what is right, though it looks odd ------------------------------------------------------------


def test_what_looks_odd_and_is_right_is_taken(sim):
    sim.advance()
    sim.advance(hours=1, minutes=-60)
    sim.advance(seconds=Fraction(1, 2))
    sim.fail("step", on=(), attempts=2, between=("2026-01-05T00:00:00Z", START + HOUR))
    assert sim.runs(state="Late") == sim.runs(state="CRASHED") == []
    assert sim.runs(deployment="dev") == sim.runs(deployment="job/dev") == []


def test_a_state_that_only_a_flow_of_ones_own_makes_is_known_before_and_after(sim):
    assert sim.runs(state="Skipped on holidays") == []
    run = sim.run(skips)
    assert sim.runs(state="Skipped on holidays") == [run]


# -- all of them -----------------------------------------------------------------------------------

CALLS = [name for name in vars(Explaining) | vars(Simulation) if not name.startswith("_")]


@pytest.mark.parametrize(
    "call",
    [
        Simulation.__init__,
        lognormal,
        *(getattr(Simulation, name) for name in CALLS if callable(getattr(Simulation, name))),
        *(getattr(History, name) for name in ("runs", "upcoming")),
    ],
    ids=lambda call: call.__qualname__,
)
def test_every_argument_of_every_call_has_a_kind(call):
    arguments = {name for name in inspect.signature(call).parameters if name != "self"}
    assert arguments == set(declared(call))
