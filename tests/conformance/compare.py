"""The comparison: where the virtual engine and the live one tell different stories of a case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.conformance.case import Case
from tests.conformance.observe import Observed

ROUNDED = 0.5
"""Seconds by which Prefect itself begins a run before its instant: its server tells a client that is
early to wait, in whole seconds, rounded to the nearest (`WaitForScheduledTime`).
"""

EARLY = ROUNDED + 0.3
"""Seconds by which a real wait may be shorter: beside that, it is counted from an instant before the
state that begins it is written. On a busy machine that is longer: half of what processes took to start.
"""

PHASE = 1.7
"""The same where polls are waited for: one, at a phase of its own, with a jitter of 0.3."""

SLACK = 2.0
"""Seconds by which a real wait may be longer, beside twice what it took the case's processes to
start: that is a matter of the machine, and tells how busy it is.
"""


@dataclass(frozen=True)
class Difference:
    """`where` is a path of runs, `what` the aspect, then what each of the engines says."""

    where: str
    what: str
    virtual: Any
    live: Any

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: virtual {self.virtual!r}, live {self.live!r}"


def compare(case: Case, virtual: Observed, live: Observed, busy: float = 0.0) -> list[Difference]:
    """What differs; nothing if the engines agree. `busy`: seconds by which all that is real may take
    longer, beside what the starts of processes tell.
    """
    if virtual.error or live.error:
        return [Difference(case.name, "error", _last(virtual.error), _last(live.error))]
    deployed = [run for run in _all(live.runs) if run["deployment"] is not None]
    starts = sum(live.starts) + sum(map(_start, deployed))
    early = (PHASE if deployed else EARLY) + starts / 2
    timing = _Timing(early=early, slack=SLACK + 2 * starts + busy, case=case)
    return [*_siblings("", virtual.runs, live.runs, timing), *timing.overlaps(virtual, live)]


def _start(run: dict[str, Any]) -> float:
    """Seconds that a worker and a new process needed until a run was Running."""
    return sum(
        one["at"] - before["at"]
        for before, one in pairwise(run["states"])
        if before["name"] in ("Pending", "Submitting") and one["type"] in ("PENDING", "RUNNING")
    )


def _last(error: str | None) -> str | None:
    return None if error is None else error.strip().splitlines()[-1]


def _all(runs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for run in runs:
        yield run
        yield from _all(run["children"])


def _siblings(
    where: str, virtual: list[dict[str, Any]], live: list[dict[str, Any]], timing: _Timing
) -> Iterator[Difference]:
    """Runs that nobody has called, or the children of one run."""
    labels = [[run["label"] for run in runs] for runs in (virtual, live)]
    if labels[0] != labels[1]:
        counts = [Counter(names) for names in labels]
        yield Difference(where or "case", "runs", *(dict(one) for one in _apart(*counts)))
        return
    if not timing.case.concurrent:
        orders = [_order(runs) for runs in (virtual, live)]
        if orders[0] != orders[1]:
            yield Difference(where or "case", "order", *orders)
    seen: Counter[str] = Counter()
    for one, other in zip(virtual, live, strict=True):
        label = one["label"]
        number = f"[{seen[label]}]" if labels[0].count(label) > 1 else ""
        seen[label] += 1
        yield from _run(f"{where}/{label}{number}", one, other, timing)


def _apart(virtual: Counter[str], live: Counter[str]) -> tuple[Counter[str], Counter[str]]:
    """What each has that the other one lacks."""
    return virtual - live, live - virtual


def _order(runs: list[dict[str, Any]]) -> list[str]:
    return [run["label"] for run in sorted(runs, key=lambda run: run["place"])]


def _run(
    where: str, virtual: dict[str, Any], live: dict[str, Any], timing: _Timing
) -> Iterator[Difference]:
    for what in ("auto_scheduled", "tags"):
        if virtual[what] != live[what]:
            yield Difference(where, what, virtual[what], live[what])
    scheduled = virtual["auto_scheduled"] and live["auto_scheduled"]
    yield from _outcome(where, virtual, live, timing, int(scheduled))
    if scheduled:
        yield from timing.punctuality(where, virtual, live)
    names = [[task["label"] for task in run["tasks"]] for run in (virtual, live)]
    if names[0] != names[1]:
        yield Difference(where, "tasks", *map(dict, _apart(*map(Counter, names))))
    else:
        for one, other in zip(virtual["tasks"], live["tasks"], strict=True):
            yield from _outcome(f"{where}:{one['label']}", one, other, timing)
    yield from _siblings(where, virtual["children"], live["children"], timing)


def _outcome(
    where: str, virtual: dict[str, Any], live: dict[str, Any], timing: _Timing, after: int = 0
) -> Iterator[Difference]:
    """Of a run or a task. Waits are compared from state number `after` on."""
    for what in ("state", "type", "message", "run_count"):
        if virtual[what] != live[what]:
            yield Difference(where, what, virtual[what], live[what])
    sequences = [
        [(state["name"], state["type"]) for state in one["states"]] for one in (virtual, live)
    ]
    if sequences[0] != sequences[1]:
        yield Difference(where, "states", *([name for name, _ in one] for one in sequences))
        return
    for one, other in zip(virtual["states"], live["states"], strict=True):
        if one["message"] != other["message"]:
            yield Difference(where, f"message of {one['name']}", one["message"], other["message"])
    yield from timing.gaps(where, virtual["states"][after:], live["states"][after:])


@dataclass
class _Timing:
    """What a real wait may differ by, given how much of a case happens in processes."""

    early: float
    slack: float
    case: Case

    def gaps(
        self, where: str, virtual: list[dict[str, Any]], live: list[dict[str, Any]]
    ) -> Iterator[Difference]:
        """The time between a state and the next one."""
        for (before, one), (early, other) in zip(pairwise(virtual), pairwise(live), strict=True):
            expected, real = one["at"] - before["at"], other["at"] - early["at"]
            if not expected - self.early <= real <= expected + self.slack:
                what = f"seconds from {before['name']} to {one['name']}"
                yield Difference(where, what, round(expected, 1), round(real, 1))

    def punctuality(
        self, where: str, virtual: dict[str, Any], live: dict[str, Any]
    ) -> Iterator[Difference]:
        """When a schedule's run began. When it was written down is a matter of loops."""
        if virtual["start"] is not None and live["start"] is not None:
            expected, real = (run["start"] - run["scheduled"] for run in (virtual, live))
            if not expected - EARLY <= real <= expected + self.slack:
                what = "seconds from its instant to its start"
                yield Difference(where, what, round(expected, 1), round(real, 1))

    def overlaps(self, virtual: Observed, live: Observed) -> Iterator[Difference]:
        """Runs that are clearly one after the other, or clearly at the same time."""
        pairs = list(zip(_all(virtual.runs), _all(live.runs), strict=False))
        pairs = [
            (one, other)
            for one, other in pairs
            if None not in (one["start"], one["end"], other["start"], other["end"])
        ]
        for i, (a, real_a) in enumerate(pairs):
            for b, real_b in pairs[i + 1 :]:
                names = f"{a['label']} and {b['label']}"
                common, real = _common(a, b), _common(real_a, real_b)
                if common > self.slack and real <= 0:
                    yield Difference(names, "overlap in seconds", round(common, 1), round(real, 1))
                if common < -self.early and real > self.early:
                    yield Difference(names, "overlap in seconds", round(common, 1), round(real, 1))


def _common(a: dict[str, Any], b: dict[str, Any]) -> float:
    """Seconds during which both ran; negative: between the end of one and the start of the other."""
    common: float = min(a["end"], b["end"]) - max(a["start"], b["start"])
    return common
