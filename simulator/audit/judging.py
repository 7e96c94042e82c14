"""What became of a fault: two histories compared, of one seed, without the fault and with it.

It imports nothing that runs, and looks at nothing else than the two histories.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from simulator.audit.strikes import strikes
from simulator.audit.twins import Twins, named, outermost
from simulator.history import Attempts, History, RunRecord, TaskRecord, done_again

KINDS = {
    "no answer": "the simulation itself broke, or took too long",
    "broken promise": "a promise of simulation.toml, or of the scenario, no longer holds",
    "zombie": "a run never ends, and nobody says so",
    "masked": "a step ends badly, and what called it is Completed",
    "unnoticed": "a step gives nothing, or something old, and everything ends as ever",
    "lost run": "a run that would have been is not, and nothing ends badly",
    "orphan": "a run goes on when the one that called it has ended",
    "skipped clean-up": "what tidies up after the others does not run",
    "stale table": "a table gets no new rows",
    "others fail": "runs end badly that are not in the struck one's tree",
    "doubled work": "a step is done once more, although it had been done",
    "at once": "more runs of one deployment at once",
    "noticed": "a run that nobody called ends badly, or one that tells of it begins",
    "not over": "the days end before the fault or the struck run does: more would show what is lost",
    "late": "runs end or begin later",
    "moved": "a run begins at another hour than its schedule says",
    "skipped": "steps that come after it do not run",
    "healed": "a retry makes it good",
    "never struck": "the fault found nothing to strike",
    "nothing": "everything goes as without the fault",
}
"""What may become of a fault, most serious first."""

LATE = timedelta(minutes=10)
"""From when on a run is late, compared to the same without the fault."""

SILENCE = timedelta(hours=6)
"""After so long without a new state a run that ended without the fault will never end with it."""

_AT_WORK = ("PENDING", "RUNNING", "CANCELLING")
"""The types of the states of a run that somebody has taken, and that is not over."""

CLEANS_UP = re.compile(r"clean|tear.?down|release|rollback|roll.?back|dispose", re.IGNORECASE)
"""What a step is called that tidies up."""


@dataclass(frozen=True)
class Outcome:
    """One thing that became of a fault.

    `kind` is one of `KINDS`; `said` is about whom, and the same wherever the same happens; `seconds` is
    how long after the strike it was noticed, or by how much something is later; `run_id` is the run of
    the history with the fault that shows it. The last two are None if there is none.
    """

    kind: str
    said: str
    seconds: float | None = None
    run_id: UUID | None = None

    @property
    def severity(self) -> int:
        """Its place in `KINDS`: 0 is the most serious."""
        return list(KINDS).index(self.kind)


def judged(
    before: History,
    after: History,
    struck: UUID,
    *,
    wrong_value: bool = False,
    broken: Iterable[str] = (),
    until: datetime | None = None,
) -> tuple[Outcome, ...]:
    """What became of a fault, most serious first; never empty.

    Args:
        before: What happens without it.
        after: What happens with it, under the same seed.
        struck: The id of the run of `before` that it was meant for.
        wrong_value: Whether it does nothing but let a step give something wrong.
        broken: The promises that hold without it, and no longer do.
        until: When it ends, if it lasts for some time.
    """
    found = list(_Judge(before, after, struck, until).outcomes(wrong_value))
    found += [Outcome("broken promise", name) for name in broken]
    once: dict[tuple[int, str], Outcome] = {}
    for one in found:  # of several runs of which the same is to be said, the first shows it
        once.setdefault((one.severity, one.said), one)
    return tuple(once[key] for key in sorted(once)) or (Outcome("nothing", ""),)


class _Judge:
    def __init__(
        self, before: History, after: History, struck: UUID, until: datetime | None
    ) -> None:
        self.before, self.after = before, after
        self.twins = Twins(before, after)
        self.attempts = Attempts(after)
        self.root = outermost(before.run(struck))
        self.tree = self.twins.with_fault(self.root)
        self.strike = min((note.at for note in strikes(after)), default=None)
        self.bad = [
            run
            for run in after.runs()
            if run.failed and not ((twin := self.twins.without_fault(run)) and twin.failed)
        ]

        self.lost = [
            after for before, after in self.twins.pairs() if before.final and self._is_zombie(after)
        ]

        self.is_over = (until is None or until <= after.now) and not self._goes_on(self.tree)

    def outcomes(self, wrong_value: bool) -> Iterator[Outcome]:
        if self.strike is None:
            yield Outcome("never struck", "")
            return
        noticed = list(self._noticed(self.strike))
        masked = list(self._masked())
        zombies = list(self._zombies())
        yield from (*noticed, *masked, *zombies)
        yield from self._not_there(silent=not (noticed or masked or zombies))
        yield from self._orphans()
        yield from self._stale()
        yield from self._others()
        yield from self._doubled()
        yield from self._at_once()
        yield from self._late()
        yield from self._healed()
        if wrong_value and not (noticed or masked or zombies):
            yield Outcome("unnoticed", f"{named(self.root)} ends as ever", None, self._shown)

    @property
    def _shown(self) -> UUID | None:
        return None if self.tree is None else self.tree.id

    # -- who notices, and who does not ----------------------------------------------------------------

    def _noticed(self, strike: datetime) -> Iterator[Outcome]:
        for run in self.bad:
            if run.parent is None:
                said = f"by {named(run)}, which ends {run.state}"
                yield Outcome("noticed", said, _seconds(strike, run.end), run.id)
        for run in self.twins.new():
            if run.parent is None and not run.auto_scheduled and run.start is not None:
                said = f"by {named(run)}, which runs only then"
                yield Outcome("noticed", said, _seconds(strike, run.start), run.id)

    def _masked(self) -> Iterator[Outcome]:
        for run in self.bad:
            parent = run.parent
            if parent is not None and self.attempts.answered(parent, run):
                continue
            if parent is not None and parent.completed and not done_again(run):
                said = f"{named(run)} ends {run.state}, and {named(parent)} is Completed"
                yield Outcome("masked", said, None, run.id)
        for run in self.after.runs():
            if run.completed:
                for task in self.twins.tasks_gone_wrong(run):
                    if self.attempts.answered(run, task):
                        continue
                    if not _again(task, run) and (task.end is not None or self._is_old(run.end)):
                        verb = "stays" if task.end is None else "ends"
                        said = (
                            f"task {task.task} {verb} {task.state}, and {named(run)} is Completed"
                        )
                        yield Outcome("masked", said, None, run.id)

    def _zombies(self) -> Iterator[Outcome]:
        if self.lost:
            said = f"{_names(map(named, self.lost))} {_ends(self.lost, 'never end')}"
            yield Outcome("zombie", said, None, self.lost[-1].id)

    def _is_zombie(self, run: RunRecord) -> bool:
        newest = run.states[-1].timestamp if run.states else self.after.now
        return run.state_type in _AT_WORK and self._is_old(newest)

    def _goes_on(self, run: RunRecord | None) -> bool:
        """Whether it is at work when the days end, and may still come to its end."""
        return run is not None and run.state_type in _AT_WORK and not self._is_zombie(run)

    def _is_old(self, instant: datetime | None) -> bool:
        return instant is not None and instant <= self.after.now - SILENCE

    # -- what is not there, or too often --------------------------------------------------------------

    def _not_there(self, silent: bool) -> Iterator[Outcome]:
        inside = {run.id for run in (self.root, *self.root.descendants())}
        zombies = {run.id for run in self.lost}
        missing = [
            run
            for run in self.twins.missing()
            if (twin := self.twins.with_fault(run)) is None or twin.id not in zombies
        ]
        lost = [run for run in missing if run.id not in inside or run is self.root]
        lost = [run for run in lost if run.parent is None]
        if lost:
            names = _names(map(named, lost))
            kind = "skipped" if not silent else "lost run" if self.is_over else "not over"
            yield Outcome(kind, names, None, self._shown)
        if self.tree is None or not self.tree.final:
            return
        skipped = [name for name in _begun(self.root) if name not in set(_begun(self.tree))]
        cleaning = [name for name in skipped if CLEANS_UP.search(name)]
        if cleaning:
            yield Outcome("skipped clean-up", _names(cleaning), None, self._shown)
        if others := [name for name in skipped if name not in cleaning]:
            yield Outcome("skipped", _names(others), None, self._shown)

    def _orphans(self) -> Iterator[Outcome]:
        for run in self.after.runs():
            twin = self.twins.without_fault(run)
            if _outlives(run) and not (twin is not None and _outlives(twin)):
                assert run.parent is not None
                said = f"{named(run)} goes on when {named(run.parent)} has ended"
                yield Outcome("orphan", said, None, run.id)

    def _stale(self) -> Iterator[Outcome]:
        """Tables that a promise watches, whose newest row at the end is older."""
        newest = [_newest_rows(history) for history in (self.before, self.after)]
        for table, instant in newest[0].items():
            other = newest[1].get(table)
            if other is None or instant - other > LATE:
                seconds = None if other is None else (instant - other).total_seconds()
                yield Outcome("stale table", table, seconds, self._shown)

    def _others(self) -> Iterator[Outcome]:
        inside = set()
        if self.tree is not None:
            inside = {run.id for run in (self.tree, *self.tree.descendants())}
        others = [run for run in self.bad if run.id not in inside]
        if others:
            yield Outcome("others fail", _names(map(named, others)), None, others[0].id)

    def _doubled(self) -> Iterator[Outcome]:
        if self.tree is None:
            return
        once, now = _completed(self.root), _completed(self.tree)
        more = [name for name in now if now[name] > once[name] > 0]
        if more:
            yield Outcome("doubled work", _names(more), None, self._shown)

    def _at_once(self) -> Iterator[Outcome]:
        sides = [_most_at_once(history) for history in (self.before, self.after)]
        for name, most in sides[1].items():
            if most > max(sides[0].get(name, 0), 1):
                yield Outcome("at once", f"{most} runs of {name}")

    # -- later, or well again -------------------------------------------------------------------------

    def _late(self) -> Iterator[Outcome]:
        later: dict[str, timedelta] = {}
        for before, after in self.twins.pairs():
            delay = _delay(before, after)
            if delay is not None and delay >= LATE:
                later[named(after)] = max(delay, later.get(named(after), delay))
        if later:
            yield Outcome("late", _names(later), max(later.values()).total_seconds())

    def _healed(self) -> Iterator[Outcome]:
        if self.tree is None or not self.tree.completed:
            return
        bad = [
            run
            for run in self.bad
            if outermost(run) == self.tree
            and not (run.parent is not None and self.attempts.answered(run.parent, run))
        ]
        if any(run.parent is None or not done_again(run) for run in bad):
            return
        once, now = _attempts(self.root), _attempts(self.tree)
        again = [name for name in now if now[name] > once[name]]
        if again:
            by = _delay(self.root, self.tree)
            seconds = None if by is None else by.total_seconds()
            yield Outcome("healed", f"by another attempt at {_names(again)}", seconds, self._shown)


# -- what the looks share -----------------------------------------------------------------------------


def _names(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _ends(runs: list[RunRecord], verb: str) -> str:
    first, _, last = verb.rpartition(" ")
    return verb if len({named(run) for run in runs}) > 1 else f"{first} {last}s"


def _seconds(since: datetime, until: datetime | None) -> float | None:
    return None if until is None else (until - since).total_seconds()


def _again(task: TaskRecord, run: RunRecord) -> bool:
    """Whether a task of the same name was done later on, with success."""
    after = run.tasks[run.tasks.index(task) + 1 :]
    return any(one.task == task.task and one.state_type == "COMPLETED" for one in after)


def _outlives(run: RunRecord) -> bool:
    parent = run.parent
    if parent is None or parent.end is None or run.start is None or run.start > parent.end:
        return False
    return run.end is None or run.end > parent.end


def _begun(root: RunRecord) -> list[str]:
    """The steps in a tree of runs that have begun: by deployment or flow, tasks by name."""
    found: list[str] = []
    for run in (root, *root.descendants()):
        found += [named(run)] if run.start is not None else []
        found += [task.task for task in run.tasks if task.start is not None]
    return list(dict.fromkeys(found))


def _completed(root: RunRecord) -> Counter[str]:
    counts: Counter[str] = Counter()
    for run in (root, *root.descendants()):
        counts[named(run)] += run.completed
        for task in run.tasks:
            counts[task.task] += task.state_type == "COMPLETED"
    return counts


def _attempts(root: RunRecord) -> Counter[str]:
    counts: Counter[str] = Counter()
    for run in (root, *root.descendants()):
        counts[named(run)] += run.run_count
        for task in run.tasks:
            counts[task.task] += task.run_count
    return counts


def _most_at_once(history: History) -> dict[str, int]:
    """How many runs of each deployment were going on at once, at most."""
    moves: dict[str, list[tuple[datetime, int]]] = {}
    for run in history.runs():
        if run.deployment is not None and run.start is not None:
            moves.setdefault(run.deployment, []).append((run.start, 1))
            moves[run.deployment].append((run.end or history.now, -1))
    most: dict[str, int] = {}
    for name, own in moves.items():
        current = 0
        for _, step in sorted(own):
            current += step
            most[name] = max(most.get(name, 0), current)
    return most


def _delay(before: RunRecord, after: RunRecord) -> timedelta | None:
    """By how much a run ends later, or as long as it has not ended, begins."""
    if before.end is not None and after.end is not None:
        return after.end - before.end
    if before.start is not None and after.start is not None:
        return after.start - before.start
    return None


def _newest_rows(history: History) -> dict[str, datetime]:
    newest: dict[str, datetime] = {}
    for note in history.notes:
        if note.kind == "table" and note.details.get("newest") is not None:
            newest[note.text] = datetime.fromisoformat(note.details["newest"])
    return newest
