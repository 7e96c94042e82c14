"""What differs between two records of the same scenarios, in words, grouped by kind.

A record is about one variant: its scenario and name, error, verdicts, runs (as `normalised` has them,
children inside their parents) and tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any

Record = dict[str, Any]

CRASHED = "crashed on one side"
VERDICT = "an expectation that holds on one side"
MISSING = "a run that the other side has not"
NAMED = "another flow or task in its place"
STATE = "another final state"
CACHED = "served from the cache"
ATTEMPTS = "an attempt more or fewer"
TIME = "earlier or later"
WAY = "another way to the same end"
MESSAGE = "another message"
CALLED = "called with something else"
TABLE = "other rows in a table"

KINDS = (
    CRASHED,
    VERDICT,
    MISSING,
    NAMED,
    STATE,
    CACHED,
    ATTEMPTS,
    TIME,
    WAY,
    MESSAGE,
    CALLED,
    TABLE,
)
"""In the order in which they are shown."""


@dataclass(frozen=True)
class Difference:
    """One thing that differs: its kind, the variant and the run (or table) that show it, both sides."""

    kind: str
    scenario: str
    variant: str
    where: str
    before: str
    after: str


def differences(before: Iterable[Record], after: Iterable[Record]) -> list[Difference]:
    """All that differs between two records, by kind, then by scenario."""
    sides = [{(one["scenario"], one["variant"]): one for one in side} for side in (before, after)]
    found: list[Difference] = []
    for scenario, variant in dict.fromkeys([*sides[0], *sides[1]]):
        one, other = (side.get((scenario, variant), _ABSENT) for side in sides)
        found += [
            Difference(kind, scenario, variant, where, *values)
            for kind, where, *values in _of_variant(one, other)
        ]
    return sorted(found, key=lambda difference: KINDS.index(difference.kind))


_ABSENT: Record = {"error": "it is not there", "verdicts": {}, "runs": [], "tables": {}}
_Words = tuple[str, str, str, str]  # kind, where, before, after


def _of_variant(one: Record, other: Record) -> Iterator[_Words]:
    if one["error"] != other["error"]:
        yield CRASHED, "", one["error"] or "ran to its end", other["error"] or "ran to its end"
        return
    for expectation in dict.fromkeys([*one["verdicts"], *other["verdicts"]]):
        held = [side["verdicts"].get(expectation) for side in (one, other)]
        if held[0] != held[1]:
            words = ["not looked at" if it is None else "holds" if it else "broken" for it in held]
            yield VERDICT, expectation, words[0], words[1]
    yield from _of_runs(one["runs"], other["runs"], "", timedelta())
    for table in dict.fromkeys([*one["tables"], *other["tables"]]):
        yield from _of_table(table, one["tables"].get(table), other["tables"].get(table))


def _of_runs(
    before: list[Record], after: list[Record], within: str, shift: timedelta
) -> Iterator[_Words]:
    """`shift` is by how much the run that called them has begun later on the other side."""
    for one, other in _paired(before, after):
        if one is None or other is None:
            there = one or other
            assert there is not None
            words = f"{there['state']}, {_times(there)}"
            where = f"{within}{_name(there)}"
            yield MISSING, where, words if one else "-", words if other else "-"
        else:
            yield from _of_run(one, other, within, shift)


def _of_run(one: Record, other: Record, within: str, shift: timedelta) -> Iterator[_Words]:
    where = f"{within}{_name(one)}, {_times(one)}"
    states = [[name for name, _, _ in side["states"]] for side in (one, other)]
    ended = [side["state"] for side in (one, other)]
    if _name(one) != _name(other):
        yield NAMED, where, _name(one), _name(other)
    same = ended[0] == ended[1] and one["run_count"] == other["run_count"]
    for what in ("scheduled", "start", "end") if same else ("scheduled", "start"):
        by = _later(one[what], other[what])
        if by is not None and by != shift:
            yield TIME, where, _time(one, what), f"{_time(other, what)}, {_said(by)}"
            break  # what comes after it moves with it
    if ended[0] != ended[1]:
        yield CACHED if "Cached" in ended else STATE, where, ended[0], ended[1]
    if one["run_count"] != other["run_count"]:
        yield ATTEMPTS, where, str(one["run_count"]), str(other["run_count"])
    elif ended[0] == ended[1] and states[0] != states[1]:
        yield WAY, where, ", ".join(states[0]), ", ".join(states[1])
    said = [side["states"][-1][2] if side["states"] else None for side in (one, other)]
    if ended[0] == ended[1] and said[0] != said[1]:
        yield MESSAGE, where, str(said[0]), str(said[1])
    for what in ("parameters", "tags"):
        values = [json.dumps(side.get(what), sort_keys=True) for side in (one, other)]
        if values[0] != values[1]:
            yield CALLED, f"{where}, {what}", values[0], values[1]
    begun = _later(one["start"], other["start"])
    for inside in ("tasks", "children"):
        own = [side.get(inside, []) for side in (one, other)]
        yield from _of_runs(
            own[0], own[1], f"{within}{_name(one)} > ", begun if begun is not None else shift
        )


def _paired(
    before: list[Record], after: list[Record]
) -> Iterator[tuple[Record | None, Record | None]]:
    """Which belong together: what is the same on both sides, then by name, in order. The one name that
    only one side has stands for the one that only the other has: variants differ in their parents.
    """
    left = {json.dumps(one): one for one in before}
    counts: dict[str, int] = {}
    for one in before:
        counts[json.dumps(one)] = counts.get(json.dumps(one), 0) + 1
    others: dict[str, list[Record]] = {}
    for other in after:
        text = json.dumps(other)
        if counts.get(text):
            counts[text] -= 1
        else:
            others.setdefault(_name(other), []).append(other)
    ours: dict[str, list[Record]] = {}
    for text, count in counts.items():
        if count:
            ours.setdefault(_name(left[text]), []).extend([left[text]] * count)
    alone, others_alone = ours.keys() - others.keys(), others.keys() - ours.keys()
    if len(alone) == len(others_alone) == 1:
        others[alone.pop()] = others.pop(others_alone.pop())
    for name in dict.fromkeys([*ours, *others]):
        yield from zip_longest(ours.get(name, []), others.get(name, []))


def _of_table(
    name: str, before: list[Record] | None, after: list[Record] | None
) -> Iterator[_Words]:
    if before is None or after is None:
        words = ["no such table" if it is None else f"{len(it)} rows" for it in (before, after)]
        yield TABLE, name, words[0], words[1]
        return
    texts = [[json.dumps(row) for row in rows] for rows in (before, after)]
    only = [
        [row for row in mine if row not in set(theirs)]
        for mine, theirs in ((texts[0], texts[1]), (texts[1], texts[0]))
    ]
    if only[0] or only[1] or len(before) != len(after):
        words = [
            f"{len(rows)} rows" + (f", such as {alone[0]}" if alone else "")
            for rows, alone in zip((before, after), only, strict=True)
        ]
        yield TABLE, name, words[0], words[1]


def _name(record: Record) -> str:
    name: str = record.get("deployment") or record.get("flow") or f"task {record['task']}"
    return name


def _times(record: Record) -> str:
    known = (what for what in ("scheduled", "start", "end") if record[what])
    return next((_time(record, what) for what in known), "never started")


def _time(record: Record, what: str) -> str:
    words = {"start": "started", "end": "ended"}
    return f"{words.get(what, what)} {record[what]}"


def _later(one: str | None, other: str | None) -> timedelta | None:
    if one is None or other is None:
        return None
    return datetime.fromisoformat(other) - datetime.fromisoformat(one)


def _said(by: timedelta) -> str:
    """An amount of time as one says it: "an hour later"."""
    seconds = abs(round(by.total_seconds()))
    units = {"a day": 86400, "an hour": 3600, "a minute": 60, "a second": 1}
    one, length = next((one, length) for one, length in units.items() if seconds % length == 0)
    count = seconds // length
    amount = one if count == 1 else f"{count} {one.split()[1]}s"
    return f"{amount} {'later' if by > timedelta() else 'earlier'}"
