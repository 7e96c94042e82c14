"""Instants, dates and durations as parameters: validated, described and handed on as in real life.

No `from __future__ import annotations` here: classes in annotations are what is tested, of a flow
written before a simulation and of one written inside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import pytest
from prefect import Flow, flow, task
from prefect.deployments import run_deployment
from pydantic import BaseModel, Field

from simulator import Simulation, SimulationError

START = "2026-01-05T00:00:00Z"

RECEIVED: list[dict[str, Any]] = []


@pytest.fixture
def sim() -> Iterator[Simulation]:
    RECEIVED.clear()
    with Simulation(start=START) as simulation:
        yield simulation


def make_window() -> type[BaseModel]:
    class Window(BaseModel):
        begin: datetime
        day: date = Field(default=date(2026, 1, 1), description="first day")
        length: timedelta = timedelta(hours=1)

    return Window


def make_span() -> type:
    @dataclass
    class Span:
        begin: datetime
        days: list[date]

    return Span


def make_flow(name: str) -> Flow[..., Any]:
    """A flow as written at the time of this call."""
    window, span = make_window(), make_span()

    @flow(name=name)
    def takes(
        when: datetime,
        day: date,
        length: timedelta,
        maybe: datetime | None = None,
        either: date | datetime | str = date(2026, 1, 2),
        days: Annotated[list[date], Field(max_length=3)] = [],  # noqa: B006
        by_day: dict[date, list[datetime]] = {},  # noqa: B006
        inside: window | None = None,  # type: ignore[valid-type]
        across: span | None = None,  # type: ignore[valid-type]
    ) -> None:
        RECEIVED.append(dict(locals()))

    return takes


def make_flow_with_text_annotations(name: str) -> Flow[..., Any]:
    @flow(name=name)
    def takes(
        when: "datetime",
        day: "date",
        length: "timedelta",
        maybe: "datetime | None" = None,
        days: "list[date]" = [],  # noqa: B006
    ) -> None:
        RECEIVED.append(dict(locals()))

    return takes


WRITTEN_BEFORE = {
    "evaluated": make_flow("written before"),
    "text": make_flow_with_text_annotations("text before"),
}
SCHEMAS_BEFORE = {
    how: flow.to_deployment("dev")._parameter_openapi_schema for how, flow in WRITTEN_BEFORE.items()
}
MAKE = {"evaluated": make_flow, "text": make_flow_with_text_annotations}


@pytest.fixture(params=["evaluated", "text"])
def annotations(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["before", "inside"])
def takes(request: pytest.FixtureRequest, sim: Simulation, annotations: str) -> Flow[..., Any]:
    """A flow written before the simulation, or inside it."""
    if request.param == "before":
        return WRITTEN_BEFORE[annotations]
    return MAKE[annotations](f"{annotations} inside")


TEXT = {"when": "2026-01-04T12:30:00Z", "day": "2026-01-03", "length": "PT90M"}
WHEN = datetime(2026, 1, 4, 12, 30, tzinfo=UTC)
OBJECTS = {"when": WHEN, "day": date(2026, 1, 3), "length": timedelta(minutes=90)}

# Prefect sends a timedelta as a number of seconds, which its own check of parameters refuses.
SENT_OBJECTS = {**OBJECTS, "length": "PT90M"}


def check(received: dict[str, Any]) -> None:
    assert isinstance(received["when"], datetime)
    assert isinstance(received["day"], date)
    assert {name: received[name] for name in OBJECTS} == OBJECTS
    assert received["maybe"] is None


# -- called directly -------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [TEXT, OBJECTS], ids=["text", "objects made before"])
def test_called_with(sim: Simulation, takes: Flow[..., Any], given: dict[str, Any]) -> None:
    run = sim.run(takes, **given)
    assert run.state == "Completed", run.message
    check(RECEIVED[-1])


def test_called_with_what_the_clock_shows(sim: Simulation, takes: Flow[..., Any]) -> None:
    now = datetime.now(UTC)
    run = sim.run(
        takes, when=now, day=now.date(), length=now - sim.start, maybe=now + timedelta(days=1)
    )
    assert run.state == "Completed", run.message
    assert RECEIVED[-1]["when"] is now
    assert RECEIVED[-1]["day"] == date(2026, 1, 5)
    assert RECEIVED[-1]["maybe"] - now == timedelta(days=1)


@pytest.mark.parametrize(
    "wrong",
    [{"when": "yesterday"}, {"day": "2026-02-30"}, {"length": "long"}, {"days": ["no day"]}],
)
def test_refuses(sim: Simulation, takes: Flow[..., Any], wrong: dict[str, Any]) -> None:
    run = sim.run(takes, **{**TEXT, **wrong})
    assert run.state == "Failed"
    assert "ParameterTypeError" in str(run.message), run.message
    assert not RECEIVED


def test_collections_models_and_dataclasses_are_validated(sim: Simulation) -> None:
    for takes in (WRITTEN_BEFORE["evaluated"], make_flow("inside")):
        run = sim.run(
            takes,
            **TEXT,
            either="2026-01-09",
            days=["2026-01-01", date(2026, 1, 2)],
            by_day={"2026-01-01": ["2026-01-01T10:00:00Z"]},
            inside={"begin": "2026-01-01T00:00:00Z", "length": 60},
            across={"begin": "2026-01-01T00:00:00Z", "days": ["2026-01-01"]},
        )
        assert run.state == "Completed", run.message
        received = RECEIVED[-1]
        assert received["either"] == "2026-01-09"
        assert received["days"] == [date(2026, 1, 1), date(2026, 1, 2)]
        assert received["by_day"] == {date(2026, 1, 1): [datetime(2026, 1, 1, 10, tzinfo=UTC)]}
        assert received["inside"].begin == datetime(2026, 1, 1, tzinfo=UTC)
        assert received["inside"].day == date(2026, 1, 1)
        assert received["inside"].length == timedelta(minutes=1)
        assert received["across"].days == [date(2026, 1, 1)]


# -- subflows and tasks ----------------------------------------------------------------------------


def test_as_a_subflow(sim: Simulation, takes: Flow[..., Any]) -> None:
    @task
    def yesterday(now: datetime) -> date:
        return (now - timedelta(days=1)).date()

    @flow
    def parent(day: date = date(2026, 1, 3)) -> None:
        takes(**TEXT)
        takes(when=WHEN, day=day, length=OBJECTS["length"])
        takes(when=WHEN, day=yesterday.submit(WHEN), length=90 * 60)

    run = sim.run(parent)
    assert run.state == "Completed", run.message
    assert [child.state for child in run.children] == ["Completed"] * 3
    first, second, third = RECEIVED
    check(first)
    check(second)
    check(third)
    for child in run.children[:2]:  # the third one's day was not known yet when it was recorded
        assert child.parameters["when"].startswith("2026-01-04T12:30:00")
        assert child.parameters["day"] == "2026-01-03"


# -- deployments -----------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [TEXT, SENT_OBJECTS], ids=["text", "objects made before"])
def test_as_parameters_of_a_deployment(
    sim: Simulation, takes: Flow[..., Any], given: dict[str, Any]
) -> None:
    sim.deploy(takes, name="dev", cron="0 1 * * *", parameters=given)
    sim.advance(hours=2)
    (run,) = sim.runs(takes.name)
    assert run.state == "Completed", run.message
    check(RECEIVED[-1])


@pytest.mark.parametrize("given", [TEXT, SENT_OBJECTS], ids=["text", "objects made before"])
def test_as_parameters_of_one_run(
    sim: Simulation, takes: Flow[..., Any], given: dict[str, Any]
) -> None:
    sim.deploy(takes, name="dev")
    sim.trigger(f"{takes.name}/dev", parameters=given)
    sim.advance(minutes=1)
    (run,) = sim.runs(takes.name)
    assert run.state == "Completed", run.message
    check(RECEIVED[-1])


def test_through_run_deployment(sim: Simulation, takes: Flow[..., Any]) -> None:
    @flow
    def parent() -> None:
        now = datetime.now(UTC)
        for parameters in (SENT_OBJECTS, {"when": now, "day": now.date(), "length": "PT1H"}):
            run = run_deployment(f"{takes.name}/dev", parameters=parameters)
            assert run.state.is_completed(), run.state
        sent.append(now)

    sent: list[datetime] = []
    sim.deploy(takes, name="dev")
    run = sim.run(parent)
    assert run.state == "Completed", run.message
    first, second = RECEIVED
    check(first)
    assert second["when"] == sent[0]
    assert second["day"] == date(2026, 1, 5)


def test_a_deployment_describes_them_as_in_real_life(
    sim: Simulation, takes: Flow[..., Any], annotations: str
) -> None:
    deployment = sim._world.client.read_deployment(sim.deploy(takes, name="dev"))
    schema = deployment.parameter_openapi_schema
    assert schema is not None
    before = SCHEMAS_BEFORE[annotations].model_dump()
    assert {"definitions": {}, **schema} == before
    assert schema["properties"]["when"]["format"] == "date-time"
    assert schema["properties"]["day"]["format"] == "date"
    assert schema["properties"]["length"]["format"] == "duration"


def test_what_does_not_fit_is_refused_in_one_line(sim: Simulation, takes: Flow[..., Any]) -> None:
    reason = "Validation failed for field 'day'. Failure reason: 7 is not of type 'string'"
    with pytest.raises(SimulationError) as refused:
        sim.deploy(takes, name="dev", parameters={**TEXT, "day": 7})
    assert str(refused.value) == f"deployment '{takes.name}/dev': Value error, {reason}"
    sim.deploy(takes, name="dev")
    with pytest.raises(SimulationError) as refused:
        sim.trigger(f"{takes.name}/dev", parameters={**TEXT, "day": 7})
    message = f"run of '{takes.name}/dev': Error creating flow run: {reason}"
    assert str(refused.value) == message


class Jobs:
    """Flows that are methods."""

    def __init__(self, number: int) -> None:
        self.number = number

    @flow
    def of_an_object(self, more: int) -> int:
        return self.number + more

    @flow
    @classmethod
    def of_a_class(cls, more: int) -> str:
        return f"{cls.__name__} {more}"


def test_a_method_is_run_with_what_it_is_bound_to(sim: Simulation) -> None:
    assert sim.run(Jobs(3).of_an_object, more=4).result == 7
    assert sim.run(Jobs.of_a_class, more=4).result == "Jobs 4"
    with pytest.raises(SimulationError, match="needs its parameter 'more'"):
        sim.run(Jobs(3).of_an_object)
