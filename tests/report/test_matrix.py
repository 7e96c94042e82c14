"""The numbers of the matrices: which cell holds what, in which order, and what shows it."""

from pathlib import Path
from typing import Any

import pytest
from found import write_audit, write_project

from simulator.audit import KINDS
from simulator.history import kept_outcomes
from simulator.project import KINDS as KINDS_OF_PROJECTS
from simulator.report.numbers import numbers

KIND, SAID, TIMES, SECONDS, WHERE, WHY, SHOWN, RUN, VARIANT = range(9)


def scenario_of(path: Path) -> dict[str, Any]:
    [scenario] = numbers(kept_outcomes(path))["scenarios"]
    return scenario


@pytest.fixture
def audit(tmp_path: Path) -> dict[str, Any]:
    write_audit(tmp_path / "audit.duckdb")
    return scenario_of(tmp_path / "audit.duckdb")


@pytest.fixture
def project(tmp_path: Path) -> dict[str, Any]:
    write_project(tmp_path / "project.duckdb")
    return scenario_of(tmp_path / "project.duckdb")


def worst(scenario: dict[str, Any], part: dict[str, Any]) -> list[list[str]]:
    """Each row with the kind of each of its cells, as a reader sees it."""
    kinds = [kind for kind, *_ in scenario["findings"]["kinds"]]
    return [
        [row, *("" if one < 0 else kinds[part["cells"][one][0][KIND]] for one in places)]
        for row, places in part["rows"]
    ]


def test_rows_and_columns_of_an_audit_come_most_serious_first(audit) -> None:
    [part] = audit["findings"]["parts"]
    assert [name for name, _ in part["columns"]] == ["killed", "raises", "clocks", "raises-once"]
    assert part["columns"][2][1].startswith("a change of clocks")
    assert worst(audit, part) == [
        ["child/dev", "no answer", "masked", "", "healed"],
        ["parent/dev", "masked", "noticed", "lost run", ""],
    ]


def test_kinds_come_with_what_they_mean_and_how_serious_they_are(audit, project) -> None:
    told = audit["findings"]["kinds"]
    assert [(kind, level) for kind, _, level in told] == [
        ("no answer", "serious"),
        ("masked", "serious"),
        ("lost run", "serious"),
        ("noticed", "noticed"),
        ("late", "minor"),
        ("healed", "well"),
    ]
    assert all(says == KINDS[kind] for kind, says, _ in told)
    assert project["findings"]["kinds"] == [
        ["masked failure", KINDS_OF_PROJECTS["masked failure"], "serious"],
        ["ignored key", KINDS_OF_PROJECTS["ignored key"], "minor"],
    ]


def test_a_cell_of_an_audit_knows_its_variant_and_its_run(audit) -> None:
    [part] = audit["findings"]["parts"]
    slugs = [variant["slug"] for variant in audit["variants"]]
    assert [slugs[one["besides"]] for one in audit["variants"][1:]] == ["without a fault"] * 5
    assert audit["variants"][0]["besides"] == -1
    rows = dict(part["rows"])
    masked, late = part["cells"][rows["child/dev"][1]]
    assert slugs[masked[SHOWN]] == "child/dev:raises"
    ids = [run[0] for run in audit["variants"][masked[SHOWN]]["runs"]]
    assert masked[RUN] == ids[3]
    assert late[RUN] == ""
    assert late[SECONDS] == 900
    [clocks] = part["cells"][rows["parent/dev"][2]]
    assert (clocks[SHOWN], clocks[RUN]) == (-1, "")  # nothing was run for it


def test_the_same_course_is_told_once(audit) -> None:
    [part] = audit["findings"]["parts"]
    rows = dict(part["rows"])
    both = [[rows["child/dev"][1], 0], [rows["parent/dev"][0], 0]]
    assert [sorted(course) for course in part["courses"]][:2] == [
        [[rows["child/dev"][0], 0]],
        sorted(both),
    ]
    assert len(part["courses"]) == 5


def test_the_findings_of_a_project_stand_in_a_matrix_for_each_variant(project) -> None:
    one, other = project["findings"]["parts"]
    assert [name for name, _ in one["columns"]] == ["masked failure", "ignored key"]
    assert worst(project, one) == [
        ["parent/dev", "masked failure", ""],
        ["child/dev", "", "ignored key"],
    ]
    assert worst(project, other) == [["child/dev", "ignored key"]]
    assert (one["variant"], other["variant"]) == (0, 1)
    keys = one["cells"][dict(one["rows"])["child/dev"][1]]
    assert [key[WHERE] for key in keys] == ["prefect.yaml:3", "prefect.yaml:9"]
    [masked] = one["cells"][dict(one["rows"])["parent/dev"][0]]
    assert (masked[TIMES], masked[WHY]) == (3, "because of a fault")
    assert masked[RUN] == project["variants"][0]["runs"][3][0]
    assert len(one["courses"]) == 3  # each finding for itself
    assert (one["without"], other["without"]) == ([], ["parent/dev"])  # report/dev has never begun


def test_what_stands_in_a_matrix_is_no_verdict_as_well(project) -> None:
    told = [[one[0] for one in variant["verdicts"]] for variant in project["variants"]]
    assert told == [["never two at once"], ["never two at once"]]
    assert [variant["passed"] for variant in project["variants"]] == [False, False]


def test_a_scenario_without_findings_has_no_matrix(results: Path) -> None:
    assert {one["findings"] for one in numbers(kept_outcomes(results))["scenarios"]} == {None}


def test_a_cell_of_an_audit_parts_from_what_it_is_compared_with(audit) -> None:
    assert audit["partings"] == []
    [_, one, *_] = audit["variants"]
    parted = {what: (at, sides) for what, at, sides in one["partings"]}
    assert parted["end otherwise"] == (
        23 * 3600 + 905,
        [["child/dev:raises-once", "parent Completed"], ["without a fault", "parent Failed"]],
    )
