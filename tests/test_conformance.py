"""The comparison of the two engines: it notices lies, and its document names every case."""

from __future__ import annotations

import re
from itertools import chain

import pytest

from simulator import Simulation
from tests.conformance import report
from tests.conformance.case import SETTINGS, Case, all_cases, rests_on_a_change
from tests.conformance.compare import compare
from tests.conformance.known import KNOWN
from tests.conformance.lies import LIES
from tests.conformance.observe import Observed, _key, observe
from tests.conformance.run import main

CASES = all_cases()

# A failure, children in an order, and a parent that they belong to.
TOLD = CASES["parent-returns-list-of-states"]


def virtually(case: Case, lie: str | None = None) -> Observed:
    told = []
    observed = observe(
        case,
        Simulation(settings=SETTINGS, modules="fresh"),
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


def test_the_document_names_these_cases_and_how_they_went_in_each_series() -> None:
    text = report.FILE.read_text()
    table = re.findall(r"^\| `([a-z0-9-]+)` \| (.+) \| (.+) \| (.+) \|$", text, re.M)
    assert [(name, shows) for name, shows, *_ in table] == [
        (case.name, case.shows) for case in CASES.values()
    ], "run `make conformance`, and the same with PREFECT=3.8"
    outcomes = {outcome for _, _, *outcomes in table for outcome in outcomes}
    assert outcomes - {"not run yet"} == {"agrees", "known difference", "holds (live only)"}


def test_the_document_says_what_each_series_does() -> None:
    text = report.FILE.read_text()
    for case in CASES.values():
        if case.series:
            assert f"| `{case.name}` | {case.series['3.9']} | {case.series['3.8']} |" in text


def verdict(case: Case, *unlisted: str) -> report.Verdict:
    return report.Verdict(case, list(unlisted), [], 0.0, 0.0)


def test_a_run_on_one_series_leaves_the_other_ones_column_as_it_is() -> None:
    cases = list(CASES.values())
    old = report.document([verdict(case, "other") for case in cases], "3.8")
    both = report.document([verdict(case) for case in cases], "3.9", old)
    for case in cases:
        good = "holds (live only)" if case.live_only else "agrees"
        assert f"| `{case.name}` | {case.shows} | {good} | differs |" in both
    assert both.index("- Prefect 3.9: **") < both.index("- Prefect 3.8: **0 of ")
    again = report.document([verdict(case) for case in cases], "3.8", both)
    assert "differs" not in again


def test_a_case_that_a_series_has_not_run_yet_is_told() -> None:
    first, second = list(CASES.values())[:2]
    both = report.document(
        [verdict(first), verdict(second)], "3.9", report.document([verdict(first)], "3.8")
    )
    assert f"| `{second.name}` | {second.shows} | agrees | not run yet |" in both


def test_what_prefect_has_changed_is_a_part_of_the_cases_that_is_not_small() -> None:
    part = [case for case in CASES.values() if rests_on_a_change(case)]
    assert {case.name for case in CASES.values() if case.series} < {case.name for case in part}
    assert len(CASES) / 4 < len(part) < len(CASES) / 2


def test_parts_of_the_cases_are_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    def listed(*arguments: str) -> list[str]:
        assert main(["--list", *arguments]) == 0
        return [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]

    parts = [listed("--part", f"{place}/3") for place in (1, 2, 3)]
    assert sorted(chain(*parts)) == sorted(CASES)
    assert listed("--changed", "--part", "2/2") == listed("--changed")[1::2]


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "1/0", "a/b"])
def test_what_is_no_part_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], part: str
) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["--part", part])
    assert refused.value.code == 2
    assert f"{part!r} is no part such as 1/2 or 2/2" in capsys.readouterr().err.splitlines()[-1]


def test_the_document_names_the_known_differences() -> None:
    text = report.FILE.read_text()
    section = text[text.index("## Known differences") : text.index("## Programs made up")]
    assert section.count("\n- ") == len(KNOWN)
    for known in KNOWN:
        assert known.reason in section
