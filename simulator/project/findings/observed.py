"""What the runs of a project show about its design."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from simulator.history import (
    Attempts,
    History,
    RunRecord,
    TaskRecord,
    called,
    done_again,
    explain,
    kept_from,
    moment,
)
from simulator.project.findings.finding import Finding
from simulator.project.findings.lacking import is_of_here, lacking
from simulator.report import duration

LATE = timedelta(minutes=10)
"""From when on a run that begins after its time is late here; Prefect says so after 15 seconds."""

MANY = 3
"""So many deployments that are due at one instant collide."""


def observed(history: History) -> Iterator[Finding]:
    """The findings of a history."""
    for look in (
        _masked,
        _left_behind,
        _unwaited,
        _doubled,
        _nested_retries,
        _overlapping,
        _late,
        _failing,
        _colliding,
    ):
        yield from look(history)


def named(run: RunRecord) -> str:
    """The deployment of a run, or else its flow."""
    return run.deployment or run.flow


def _masked(history: History) -> Iterator[Finding]:
    answered = Attempts(history).answered

    def masked(run: RunRecord, child: RunRecord) -> bool:
        return run.completed and child.failed and not answered(run, child)

    for (parent, child), runs in _pairs(
        history, lambda run, child: masked(run, child) and not done_again(child)
    ):
        yield _finding(
            history,
            "masked failure",
            parent,
            f"{child} ends {_states(one for _, one in runs)} and {parent} is Completed:"
            " whoever looks at the parent sees nothing",
            runs,
        )


def _unwaited(history: History) -> Iterator[Finding]:
    def outlives(run: RunRecord, child: RunRecord) -> bool:
        if child.deployment is None or run.end is None:
            return False
        return child.end is None or child.end > run.end

    for (parent, child), runs in _pairs(history, outlives):
        yield _finding(
            history,
            "nobody waits",
            parent,
            f"{parent} ends before {child}, which it has called:"
            " nothing in it depends on how the child ends",
            runs,
        )


def _left_behind(history: History) -> Iterator[Finding]:
    left: dict[tuple[str, str], list[tuple[RunRecord, TaskRecord]]] = defaultdict(list)
    for run in history.runs():
        if run.completed:
            for task in run.tasks:
                if _is_left(task, run):
                    left[named(run), task.task].append((run, task))
    for (subject, name), found in left.items():
        run, task = found[0]
        goes_on = task.state_type in ("COMPLETED", "FAILED")
        yield Finding(
            "left behind",
            subject,
            f"the task {name!r} {'goes on' if goes_on else f'is {task.state}'} when {subject} ends as"
            " Completed: nothing waits for its future",
            len({one.id for one, _ in found}),
            run_id=run.id,
            run=called(run),
            explanation=f"{name!r} has been {task.state} since"
            f" {moment(task.states[-1].timestamp) if task.states else 'its beginning'}",
        )


def _is_left(task: TaskRecord, run: RunRecord) -> bool:
    """Whether a task had not ended of itself when its flow did."""
    if task.state_type in ("PENDING", "RUNNING", "SCHEDULED"):
        return True
    if task.end is None or run.end is None:
        return True
    stopped = task.state_type in ("CANCELLED", "CRASHED")
    return task.end > run.end or (stopped and task.end == run.end)


def _doubled(history: History) -> Iterator[Finding]:
    due: dict[tuple[str, datetime, str], list[RunRecord]] = defaultdict(list)
    for run in _scheduled(history):
        assert run.scheduled is not None
        # With other parameters, such as one schedule for each region, it is other work.
        due[named(run), run.scheduled, repr(sorted(run.parameters.items()))].append(run)
    twice: dict[str, list[RunRecord]] = defaultdict(list)
    for (name, *_), runs in due.items():
        if len(runs) > 1:
            twice[name].append(runs[0])
    for name, runs in twice.items():
        yield _of_runs(
            history,
            "doubled schedule",
            name,
            f"{name} is due more than once at one instant: its schedules meet",
            runs,
        )


def _nested_retries(history: History) -> Iterator[Finding]:
    worst: dict[tuple[str, str], tuple[int, RunRecord]] = {}
    for run in history.runs():
        if run.run_count < 2:
            continue
        attempts: dict[str, int] = defaultdict(int)
        again: set[str] = set()
        for one in (run, *run.descendants()):
            for task in one.tasks:
                attempts[task.task] += task.run_count
                if task.run_count > 1:
                    again.add(task.task)
        for task_name in again:
            key = named(run), task_name
            if attempts[task_name] > worst.get(key, (3, run))[0]:
                worst[key] = attempts[task_name], run
    for (name, task_name), (most, run) in worst.items():
        yield _of_runs(
            history,
            "nested retries",
            name,
            f"one run of {name} attempts {task_name!r} {most} times: the retries of the flow and of the"
            " task multiply",
            [run],
        )


def _overlapping(history: History) -> Iterator[Finding]:
    """A deployment that has a limit is held back by it, however many it lets through."""
    held_back = {gate.name for gate in history.gates if gate.limit is not None}
    for name, runs in _by_deployment(history.runs()).items():
        if name in held_back:
            continue
        own = [run for run in runs if run.parent_id is None and run.start is not None]
        over: list[RunRecord] = []
        latest: datetime | None = None
        for run in sorted(own, key=lambda one: one.start or history.now):
            if latest is not None and run.start is not None and run.start < latest:
                over.append(run)
            latest = max(filter(None, (latest, run.end or history.now)))
        if over:
            most = at_once(own, history.now)
            yield _of_runs(
                history,
                "overlap",
                name,
                f"up to {most} runs of {name} at once: the next one is due before the one before has"
                " ended, and no concurrency_limit holds it back",
                over,
            )


def _late(history: History) -> Iterator[Finding]:
    """Those that others have kept from a slot apart: by gate, and whether it was who waits for them."""
    too_late = [run for run in history.runs() if lateness(run, history.now) >= LATE]
    kept = kept_from(history, [run for run in too_late if run.deployment is not None])
    for name, late in _by_deployment(too_late).items():
        starved: dict[tuple[str, bool], list[RunRecord]] = defaultdict(list)
        for run in list(late):
            gate, holder = kept.get(run.id, ("", run))
            if named(holder) != name:
                starved[gate, holder.id in _callers(run)].append(run)
                late.remove(run)
        for (gate, by_caller), some in starved.items():
            others = sorted({named(kept[run.id][1]) for run in some})
            why = f"runs of {', '.join(others)} hold what there is of {gate}"
            end = ", and wait for them" if by_caller else ""
            said = f"runs of {name} {_up_to(some, history)}: {why}{end}"
            yield _of_runs(history, "starved", name, said, some)
        if late:
            said = f"runs of {name} {_up_to(late, history)}"
            yield _of_runs(history, "late", name, said, late)


def _callers(run: RunRecord) -> set[UUID]:
    """The run that has called it, the one that has called that, and so on."""
    caller = run.parent
    return set() if caller is None else {caller.id, *_callers(caller)}


def _up_to(late: list[RunRecord], history: History) -> str:
    worst = max(lateness(run, history.now) for run in late)
    return f"begin up to {duration(worst.total_seconds())} after their time"


def _failing(history: History) -> Iterator[Finding]:
    lacks = lacking(history)
    for name, runs in _by_deployment(history.runs()).items():
        own = [run for run in runs if run.parent_id is None]
        bad = [run for run in own if run.failed and not is_of_here(run, lacks)]
        if bad:
            yield _of_runs(
                history,
                "fails",
                name,
                f"{len(bad)} of {len(own)} runs of {name} end {_states(bad)}",
                bad,
            )


def _colliding(history: History) -> Iterator[Finding]:
    due: dict[datetime, list[RunRecord]] = defaultdict(list)
    for run in _scheduled(history):
        assert run.scheduled is not None
        due[run.scheduled].append(run)
    together: dict[tuple[str, ...], list[RunRecord]] = defaultdict(list)
    for runs in due.values():
        names = tuple(sorted({named(run) for run in runs}))
        if len(names) >= MANY:
            together[names].append(runs[0])
    for names, runs in together.items():
        if any(set(names) < set(more) for more in together):
            continue  # a larger set of them meets as well, and says more
        yield _of_runs(
            history,
            "collision",
            names[0],
            f"{len(names)} deployments are due at one instant: {', '.join(names)}",
            runs,
        )


# -- what the looks share ------------------------------------------------------------------------------


def lateness(run: RunRecord, now: datetime) -> timedelta:
    """How long after its time a run began, or has not begun by `now`; none for one that ended before."""
    if run.scheduled is None or (run.start is None and run.final):
        return timedelta(0)
    return max((run.start or now) - run.scheduled, timedelta(0))


def at_once(runs: Iterable[RunRecord], now: datetime) -> int:
    """How many of these runs were going on at once, at most: one, if all of them took no time."""
    moves = [
        move
        for run in runs
        if run.start is not None
        for move in ((run.start, 1), (run.end or now, -1))
    ]
    most = current = 0
    for _, step in sorted(moves):
        current += step
        most = max(most, current)
    return max(most, min(len(moves), 1))


def _scheduled(history: History) -> list[RunRecord]:
    return [run for run in history.runs() if run.auto_scheduled and run.scheduled is not None]


def _by_deployment(runs: Iterable[RunRecord]) -> dict[str, list[RunRecord]]:
    found: dict[str, list[RunRecord]] = defaultdict(list)
    for run in runs:
        if run.deployment is not None:
            found[run.deployment].append(run)
    return found


def _pairs(
    history: History, wanted: Any
) -> Iterator[tuple[tuple[str, str], list[tuple[RunRecord, RunRecord]]]]:
    found: dict[tuple[str, str], list[tuple[RunRecord, RunRecord]]] = defaultdict(list)
    for run in history.runs():
        for child in run.children:
            if wanted(run, child):
                found[named(run), named(child)].append((run, child))
    yield from found.items()


def _states(runs: Iterable[RunRecord]) -> str:
    return " or ".join(sorted({run.state for run in runs}))


def _finding(
    history: History,
    kind: str,
    subject: str,
    sentence: str,
    runs: list[tuple[RunRecord, RunRecord]],
) -> Finding:
    parent, child = runs[0]
    return Finding(
        kind,
        subject,
        sentence,
        len(runs),
        run_id=parent.id,
        run=called(parent),
        explanation=str(explain(history, child)),
    )


def _of_runs(
    history: History, kind: str, subject: str, sentence: str, runs: list[RunRecord]
) -> Finding:
    return Finding(
        kind,
        subject,
        sentence,
        len(runs),
        run_id=runs[0].id,
        run=called(runs[0]),
        explanation=str(explain(history, runs[0])),
    )
