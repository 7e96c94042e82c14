"""Two records of the same scenarios, and what is said of them."""

from copy import deepcopy
from typing import Any

import pytest

from simulator.history.differing import KINDS, Difference, differences
from simulator.upgrade import Comparison, as_text

RUN = {
    "flow": "load",
    "deployment": "load/dev",
    "state": "Completed",
    "scheduled": "2026-01-05T03:00:00Z",
    "start": "2026-01-05T03:00:00Z",
    "end": "2026-01-05T03:10:00Z",
    "run_count": 1,
    "states": [
        ["Scheduled", "2026-01-05T00:00:00Z", None],
        ["Running", "2026-01-05T03:00:00Z", None],
        ["Completed", "2026-01-05T03:10:00Z", None],
    ],
    "parameters": {"day": "2026-01-05"},
    "tags": [],
    "tasks": [
        {
            "task": "fetch",
            "state": "Completed",
            "scheduled": "2026-01-05T03:00:00Z",
            "start": "2026-01-05T03:00:00Z",
            "end": "2026-01-05T03:10:00Z",
            "run_count": 1,
            "states": [["Completed", "2026-01-05T03:10:00Z", None]],
            "tags": [],
        }
    ],
    "children": [],
}
NIGHTS = [
    {
        **deepcopy(RUN),
        **{what: f"2026-01-0{day}{RUN[what][10:]}" for what in ("scheduled", "start", "end")},
    }
    for day in (5, 6, 7)
]


def record(runs: list[dict[str, Any]], **changed: Any) -> dict[str, Any]:
    return {
        "scenario": "loading",
        "variant": "plain",
        "error": "",
        "verdicts": {"it is loaded": True},
        "runs": runs,
        "tables": {"main.loaded": [{"x": 1}, {"x": 2}]},
        **changed,
    }


def found(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [
        (difference.kind, difference.where, difference.before, difference.after)
        for difference in differences([one], [other])
    ]


def changed_run(**changes: Any) -> list[dict[str, Any]]:
    nights = deepcopy(NIGHTS)
    nights[1].update(changes)
    return nights


SECOND = "load/dev, scheduled 2026-01-06T03:00:00Z"
TASK = "load/dev > task fetch, scheduled 2026-01-05T03:00:00Z"


def test_what_is_the_same_has_no_difference() -> None:
    assert found(record(NIGHTS), record(deepcopy(NIGHTS))) == []


def an_hour_later() -> list[dict[str, Any]]:
    night = deepcopy(NIGHTS[0])
    for one in (night, *night["tasks"]):
        for what in ("scheduled", "start", "end"):
            one[what] = one[what].replace("T03:", "T04:")
    return [night, *NIGHTS[1:]]


def cached_task() -> list[dict[str, Any]]:
    nights = deepcopy(NIGHTS)
    nights[0]["tasks"][0]["state"] = "Cached"
    return nights


AWAY = [["Scheduled", "", None], ["Late", "", None], ["Completed", "", None]]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (changed_run(state="Failed"), ("another final state", SECOND, "Completed", "Failed")),
        (changed_run(run_count=2), ("an attempt more or fewer", SECOND, "1", "2")),
        (
            changed_run(states=AWAY),
            (
                "another way to the same end",
                SECOND,
                "Scheduled, Running, Completed",
                "Scheduled, Late, Completed",
            ),
        ),
        (
            changed_run(states=[*RUN["states"][:-1], ["Completed", "", "done"]]),
            ("another message", SECOND, "None", "done"),
        ),
        (
            changed_run(parameters={"day": "2026-01-06"}),
            (
                "called with something else",
                f"{SECOND}, parameters",
                '{"day": "2026-01-05"}',
                '{"day": "2026-01-06"}',
            ),
        ),
        (
            changed_run(end="2026-01-06T03:10:15Z"),
            (
                "earlier or later",
                SECOND,
                "ended 2026-01-06T03:10:00Z",
                "ended 2026-01-06T03:10:15Z, 15 seconds later",
            ),
        ),
        (
            an_hour_later(),
            (
                "earlier or later",
                "load/dev, scheduled 2026-01-05T03:00:00Z",
                "scheduled 2026-01-05T03:00:00Z",
                "scheduled 2026-01-05T04:00:00Z, an hour later",
            ),
        ),
        (cached_task(), ("served from the cache", TASK, "Completed", "Cached")),
        (
            NIGHTS[:2],
            (
                "a run that the other side has not",
                "load/dev",
                "Completed, scheduled 2026-01-07T03:00:00Z",
                "-",
            ),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_each_kind_is_said_once_and_with_the_run_that_shows_it(
    changed: list[dict[str, Any]], expected: tuple[str, str, str, str]
) -> None:
    assert found(record(NIGHTS), record(changed)) == [expected]


def test_the_one_name_on_each_side_that_the_other_has_not_stands_for_the_other() -> None:
    child = {**deepcopy(RUN), "flow": "extract", "deployment": None, "tasks": []}
    plain = {**deepcopy(RUN), "flow": "plain", "deployment": "plain/dev", "children": [child]}
    failed = {**deepcopy(plain), "flow": "kind", "deployment": "kind/dev"}
    failed["children"][0]["state"] = "Failed"
    night = "plain/dev, scheduled 2026-01-05T03:00:00Z"
    inside = "plain/dev > extract, scheduled 2026-01-05T03:00:00Z"
    assert found(record([plain, RUN]), record([RUN, failed])) == [
        ("another flow or task in its place", night, "plain/dev", "kind/dev"),
        ("another final state", inside, "Completed", "Failed"),
    ]
    two = [{**deepcopy(plain), "deployment": f"{name}/dev"} for name in "ab"]
    kinds = {one.kind for one in differences([record(two)], [record([failed])])}
    assert kinds == {"a run that the other side has not"}, (
        "which of the two it stands for is not known"
    )


def test_what_is_not_a_run_is_compared_as_well() -> None:
    assert found(record(NIGHTS), record(NIGHTS, error="ValueError: boom")) == [
        ("crashed on one side", "", "ran to its end", "ValueError: boom")
    ]
    assert found(record(NIGHTS), record(NIGHTS, verdicts={"it is loaded": False})) == [
        ("an expectation that holds on one side", "it is loaded", "holds", "broken")
    ]
    assert found(record(NIGHTS), record(NIGHTS, tables={"main.loaded": [{"x": 1}]})) == [
        ("other rows in a table", "main.loaded", '2 rows, such as {"x": 2}', "1 rows")
    ]
    assert found(record(NIGHTS), record(NIGHTS, tables={})) == [
        ("other rows in a table", "main.loaded", "2 rows", "no such table")
    ]
    assert [one.kind for one in differences([record(NIGHTS)], [])] == ["crashed on one side"]


def test_the_text_groups_by_kind_and_counts_what_it_leaves_out() -> None:
    many = [
        Difference("earlier or later", "loading", "plain", f"run {number}", "03:00", "04:00")
        for number in range(5)
    ]
    text = as_text(Comparison("3.8.8", "3.9.1", 7, 2, tuple(many)))
    assert text.splitlines() == [
        "earlier or later (5)",
        *(
            line
            for number in range(3)
            for line in (
                f"  loading [plain]: run {number}",
                "      3.8.8: 03:00",
                "      3.9.1: 04:00",
            )
        ),
        "  and 2 more of loading [plain]",
        "",
        "Prefect 3.8.8 and 3.9.1, 2 variants, seed 7: 5 differences",
    ]
    assert as_text(Comparison("3.8.8", "3.8.8", 0, 2, ())).endswith("seed 0: no difference")


def test_every_kind_is_tried_here() -> None:
    source = __import__("pathlib").Path(__file__).read_text()
    assert [kind for kind in KINDS if kind not in source] == []
