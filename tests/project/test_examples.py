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
    said: dict[str, Any] = json.loads(capfd.readouterr().out)
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
