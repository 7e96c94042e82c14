"""Measures of whether it worked: success, failures that nobody sees, runs that nobody ends.

Words used: a *top-level* run was called by no other run; given a `flow`, measures of parents look
at the runs of that flow instead, at whatever level. A run has *ended* when it is in a final state,
and *failed* if that is Failed, TimedOut, Crashed or Cancelled. Runs that a schedule has made for
later than the history reaches are never counted.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from simulator.history.attempts import Attempts
from simulator.history.history import History
from simulator.history.measures.figures import Measure, mean, share
from simulator.history.records import RunRecord

A_DAY = timedelta(days=1)


def parent_success(history: History, flow: str | None = None) -> Measure:
    """Share of top-level runs that ended Completed. n: top-level runs that have ended."""
    ended = _ended_parents(history, flow)
    return share("parent success", sum(run.completed for run in ended), len(ended))


def child_success(history: History, flow: str | None = None) -> Measure:
    """Share of child runs (of that flow) that ended Completed, subflows and deployment runs alike.

    n: runs that another run called and that have ended. Children that never end are not in it:
    see `zombies`.
    """
    ended = [run for run in history.runs(flow) if run.parent is not None and run.final]
    return share("child success", sum(run.completed for run in ended), len(ended))


def masked_failures(history: History, flow: str | None = None) -> Measure:
    """Share of top-level runs that ended Completed although a child, or a child's child, failed.

    n: top-level runs that have ended, as for `parent_success`: the difference of the two is the
    share of runs that succeeded in truth. A child that failed before its parent, or the task that
    called it, was retried does not count. One that its parent's own code called once more, with
    success, does: nothing in the records links the two.
    """
    ended = _ended_parents(history, flow)
    masked = sum(map(Attempts(history).masks, ended))
    return share("masked failures", masked, len(ended))


def orphans(history: History, flow: str | None = None, *, waiting: bool = False) -> Measure:
    """Share of child runs (of that flow) that were still running when their parent ended.

    Running means: started no later than the parent's end and not ended by then. With `waiting`,
    also those that had not even started, such as what `run_deployment(timeout=0)` ordered as the
    parent's last step. n: child runs whose parent has ended.
    """
    left = 0
    children = 0
    for run in history.runs(flow):
        parent = run.parent
        if parent is None or parent.end is None:
            continue
        children += 1
        outlived = run.end is None or run.end > parent.end
        started = run.start is not None and run.start <= parent.end
        left += outlived and (started or waiting)
    return share("orphans", left, children)


def zombies(history: History, *, silence: timedelta = A_DAY) -> Measure:
    """Share of runs that have begun and will never reach a final state.

    Those are runs in Pending, Running or Cancelling (a) which are subflows in the process of a run
    that has ended, so that nothing can move them on; or (b) whose newest state is older than
    `silence` at the end of the history: choose it longer than any run takes. n: runs that have
    left Scheduled. A run that merely was at work when the history ended is no zombie.
    """
    begun = [run for run in history.runs() if run.state_type not in ("SCHEDULED", "PAUSED", "")]
    lost = sum(_is_zombie(run, history.now - silence) for run in begun)
    return share("zombies", lost, len(begun))


def skipped_cleanups(history: History, cleanup: str, flow: str | None = None) -> Measure:
    """Share of parents that ended without their clean-up step having started.

    `cleanup` is the name of the clean-up's flow, or of its task; it is looked for among all
    descendants. How it ended does not matter. n: top-level runs that have ended, those of the
    clean-up itself aside.
    """
    ended = [run for run in _ended_parents(history, flow) if run.flow != cleanup]
    skipped = sum(not _has_started(run, cleanup) for run in ended)
    return share("skipped clean-ups", skipped, len(ended))


def recovery_time(history: History, flow: str | None = None) -> Measure:
    """Mean time from a fault to the next good cycle, in seconds, with the shortest and longest.

    A cycle is a top-level run with all its descendants. It is good if every one of them Completed,
    so a masked failure is not; its instant is then the latest end in it. An incident begins with
    the first end of a failed run in a cycle that follows a good one (or is the first), and lasts,
    over further bad cycles, until the next good one. Cycles are followed per flow and deployment,
    in the order of their scheduled times; one that is neither good nor has failed yet is passed
    over. n: incidents that were over when the history ended.
    """
    lines: dict[tuple[str, str | None], list[RunRecord]] = {}
    for run in _parents(history, flow):
        lines.setdefault((run.flow, run.deployment), []).append(run)
    return mean("recovery time", [s for runs in lines.values() for s in _recoveries(runs)])


def is_in_process(run: RunRecord) -> bool:
    """Whether a run is a subflow that lives in its parent's process."""
    return run.parent is not None and run.deployment is None


def _parents(history: History, flow: str | None) -> list[RunRecord]:
    if flow is not None:
        return history.runs(flow)
    return [run for run in history.runs() if run.parent is None]


def _ended_parents(history: History, flow: str | None) -> list[RunRecord]:
    return [run for run in _parents(history, flow) if run.final]


def _is_zombie(run: RunRecord, silent_since: datetime) -> bool:
    if run.final:
        return False
    host = run
    while is_in_process(host):
        assert host.parent is not None
        host = host.parent
        if host.final:
            return True
    return bool(run.states) and run.states[-1].timestamp < silent_since


def _has_started(run: RunRecord, step: str) -> bool:
    tree = (run, *run.descendants())
    return any(one.flow == step and one.start is not None for one in tree) or any(
        task.task == step and task.start is not None for one in tree for task in one.tasks
    )


def _recoveries(runs: list[RunRecord]) -> list[float]:
    """The lengths in seconds of the incidents among the cycles of one flow and deployment."""
    found: list[float] = []
    fault: datetime | None = None
    for run in sorted(runs, key=lambda run: (run.scheduled is None, run.scheduled)):
        tree = (run, *run.descendants())
        faults = [one.end for one in tree if one.failed and one.end is not None]
        if faults:
            fault = fault or min(faults)
        elif fault is not None and all(one.completed for one in tree):
            good = max(one.end for one in tree if one.end is not None)
            found.append((good - fault).total_seconds())
            fault = None
    return found
