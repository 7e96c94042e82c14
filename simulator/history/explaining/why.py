"""How a cause is followed, from run to run."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from simulator.errors import SimulationError
from simulator.history.explaining.causes import Causes
from simulator.history.explaining.completed import Completed
from simulator.history.explaining.delays import Delays
from simulator.history.explaining.endings import Endings
from simulator.history.explaining.evidence import Evidence
from simulator.history.explaining.explanation import Explanation, Reason, title
from simulator.history.explaining.never import never
from simulator.history.history import History
from simulator.history.records import RunRecord


def explain(history: History, run: RunRecord | UUID | str | None, which: int = -1) -> Explanation:
    """Explain a run of a history.

    Args:
        history: What happened.
        run: The run, its id or name, or the name of its flow or deployment ("flow/deployment").
        which: Of the runs of that flow or deployment the one of this number, oldest first, as an
            index of a list: -1 is the newest.

    Raises:
        SimulationError: If there is no such run, flow or deployment.
    """
    if not isinstance(run, RunRecord | UUID | str):
        raise SimulationError(f"run={run!r} must be a run's record, id or name")
    if isinstance(run, RunRecord):
        found: RunRecord | None = history.run(run.id)
    else:
        found = find(history, run, which)
    if found is None:
        return Explanation(None, str(run), tuple(never(Evidence(history), str(run))))
    return _Why(Evidence(history)).explained(found)


def explanations(history: History) -> dict[UUID, Explanation]:
    """Of each run that nobody would expect to be as it is: it ended badly, started late or never, or
    is Completed although a run that it called ended badly.
    """
    evidence = Evidence(history)
    delays = Delays(evidence, lambda _: [])
    return {
        run.id: _Why(evidence).explained(run)
        for run in evidence.happened
        if not run.completed
        or delays.late(run)
        or any(called.failed for called in run.descendants())
    }


def kept_from(history: History, runs: Iterable[RunRecord]) -> dict[UUID, tuple[str, RunRecord]]:
    """Of the runs that waited for a slot: of what ("work pool etl"), and the run that had it longest."""
    delays = Delays(Evidence(history), lambda _: [])
    return {run.id: found for run in runs if (found := delays.kept_from(run)) is not None}


def find(history: History, asked: UUID | str, which: int = -1) -> RunRecord | None:
    """The run with an id or a name, or number `which` of a flow or deployment; None if that has
    never run. Raises SimulationError if nothing is called so.
    """
    if isinstance(asked, UUID) or _is_id(asked):
        return history.run(asked)
    everything = history.runs()
    for run in everything:
        if run.name == asked:
            return run
    runs = [run for run in everything if asked in (run.flow, run.deployment)]
    known = {*history.flows, *history.deployments}
    if asked not in known:
        near = difflib.get_close_matches(asked, list(known), n=1, cutoff=0.5)
        raise SimulationError(
            f"no run, flow or deployment {asked!r}"
            + (f": did you mean {near[0]!r}?" if near else "")
        )
    if not runs:
        return None
    if not -len(runs) <= which < len(runs):
        raise SimulationError(
            f"which={which} must be a number of the {len(runs)} runs of {asked!r}"
        )
    return runs[which]


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


class _Why:
    """Follows causes from run to run, each run once."""

    def __init__(self, evidence: Evidence) -> None:
        causes = Causes(evidence, self._follow)
        self._completed = Completed(evidence, causes, self._follow)
        self._delays = Delays(evidence, self._follow)
        self._endings = Endings(evidence, causes, self._delays, self._follow)
        self._seen: set[UUID] = set()

    def explained(self, run: RunRecord) -> Explanation:
        """Why a run is in its state, and if that is not the same, why it started late."""
        reasons, late = self._reasons(run)
        lateness = [] if late else self._delays.lateness(run)
        return Explanation(run.id, title(run), tuple(reasons), tuple(lateness))

    def _reasons(self, run: RunRecord) -> tuple[list[Reason], bool]:
        """Why a run is in its state, and whether its lateness is all that there is to say."""
        self._seen.add(run.id)
        if run.failed:
            return self._endings.bad(run), False
        if run.start is None:
            return self._delays.reasons(run), True
        reasons = self._completed.reasons(run) if run.completed else self._endings.running(run)
        if len(reasons) == 1 and self._delays.late(run):
            return self._delays.reasons(run), True
        return reasons, False

    def _follow(self, run: RunRecord) -> list[Reason]:
        if run.id in self._seen:
            return []
        (first, *others), _ = self._reasons(run)
        return [replace(first, sentence=f"{run.flow} {first.sentence}"), *others]
