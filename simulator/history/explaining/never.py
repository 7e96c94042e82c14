"""Why a flow or a deployment has never run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from simulator.history.explaining.evidence import Evidence, fault
from simulator.history.explaining.explanation import Reason
from simulator.history.gates import Gate


def never(evidence: Evidence, name: str) -> list[Reason]:
    """Why there is no run at all: what is paused, not due yet, or waits for an event."""
    history = evidence.history
    gates = [
        gate
        for gate in history.gates
        if gate.kind == "deployment" and name in (gate.name, gate.name.partition("/")[0])
    ]
    for gate in gates:
        if gate.paused:
            here = Reason(f"it has never run: the deployment {gate.name} is paused")
            return [here, *map(fault, evidence.pauses(gate.name))]
        if gate.schedules:
            coming = [run for run in history.upcoming() if run.deployment == gate.name]
            if coming:
                return [Reason("it has never run: its first run is due", coming[0].scheduled)]
            return [Reason("it has never run: its schedule has not come due")]
    events = list(_awaited(history.gates, {gate.name for gate in gates}))
    if events:
        here = Reason(f"it has never run: it waits for an event {' or '.join(events)}")
        return [here, *_lost(evidence, events)]
    if gates:
        return [Reason("it has never run: it has no active schedule, and nobody called it")]
    return [Reason("it has never run: it has no deployment, and nobody called it")]


def _awaited(gates: Iterable[Gate], deployments: set[str]) -> Iterator[str]:
    """The events that automations wait for to run one of some deployments."""
    for gate in gates:
        if gate.event is not None and not gate.paused and gate.name in deployments:
            yield gate.event


def _lost(evidence: Evidence, events: Iterable[str]) -> list[Reason]:
    """The last fault that struck one of the events."""
    struck = [
        note
        for note in evidence.history.notes
        if note.kind == "fault"
        and any(fnmatchcase(str(note.details.get("event")), one) for one in events)
    ]
    return [fault(note) for note in struck[-1:]]
