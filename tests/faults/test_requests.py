"""Faults of the API: Prefect's own clients and workers meet them, on virtual time."""

from __future__ import annotations

import itertools
import random
import time
import warnings
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment
from prefect.exceptions import PrefectHTTPStatusError

from simulator import Simulation, SimulationError
from simulator.errors import SilentFault
from simulator.faults import AnswerLost, ApiError, ApiLimited, ApiRefused, ApiSlow

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
CREATE = "POST /deployments/*/create_flow_run"


@flow
def child():
    time.sleep(60)


@flow
def parent():
    time.sleep(1)
    run_deployment("child/dev")


@flow
def short(): ...


@flow
def orders():
    run_deployment("child/dev", timeout=0)


@flow
def keyed():
    run_deployment("short/dev", timeout=0, idempotency_key="tonight")


@pytest.fixture
def sim():
    with Simulation(start=T0) as simulation:
        for one in (child, short, parent, orders, keyed):
            simulation.deploy(one, name="dev")
        yield simulation


def struck(sim: Simulation, request: str = "") -> list[datetime]:
    """When faults have struck requests."""
    notes = [note for note in sim.history().notes if note.kind == "fault"]
    return [note.at for note in notes if request in note.details["request"]]


def gaps(instants: list[datetime]) -> list[float]:
    """The seconds between them."""
    return [(b - a).total_seconds() for a, b in itertools.pairwise(instants)]


def test_prefects_client_tries_again_and_waits_longer_each_time(sim):
    sim.inject(ApiError(route=CREATE, on=[0, 1, 2]))
    run = sim.run(parent)
    assert run.state == "Completed"
    assert len(run.children) == 1
    first, second, third = [
        *gaps(struck(sim)),
        (run.children[0].start - struck(sim)[2]).total_seconds(),
    ]
    for waited, least, most in ((first, 1, 3), (second, 2, 6), (third, 5, 20)):
        assert least <= waited <= most


def test_it_gives_up_after_six_and_the_run_goes_back_to_the_fault(sim):
    sim.inject(ApiError(route=CREATE))
    run = sim.run(parent)
    assert run.state == "Failed"
    assert run.children == ()
    assert len(struck(sim)) == 6
    why = sim.explain(run)
    assert why.fault == 0
    assert why.root.sentence == f"fault 0: answers 503 to requests to {CREATE}"


def test_an_error_that_prefect_takes_for_final_is_not_tried_again(sim):
    sim.inject(ApiError(route=CREATE, status=500))
    run = sim.run(parent)
    assert (run.state, len(struck(sim))) == ("Failed", 1)
    assert sim.explain(run).fault == 0


def test_retry_after_is_kept_to(sim):
    sim.inject(ApiLimited(route=CREATE, retry_after=10 * MINUTE, on=[0]))
    run = sim.run(parent)
    (at,) = struck(sim)
    # Never earlier, up to a fifth later, and then a worker has to find it.
    assert 10 * MINUTE <= run.children[0].start - at <= 12 * MINUTE + 10 * SECOND


def test_a_slow_answer_takes_virtual_time(sim):
    sim.inject(ApiSlow(route=CREATE, by=20 * SECOND))
    run = sim.run(parent)
    assert run.state == "Completed"
    (at,) = struck(sim)
    assert run.children[0].scheduled - at < SECOND  # the server has done it at once


def test_an_answer_slower_than_the_client_waits_is_asked_for_again(sim):
    sim.inject(ApiSlow(route=CREATE, by=2 * MINUTE, on=[0, 1]))
    run = sim.run(parent)
    assert run.state == "Completed"
    first, second = struck(sim)
    assert MINUTE < second - first < MINUTE + 4 * SECOND
    assert len(sim.runs("child")) == 3  # each time it was done


def test_what_is_asked_for_again_is_done_twice_unless_it_has_a_key(sim):
    sim.inject(AnswerLost(route=CREATE, on=[0, 2]))
    for ordering in (orders, keyed):
        assert sim.run(ordering).state == "Completed"
    sim.advance(minutes=5)
    assert [len(sim.runs(name)) for name in ("child", "short")] == [2, 1]


def test_a_process_that_cannot_reach_the_api_crashes(sim):
    sim.inject(ApiRefused(caller="flow", between=(T0, T0 + HOUR)))
    sim.trigger("child/dev")
    sim.advance(minutes=30)
    (run,) = sim.runs("child")
    assert run.state == "Crashed"
    assert sim.explain(run).fault == 0


def test_a_parent_that_waits_feels_an_outage_of_its_polls(sim):
    sim.inject(
        ApiError(route="GET /flow_runs/*", status=500, between=(T0 + 20 * SECOND, T0 + 40 * SECOND))
    )
    run = sim.run(parent)
    assert run.state == "Failed"  # although its child has been well all the time
    assert T0 + 20 * SECOND <= run.end <= T0 + 26 * SECOND
    assert sim.explain(run).fault == 0


def test_a_worker_takes_nothing_during_an_outage_and_goes_on_after_it(sim):
    sim.inject(ApiError(caller="worker", between=(T0, T0 + 5 * MINUTE)))
    sim.trigger("child/dev")
    sim.advance(minutes=30)
    (run,) = sim.runs("child")
    assert run.state == "Completed"
    assert 5 * MINUTE <= run.start - T0 <= 7 * MINUTE
    assert "fault 0" in str(sim.explain(run))


def test_a_worker_gives_up_when_an_outage_lasts(sim):
    sim.inject(ApiRefused(caller="worker", between=(T0, T0 + HOUR)))
    sim.trigger("child/dev")
    sim.advance(hours=2)
    (run,) = sim.runs("child")
    assert run.state == "Late"
    assert sim.explain(run).fault == 0
    sim.start_worker()
    sim.advance(minutes=5)
    assert sim.runs("child")[0].state == "Completed"


def test_the_same_seed_strikes_the_same_and_waits_as_long():
    def history(seed: int) -> list[datetime]:
        random.seed()
        with Simulation(start=T0, seed=seed) as sim:
            sim.deploy(child, name="dev", cron="*/10 * * * *")
            sim.inject(ApiError(probability=0.3))
            sim.advance(hours=1)
            return struck(sim)

    first, again, other = history(1), history(1), history(2)
    assert len(first) > 10
    assert first == again != other


def test_each_process_asks_for_the_version(sim):
    """Were it remembered from an earlier process, as within one of Python's, none but the first would."""
    asked = "GET /admin/version"
    sim.inject(ApiSlow(route=asked, by=SECOND, caller="flow"))
    for _ in range(2):
        sim.trigger("short/dev")
        sim.advance(minutes=1)
    notes = [note for note in sim.history().notes if note.kind == "fault"]
    assert [note.run_id for note in notes] == [run.id for run in sim.runs("short")]


def test_one_that_no_request_has_met_is_told():
    with pytest.warns(
        SilentFault, match="fault 0 has never struck: answers 503 to requests to /work_"
    ):
        with Simulation(start=T0) as sim:
            sim.inject(ApiError(route="/work_pools/filter"))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (dict(kind="api error", status=404), "status=404 must be a whole number, from 500 to 599"),
        (dict(kind="api erorr"), "no kind of fault 'api erorr': did you mean 'api error'?"),
        (dict(kind="api error", route="flow_runs"), "route='flow_runs' must be a path"),
        (dict(kind="api error", route="/flow_rnus/*"), "route='/flow_rnus/*': no request"),
        (dict(kind="api error", route="PUT /flow_runs/filter"), "no request to Prefect's API"),
        (dict(kind="api error", caller="server"), "caller='server' must be 'flow' or 'worker'"),
        (dict(kind="api slow", by=0), "by=0 s must be more than 0"),
        (dict(kind="api refused", probability=1.5), "probability=1.5 must be from 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(fault, message):
    with warnings.catch_warnings(), Simulation() as sim:
        with pytest.raises(SimulationError) as refused:
            sim.inject(fault)
        assert message in str(refused.value)
        assert "\n" not in str(refused.value)


def test_each_fault_counts_all_requests_that_concern_it_whatever_another_does(sim):
    waited = []

    @flow
    def reader():
        for _ in range(3):
            began = time.monotonic()
            with get_client(sync_client=True) as client, suppress(PrefectHTTPStatusError):
                client.read_flows()
            waited.append(time.monotonic() - began)

    route = "POST /flows/filter"
    sim.inject([ApiError(route=route, status=500, on=[0]), ApiSlow(route=route, on=[1])])
    sim.run(reader)
    assert [round(seconds) for seconds in waited] == [0, 10, 0]


@flow
def does_nothing() -> None: ...


def test_a_worker_that_an_error_of_the_api_has_ended_stays_away_until_it_is_started_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Simulation(start=T0) as sim:
        sim.deploy(does_nothing, name="dev", interval=5 * MINUTE)
        in_time = (T0 + 9 * MINUTE, T0 + 11 * MINUTE)
        route = "GET /deployments/*"
        sim.inject(ApiError(route=route, status=500, caller="worker", between=in_time))
        sim.advance(minutes=22)
        first, *others = [run.state for run in sim.runs("does-nothing")]
        assert first == "Completed"
        assert others.count("Late") == len(others) > 1
        assert "'worker-default' has ended: Server error '500 Internal Server Error'" in caplog.text
        why = str(sim.explain(sim.runs("does-nothing")[1]))
        assert (
            "the worker of work pool default was ended by an error of the API, and is not back"
            in why
        )
        assert "because fault 0: answers 500 to requests to GET /deployments/*" in why
        sim.start_worker()
        sim.advance(minutes=1)
        assert [run.state for run in sim.runs("does-nothing")][: len(others)] == [
            "Completed"
        ] * len(others)


def test_a_worker_is_said_to_be_ended_by_what_has_ended_it_and_not_by_what_came_after() -> None:
    with Simulation(start=T0) as sim:
        one, _ = [sim.deploy(does_nothing, name, interval=5 * MINUTE) for name in ("one", "other")]
        in_time = {"between": (T0 + 9 * MINUTE, T0 + 11 * MINUTE), "caller": "worker"}
        sim.inject([ApiError(route=f"GET /deployments/{one}", status=500, **in_time)])
        sim.inject([ApiSlow(**in_time)])
        sim.advance(minutes=22)
        struck = [note for note in sim.history().notes if note.kind == "fault"]
        late = next(run for run in sim.runs() if run.state == "Late")
        assert struck[-1].details["fault"] == 1
        assert sim.explain(late).fault == 0
