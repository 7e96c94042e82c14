"""Faults as plain data: what is written down is what is read back, and what is wrong is one line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from simulator import SimulationError, lognormal
from simulator.faults import (
    KINDS,
    AnswerLost,
    ApiError,
    ApiLimited,
    ApiRefused,
    ApiSlow,
    DeploymentPaused,
    DiskFull,
    EventLate,
    EventLost,
    EventTwice,
    ExitLate,
    FileDamaged,
    Hang,
    HeartbeatLost,
    Kill,
    Longer,
    NeverStarts,
    NodeFails,
    OutOfMemory,
    ProcessKilled,
    Raise,
    Redeployed,
    Return,
    ReturnEarlier,
    SlowStart,
    TableAltered,
    WarehouseLocked,
    WorkerAway,
    WorkerKilled,
    WorkerLost,
    from_plain,
    to_plain,
)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = (NOON, NOON + HOUR)

FAULTS = [
    Raise(step="child"),
    Raise(step="child", error=KeyError, probability=0.5, on=[3, 0], attempts="1-2"),
    Return(step="child", value={"products": []}, name="empty feed", active=0.1),
    ReturnEarlier(step="child", runs_back=2, on=[3]),
    Longer(step="child", factor=3),
    Longer(step="child", by=lognormal(5 * HOUR, 0.5), after=timedelta(seconds=1.5)),
    Longer(step="child", by=[HOUR, 2 * HOUR]),
    Hang(step="child", between=WINDOW),
    Kill(step="child", exit_code=143),
    OutOfMemory(step="child", attempts=2),
    WorkerAway(between=WINDOW, work_pool="etl"),
    EventLost(event="prefect.flow-run.Completed", on=[0]),
    EventLate(by=lognormal(HOUR, 0.5), flow="child"),
    EventTwice(after=timedelta(minutes=3)),
    HeartbeatLost(flow="child", between=WINDOW),
    DeploymentPaused(deployment="child/dev", between=WINDOW),
    Redeployed(deployment="child/dev", parameters={"full": True}, at=NOON),
    Redeployed(deployment="child/dev", entrypoint="new.py:child", path="new", at=NOON),
    Redeployed(deployment="child/dev", cron="0 4 * * *", timezone="Asia/Tokyo", at=NOON),
    FileDamaged(path="feeds/orders.json", how="doubled", between=WINDOW),
    DiskFull(at=NOON),
    DiskFull(path="feeds", between=WINDOW),
    TableAltered(table="raw.orders", change="drop column amount", at=NOON),
    WarehouseLocked(between=WINDOW),
    NodeFails(node="stg_orders", message="out of memory", on=[1], between=WINDOW),
    WorkerKilled(at=NOON, worker="second"),
    ProcessKilled(flow="child", at=NOON),
    ProcessKilled(flow="child", reached=("parent", "AwaitingRetry"), between=WINDOW),
    WorkerAway(reached=("child", "Running"), on=[0], lasts=HOUR),
    WorkerAway(per_day=0.5, lasts=HOUR, between=WINDOW),
    WorkerLost(work_pool="etl", back=timedelta(minutes=10), probability=0.5),
    SlowStart(by=lognormal(2 * HOUR, 0.5)),
    ExitLate(by=lognormal(2 * HOUR, 0.5)),
    NeverStarts(work_pool="etl", worker="second", between=WINDOW),
    ApiRefused(caller="worker", between=WINDOW),
    ApiError(route="POST /flow_runs/*/set_state", status=502, on=[2, 0]),
    ApiLimited(retry_after=timedelta(minutes=2), probability=0.25),
    ApiSlow(by=timedelta(seconds=20)),
    AnswerLost(route="/deployments/*/create_flow_run"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_what_is_written_is_what_is_read(fault) -> None:
    assert from_plain(json.loads(json.dumps(to_plain(fault)))) == fault


def test_every_kind_is_among_them() -> None:
    assert {type(fault) for fault in FAULTS} == set(KINDS.values())


def test_an_exception_is_kept_with_its_arguments() -> None:
    read = from_plain(to_plain(Raise(step="child", error=ValueError("boom", 3))))
    assert isinstance(read, Raise)
    assert type(read.error) is ValueError
    assert read.error.args == ("boom", 3)


def test_only_what_differs_is_written() -> None:
    assert to_plain(Hang(step="child")) == {"kind": "hang", "step": "child"}


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_it_is_told_in_one_line_that_names_its_target(fault) -> None:
    assert fault.target in str(fault)
    assert "\n" not in str(fault)


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"kind": "rais", "step": "x"}, "no kind of fault 'rais': did you mean 'raise'?"),
        ({"step": "x"}, "a fault needs its kind; there are answer lost, api error,"),
        (
            {"kind": "raise", "step": "x", "probabilty": 1},
            "no parameter of a fault of kind 'raise' 'probabilty': did you mean 'probability'?",
        ),
        ({"kind": "raise"}, "a fault of kind 'raise' needs step"),
        ({"kind": "raise", "step": "x", "probability": 2}, "probability=2 must be from 0 to 1"),
        ({"kind": "raise", "step": "x", "active": -1}, "active=-1 must be from 0 to 1"),
        ({"kind": "raise", "step": "x", "attempts": "0"}, "attempts='0' must be a run count"),
        ({"kind": "raise", "step": "x", "error": {"type": "Boom"}}, "'Boom' is no class of excep"),
        (
            {"kind": "raise", "step": "x", "error": {"type": "UnicodeDecodeError"}},
            "error=UnicodeDecodeError needs arguments: give UnicodeDecodeError(...)",
        ),
        (
            {"kind": "raise", "step": "x", "error": {"type": "UnicodeDecodeError", "args": [1]}},
            "error: UnicodeDecodeError of args [1]: function takes exactly 5 arguments",
        ),
        ({"kind": "raise", "step": "x", "error": "boom"}, "error='boom' must be an exception"),
        (
            {"kind": "hang", "step": "x", "after": "soon"},
            "after='soon' must be a number of seconds",
        ),
        ({"kind": "hang", "step": "x", "between": ["2026-01-01"]}, "between=('2026-01-01',) must"),
        (
            {"kind": "longer", "step": "x", "by": "1 h"},
            "by='1 h' must be seconds, a list of them, or",
        ),
        ({"kind": "longer", "step": "x"}, "needs factor= or by="),
        ({"kind": "longer", "step": "x", "factor": 0.5}, "factor=0.5 must be"),
        ({"kind": "kill", "step": "x", "exit_code": "x"}, "exit_code='x' must be"),
        (
            {"kind": "redeployed", "deployment": "child/dev", "at": NOON.isoformat()},
            "redeployed of 'child/dev' needs parameters=, entrypoint=, path= or cron=",
        ),
        (
            to_plain(Redeployed(deployment="child/dev", path="new", at=NOON)) | {"timezone": "UTC"},
            "timezone='UTC' is that of a cron=",
        ),
        ({"kind": "worker away"}, "needs one of at=instant, between=(from, until)"),
    ],
)
def test_what_is_wrong_is_one_line(plain, message) -> None:
    with pytest.raises(SimulationError) as refused:
        from_plain(plain)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("word", ["api error", "api_error", "api-error"])
def test_the_words_of_a_kind_are_apart_by_blanks_underscores_or_hyphens(word) -> None:
    fault = from_plain({"kind": word, "status": 503})
    assert fault == ApiError(status=503)
    assert to_plain(fault)["kind"] == "api error"


def test_a_value_that_json_cannot_hold_is_refused_when_it_is_written() -> None:
    with pytest.raises(SimulationError, match="cannot be kept as JSON"):
        to_plain(Return(step="child", value=object()))
