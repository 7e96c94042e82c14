"""The numbers of the page: what a results file holds, as the plain values that the page embeds.

Instants are seconds since the scenario's `origin` (UTC). Texts that recur are numbered: a run names
them by their place in `texts`. What each field is stands where it is made.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from simulator.history import (
    Attempts,
    History,
    LogRecord,
    Note,
    Outcome,
    RunRecord,
    called,
    explanations,
    parting,
    parting_of_ends,
)
from simulator.report.clocks import clock_changes
from simulator.report.matrix import compared, matrices

VERSION = 3
"""Of the format. It goes up when a field changes its meaning or is gone."""


def numbers(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """All that the page shows, of all variants, by scenario in the order of the file."""
    texts = Texts()
    by_scenario: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_scenario.setdefault(outcome.key[0], []).append(outcome)
    return {
        "version": VERSION,
        "scenarios": [_scenario(name, own, texts) for name, own in by_scenario.items()],
        "texts": texts.known,
    }


class Texts:
    """Numbers texts, each once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str | None) -> int:
        """The number of a text; -1 for none."""
        return -1 if not text else self._numbers.setdefault(text, len(self._numbers))

    @property
    def known(self) -> list[str]:
        """All texts in the order of their numbers."""
        return list(self._numbers)


def _scenario(name: str, outcomes: Sequence[Outcome], texts: Texts) -> dict[str, Any]:
    seeds = {outcome.key[2] for outcome in outcomes}
    origin = _origin(outcomes)
    histories = [one.history for one in outcomes if one.history is not None]
    slugs = [_slug(one, len(seeds) > 1) for one in outcomes]
    besides = compared(outcomes)

    def partings(places: Iterable[int]) -> list[list[Any]]:
        lived = {slugs[place]: outcomes[place].history for place in places}
        return _partings({slug: one for slug, one in lived.items() if one is not None}, origin)

    return {
        "name": name,
        "question": next((one.question for one in outcomes if one.question), ""),
        "lesson": next((one.lesson for one in outcomes if one.lesson), ""),
        "origin": origin.isoformat().replace("+00:00", "Z"),
        "partings": [] if besides else partings(range(len(outcomes))),
        "clocks": [  # when which zone of a schedule changes its clocks, from what to what
            [_seconds(one.at, origin), one.zone, one.before, one.after]
            for one in clock_changes(histories)
        ],
        "variants": [
            {
                **_variant(outcome, slugs[place], origin, texts),
                # With which variant that of a cell of an audit is compared, and where the two part.
                "besides": besides.get(place, -1),
                "partings": partings([place, besides[place]])
                if besides.get(place, -1) >= 0
                else [],
            }
            for place, outcome in enumerate(outcomes)
        ],
        "findings": matrices(outcomes),
    }


def _partings(histories: Mapping[str, History], origin: datetime) -> list[list[Any]]:
    """What parts, when, and by variant what happens there."""
    alive = list(histories.values())
    return [
        [
            what,
            _seconds(one.at, origin),
            list(map(list, zip(histories, map(_side, one.sides), strict=True))),
        ]
        for what, one in (("part", parting(alive)), ("end otherwise", parting_of_ends(alive)))
        if one is not None
    ]


def _slug(outcome: Outcome, by_seed: bool) -> str:
    """A variant's part of a link."""
    _, variant, seed = outcome.key
    return f"{variant}@{seed}" if by_seed else variant


def _side(happens: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{flow} {state}" for flow, state in happens) or "nothing of it"


def _origin(outcomes: Sequence[Outcome]) -> datetime:
    """Midnight (UTC) before the first thing that happened in any of the variants."""
    first = [instant for one in outcomes for instant in _instants(one.history)]
    earliest = min(first, default=datetime(1970, 1, 1, tzinfo=UTC))
    return earliest.replace(hour=0, minute=0, second=0, microsecond=0)


def _instants(history: History | None) -> Iterator[datetime]:
    if history is None:
        return
    yield history.now
    for run in history.runs():
        yield from filter(None, [run.scheduled, run.states[0].timestamp if run.states else None])


def _variant(outcome: Outcome, slug: str, origin: datetime, texts: Texts) -> dict[str, Any]:
    _, variant, seed = outcome.key
    history = outcome.history
    runs = list(_in_order(history)) if history is not None else []
    places = {run.id: place for place, (run, _) in enumerate(runs)}
    # A verdict calls a run as a failed assertion shows it, or by whose it is and its time.
    named = {text: places[run.id] for run, _ in runs for text in (repr(run), called(run))}
    said = explanations(history) if history is not None else {}
    masked = _masked(history) if history is not None else set()
    found = {one.expectation for one in outcome.findings}
    ended = [run for run, _ in runs if run.parent is None and run.final and not _cancelled(run)]
    return {
        "name": variant,
        "slug": slug,
        "seed": seed,
        "passed": outcome.passed,
        "error": outcome.error,
        "days": outcome.days,
        "real_seconds": outcome.real_seconds,
        "made_with": outcome.made_with,
        "command": outcome.command,
        "until": None if history is None else _seconds(history.now, origin),
        "ended": len(ended),  # top-level runs that have ended
        "masked": sum(run.id in masked for run in ended),
        "verdicts": [
            [
                *(one.expectation, one.passed, one.message, one.where, one.runs, one.explained),
                [named.get(run, -1) for run in one.runs],
                *(_perhaps(at, origin) for at in (one.broken_at, one.lost_at)),
            ]
            for one in outcome.verdicts
            if one.expectation not in found  # they stand in the matrices
        ],
        "measures": [
            [one.name, one.value, one.unit, one.low, one.high, one.n] for one in outcome.measures
        ],
        "caveats": [str(caveat) for caveat in outcome.caveats],
        "runs": [
            _run(run, depth, places, str(said.get(run.id, "")), run.id in masked, origin, texts)
            for run, depth in runs
        ],
        "tables": _tables(history, origin),
        "notes": list(_notes(history.notes if history is not None else (), places, origin, texts)),
    }


def _cancelled(run: RunRecord) -> bool:
    return run.state_type == "CANCELLED"


def _masked(history: History) -> set[UUID]:
    """The runs that are Completed although one that they called, or that this called, ended badly."""
    attempts = Attempts(history)
    return {run.id for run in history.runs() if attempts.masks(run)}


def _in_order(history: History) -> Iterator[tuple[RunRecord, int]]:
    """Every run with its depth: each below the one that called it, else oldest first."""
    happened = history.runs()
    known = {run.id for run in happened}

    def below(run: RunRecord, depth: int) -> Iterator[tuple[RunRecord, int]]:
        yield run, depth
        for child in run.children:
            if child.id in known:
                yield from below(child, depth + 1)

    for run in happened:
        if run.parent_id not in known:
            yield from below(run, 0)


def _run(
    run: RunRecord,
    depth: int,
    places: Mapping[UUID, int],
    explained: str,
    masked: bool,
    origin: datetime,
    texts: Texts,
) -> list[Any]:
    """A run as a list, to save room. `Runs` in layout.js gives its places names."""
    states: list[Any] = []
    for state in run.states:
        states += [
            texts.number(state.name),
            texts.number(state.type),
            _seconds(state.timestamp, origin),
            texts.number(state.message),
        ]
    tasks: list[Any] = []
    for task in run.tasks:
        tasks += [
            texts.number(task.name),
            texts.number(task.state),
            _perhaps(task.start, origin),
            _perhaps(task.end, origin),
            task.run_count,
            texts.number(task.message),
        ]
    return [
        # The last of its digits: the first say when it was made, and others were at that instant.
        run.id.hex[-12:],
        depth,
        -1 if run.parent_id is None else places.get(run.parent_id, -1),
        texts.number(run.flow),
        texts.number(run.deployment),
        run.name,
        _perhaps(run.scheduled, origin),
        states,
        run.run_count,
        int(run.auto_scheduled),
        texts.number(json.dumps(run.parameters) if run.parameters else None),
        texts.number(", ".join(run.tags)),
        tasks,
        texts.number(explained),
        int(masked),
        _log(run, origin, texts),
    ]


def _log(run: RunRecord, origin: datetime, texts: Texts) -> list[Any]:
    """The lines that say what the states do not: when, how serious, what; the first ones of many."""
    lines = [line for line in run.logs if not _is_of_states(line)]
    found: list[Any] = []
    for line in lines[:LINES]:
        level = logging.getLevelName(line.level)
        found += [_seconds(line.timestamp, origin), texts.number(level), texts.number(line.message)]
    if len(lines) > LINES:
        more = f"and {len(lines) - LINES} more lines: the table logs of the results file has all"
        found += [_seconds(lines[LINES].timestamp, origin), -1, texts.number(more)]
    return found


LINES = 40
"""So many lines of a run's log are on the page at most."""


def _is_of_states(line: LogRecord) -> bool:
    """Whether Prefect has written it at a change of a state, which is on the page anyway."""
    of_worker = line.logger.startswith(("prefect.flow_runs.worker", "prefect.flow_runs.runner"))
    return line.level <= logging.INFO and bool(of_worker or _OF_STATES.match(line.message))


_OF_STATES = re.compile(
    r"(Beginning|Created) (subflow|flow|task) run |View at http|Finished in state "
    r"|Executing deployment step|Deployment step .* completed|All deployment steps completed"
)


def _notes(
    notes: Iterable[Note], places: Mapping[UUID, int], origin: datetime, texts: Texts
) -> Iterator[list[Any]]:
    rows: dict[str, int] = {}
    for note in notes:
        yield [
            texts.number(note.kind),
            _seconds(note.at, origin),
            _perhaps(note.until, origin),
            texts.number(_written(note, rows) if note.kind == "write" else note.text),
            texts.number(note.where),
            -1 if note.run_id is None else places.get(note.run_id, -1),
            texts.number(note.code),
        ]


def _tables(history: History | None, origin: datetime) -> list[list[Any]]:
    """Each table that was written, by its name, with the instants at which it was."""
    written: dict[str, list[float | int]] = {}
    for note in history.notes if history is not None else ():
        if note.kind == "write" and note.details.get("status") == "success":
            written.setdefault(note.text, []).append(_seconds(note.at, origin))
    return [[name, sorted(instants)] for name, instants in sorted(written.items())]


def _written(note: Note, rows: dict[str, int]) -> str:
    """What a run has written, with the rows of the table before and after. `rows`: what is known."""
    if note.details.get("status") != "success":
        return f"{note.text}: {note.details.get('said') or note.details.get('status', '')}"
    before, after = rows.get(note.text), note.details.get("rows")
    if after is None:
        return note.text
    rows[note.text] = after
    counted = f"{note.text}: {after} row{'s' * (after != 1)}"
    return counted if before is None else f"{counted}, {before} before"


def _perhaps(instant: datetime | None, origin: datetime) -> float | int | None:
    return None if instant is None else _seconds(instant, origin)


def _seconds(instant: datetime, origin: datetime) -> float | int:
    """Seconds since the origin, to the millisecond; whole ones as such."""
    thousandths = (instant - origin) // timedelta(milliseconds=1)
    return thousandths // 1000 if thousandths % 1000 == 0 else thousandths / 1000
