"""The comparison of the two engines: it notices lies, and its document names every case."""

from __future__ import annotations

import re

import pytest

from simulator import Simulation
from tests.conformance import report
from tests.conformance.case import SETTINGS, Case, all_cases
from tests.conformance.compare import compare
from tests.conformance.known import KNOWN
from tests.conformance.lies import LIES
from tests.conformance.observe import Observed, _key, observe

CASES = all_cases()

# A failure, children in an order, and a parent that they belong to.
TOLD = CASES["parent-returns-list-of-states"]


def virtually(case: Case, lie: str | None = None) -> Observed:
    told = []
    observed = observe(
        case,
        Simulation(settings=SETTINGS),
        (lambda sim: told.append(LIES[lie](sim))) if lie else (lambda sim: None),
    )
    assert observed.error is None
    assert told == ([True] if lie else [])
    return observed


@pytest.fixture(scope="module")
def truth() -> Observed:
    return virtually(TOLD)


def test_the_truth_told_twice_is_the_same(truth: Observed) -> None:
    assert compare(TOLD, virtually(TOLD), truth) == []


def test_there_are_five_lies() -> None:
    assert len(LIES) == 5


@pytest.mark.parametrize(
    ("lie", "aspects"),
    [
        ("swallowed-failure", {"state", "type", "states"}),
        ("missing-state", {"states"}),
        ("wrong-order", {"order"}),
        ("extra-run", {"runs"}),
        ("broken-link", {"runs"}),
    ],
)
def test_a_lie_is_noticed(truth: Observed, lie: str, aspects: set[str]) -> None:
    differences = compare(TOLD, virtually(TOLD, lie), truth)
    assert {difference.what for difference in differences} >= aspects


def test_an_engine_that_fails_does_not_agree(truth: Observed) -> None:
    (difference,) = compare(TOLD, truth, Observed(error="Traceback\nValueError: broken"))
    assert (difference.what, difference.live) == ("error", "ValueError: broken")


def test_runs_of_a_schedule_are_told_apart_by_their_instants() -> None:
    """A worker that comes back starts what it has missed all at once: any may be Running first."""
    missed = [("good", 25.0, 1), ("good", 29.0, 0), ("good", 33.0, 2)]
    runs = [
        {"label": label, "auto_scheduled": True, "scheduled": scheduled, "place": place}
        for label, scheduled, place in missed
    ]
    begun = sorted(runs, key=lambda run: run["place"])
    assert begun != runs
    assert sorted(begun, key=_key) == runs
    ordered = [run | {"auto_scheduled": False} for run in runs]
    assert [run["place"] for run in sorted(ordered, key=_key)] == [0, 1, 2]


def test_there_are_at_least_sixty_cases_on_both_engines() -> None:
    assert len([case for case in CASES.values() if not case.live_only]) >= 60


def test_every_case_says_what_it_shows() -> None:
    assert [case.name for case in CASES.values() if not case.shows or not case.section] == []


def test_known_differences_are_few_and_have_reasons() -> None:
    assert len(KNOWN) <= 5
    for known in KNOWN:
        assert known.case in CASES
        assert len(known.reason) > 40


def test_the_document_names_these_cases() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.+) \| [a-z ()]+ \|$", report.FILE.read_text(), re.M)
    assert rows == [(case.name, case.shows) for case in CASES.values()], "run `make conformance`"


def test_the_document_names_the_known_differences() -> None:
    text = report.FILE.read_text()
    section = text[text.index("## Known differences") : text.index("## Cases")]
    assert section.count("\n- ") == len(KNOWN)
    for known in KNOWN:
        assert known.reason in section


def test_the_document_tells_of_a_green_run() -> None:
    assert "| differs |" not in report.FILE.read_text()
