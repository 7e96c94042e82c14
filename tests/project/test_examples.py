"""The projects in `examples/`: exactly what is wrong with their design is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simulator.cli import call

EXAMPLES = Path(__file__).parents[2] / "examples"


def told(capfd: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert call(["project", *arguments, "--json"]) == 0
    out = capfd.readouterr().out
    said: dict[str, Any] = json.loads(out[out.index("{\n") :])  # `serve` greets pytest's stdout
    return said


def test_if_it_is_quiet_the_exit_code_says_it(capfd: pytest.CaptureFixture[str]) -> None:
    assert call(["project", str(EXAMPLES / "shop"), "--check", "--strict", "--quiet"]) == 1
    assert capfd.readouterr() == ("", "")


def test_the_shop(capfd: pytest.CaptureFixture[str]) -> None:
    course = told(capfd, str(EXAMPLES / "shop"), "--start", "2026-01-04T12:00:00Z", "--days", "1.1")
    assert [(one["kind"], one["subject"]) for one in course["findings"]] == [
        ("unknown deployment", "reports/prod"),
        ("masked failure", "nightly/prod"),
        ("left behind", "prices/prod"),
        ("nobody waits", "nightly/prod"),
        ("doubled schedule", "prices/prod"),
        ("nested retries", "orders/prod"),
        ("overlap", "stock/prod"),
        ("ignored key", "report/prod"),
        ("frozen default", "prices"),
    ]
    assert not course["not_loaded"]


def test_the_weather(capfd: pytest.CaptureFixture[str]) -> None:
    """A script that serves several flows."""
    night = ["--start", "2026-03-28T23:30:00Z", "--days", "0.1"]
    course = told(capfd, str(EXAMPLES / "weather"), *night)
    assert [(one["kind"], one["subject"], one["times"]) for one in course["findings"]] == [
        ("masked failure", "readings/stations", 1),
        ("left behind", "bulletin/radio", 1),
        ("overlap", "forecast/model", 1),
        ("change of clocks", "bulletin/radio", 1),
        ("frozen default", "bulletin", 1),
    ]
    assert not course["not_loaded"]


def test_the_payments(capfd: pytest.CaptureFixture[str]) -> None:
    """A parent over `run_deployment`, with secrets, and clients of services elsewhere."""
    course = told(capfd, str(EXAMPLES / "payments"))
    findings = course["findings"]
    assert [(one["kind"], one["subject"], one["times"]) for one in findings] == [
        ("unknown deployment", "ledger/production", 1),
        ("nobody waits", "day/prod", 1),
        ("nested retries", "statements/prod", 1),
        ("ignored key", "reconcile/prod", 1),
    ]
    assert [(one["where"], one["cause"]) for one in course["not_loaded"]] == [
        (
            "prefect.yaml:33",
            "the environment variable 'LEDGER_URL' is not set (flows/ledger.py:5)",
        )
    ]
    assert course["stubs"] == {
        "payments.bank.Bank.statements": 7,
        "payments.storage.Bucket.put": 1,
        "payments.storage.Bucket.names": 1,
    }
    assert course["made_up"] == ["secret/south-bank-token"]
    assert course["refused_connections"] == {}
    assert "statements" not in findings[0]["explanation"], "it is not what has failed there"


def test_the_wholesale(capfd: pytest.CaptureFixture[str]) -> None:
    """A monorepo with dbt on DuckDB, and deployments that are triggered by events."""
    sunday = ["--start", "2026-01-10T23:00:00Z", "--days", "1.1"]
    course = told(capfd, str(EXAMPLES / "wholesale"), *sunday)
    findings = course["findings"]
    assert [(one["kind"], one["subject"], one["times"]) for one in findings] == [
        ("stale table", "transform/prod", 1),
        ("overlap", "stocktaking/prod", 12),
        ("overlap", "publish/prod", 8),
        ("fails", "publish/prod", 1),
    ]
    assert findings[0]["where"] == "flows/transform.py:15"
    assert findings[0]["explanation"].startswith("dbt: skipped: not_null_receipts_cents failed")
    assert not course["not_loaded"]
