"""The findings of a scenario as matrices: of what (rows), what was done to it or is wrong (columns).

The cells of an audit stand in one matrix, whichever variant each is of; the findings of a project in one
for each variant. Rows and columns come in the order in which they are serious.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from simulator.history import FindingRecord, Outcome

Seen = tuple[int, FindingRecord]
"""A finding, and the place of its variant."""


def matrices(outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
    """All findings of the variants of a scenario, as the page shows them; None if there are none."""
    seen = [(place, one) for place, own in enumerate(outcomes) for one in own.findings]
    if not seen:
        return None
    kinds = {one.kind: one for _, one in sorted(seen, key=lambda one: one[1].rank)}
    places = {kind: place for place, kind in enumerate(kinds)}
    return {
        "kinds": [[kind, one.kind_says, one.level] for kind, one in kinds.items()],
        "parts": [_part(own, outcomes, places) for own in _parts(seen, outcomes)],
    }


def compared(outcomes: Sequence[Outcome]) -> dict[int, int]:
    """With which variant each is compared that was run for a cell of an audit, by their places: with the
    one of its seed that was run for none; -1 if there is no such one.
    """
    own = [
        place
        for place, one in enumerate(outcomes)
        if any(found.cause and found.cell == one.key[1] for found in one.findings)
    ]
    bases: dict[int, int] = {}
    for place, one in enumerate(outcomes):
        if place not in own:
            bases.setdefault(one.key[2], place)
    return {place: bases.get(outcomes[place].key[2], -1) for place in own}


def _parts(seen: Iterable[Seen], outcomes: Sequence[Outcome]) -> list[list[Seen]]:
    """What belongs into one matrix."""
    parts: dict[Any, list[Seen]] = {}
    for place, one in seen:
        _, variant, seed = outcomes[place].key
        parts.setdefault((seed, None if one.cause else variant), []).append((place, one))
    return list(parts.values())


def _part(
    seen: Sequence[Seen], outcomes: Sequence[Outcome], kinds: Mapping[str, int]
) -> dict[str, Any]:
    """One matrix. A cell is named by its place in `cells`, -1 where there is none."""
    known = [{run.id for run in one.history.runs()} if one.history else set() for one in outcomes]
    columns: dict[str, str] = {}
    cells: dict[tuple[str, str], list[Seen]] = {}
    for place, one in seen:
        column = one.cause or one.kind
        columns[column] = one.cause_says or one.kind_says
        cells.setdefault((one.subject, column), []).append((place, one))
    by_row = _ordered(cells, {subject: [] for subject, _ in cells}, 0)
    by_column = _ordered(cells, {column: [] for column in columns}, 1)
    places = {key: place for place, key in enumerate(cells)}
    audited = bool(seen[0][1].cause)
    own = compared(outcomes)
    return {
        "audit": audited,
        "variant": -1 if audited else seen[0][0],
        "columns": [[column, columns[column]] for column in by_column],
        "rows": [[row, [places.get((row, one), -1) for one in by_column]] for row in by_row],
        "cells": [
            [_told(place, one, place in own, known[place], kinds) for place, one in own_seen]
            for own_seen in cells.values()
        ],
        "courses": list(_courses(cells, one_each=not audited)),
        "without": [] if audited else _without(outcomes[seen[0][0]], by_row),
    }


def _ordered(
    cells: Mapping[tuple[str, str], Sequence[Seen]], ranks: dict[str, list[float]], side: int
) -> list[str]:
    """Rows or columns: those first whose worst cells are worse; of the same ones, those with more."""
    for key, own in cells.items():
        ranks[key[side]].append(min(one.rank for _, one in own))
    return sorted(ranks, key=lambda name: ([*sorted(ranks[name]), float("inf")], name))


def _told(
    place: int,
    one: FindingRecord,
    shown: bool,
    runs: Collection[Any],
    kinds: Mapping[str, int],
) -> list[Any]:
    """A finding as a list: its kind, what is said, how often, seconds, file and line, why it went so,
    the variant that was run for it (-1 for none), the id of the run that shows it, and its variant.
    """
    run = one.run_id.hex[-12:] if one.run_id is not None and one.run_id in runs else ""
    return [
        kinds[one.kind],
        one.said,
        one.times,
        one.seconds,
        one.where,
        one.explained,
        place if shown else -1,
        run,
        place,
    ]


def _courses(
    cells: Mapping[tuple[str, str], Sequence[Seen]], *, one_each: bool
) -> Iterator[list[list[int]]]:
    """What is told in words: [cell, finding] pairs. The same course of several cells is told once, and
    of a project each finding for itself; most serious first, then what was seen more often.
    """
    folded: dict[Any, list[tuple[int, int]]] = {}
    of_course: dict[Any, tuple[int, int]] = {}
    for place, own in enumerate(cells.values()):
        if one_each:
            for number, (_, one) in enumerate(own):
                folded[place, number] = [(place, number)]
                of_course[place, number] = (one.rank, -one.times)
            continue
        course = tuple((one.kind, one.said) for _, one in own)
        folded.setdefault(course, []).append((place, 0))
        of_course[course] = (own[0][1].rank, -len(folded[course]))
    for course in sorted(folded, key=of_course.__getitem__):
        yield [list(one) for one in folded[course]]


def _without(outcome: Outcome, found: Collection[str]) -> list[str]:
    """The deployments that have run, of which nothing was found, and whose runs show nothing."""
    if outcome.history is None:
        return []
    ran = [run for run in outcome.history.runs() if run.start is not None]
    showing = {one.run_id for one in outcome.findings}
    known = {run.deployment for run in ran if run.id in showing}
    return sorted({run.deployment for run in ran if run.deployment} - known - {*found})
