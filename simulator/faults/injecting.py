"""The faults of one simulation: injected, numbered, and asked at the end which never struck."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from simulator.arguments import event_name, flow_name, state_name
from simulator.errors import SilentFault, SimulationError
from simulator.faults.plain import from_plain, to_plain
from simulator.faults.plans import Fault, Injected, Stage, StepFault, journal_of

Given = Fault | Mapping[str, Any]
"""A fault, or the same as plain data."""


class Faults:
    """What has been injected into a simulation with a seed, in order."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._streams: Counter[str] = Counter()
        self._injected: list[Injected] = []

    def inject(
        self,
        faults: Given | Iterable[Given],
        stage: Stage,
        step_name: Callable[[str], object],
        pool: Callable[[str], object],
    ) -> None:
        """Let faults take their places. `step_name` and `pool` raise for names that nothing has."""
        several: Any = [faults] if isinstance(faults, Fault | Mapping) else faults
        if not isinstance(several, Iterable) or isinstance(several, str):
            raise SimulationError(f"faults={faults!r} must be a fault or a list of faults")
        for given in several:
            fault = from_plain(given) if isinstance(given, Mapping) else given
            if isinstance(fault, StepFault):
                step_name(fault.step)
            elif not isinstance(fault, Fault):
                raise SimulationError(f"faults: {fault!r} is no fault: see simulator.faults")
            elif (work_pool := getattr(fault, "work_pool", None)) is not None:
                pool(work_pool)
            elif (flow := getattr(fault, "flow", None)) is not None:
                step_name(flow)
                flow_name(flow)
            if (event := getattr(fault, "event", None)) is not None:
                event_name(event)
            if (reached := getattr(fault, "reached", None)) is not None:
                step_name(reached[0])
                flow_name(reached[0])
                state_name(reached[1], ())
            self._inject(fault, stage)

    def _inject(self, fault: Fault, stage: Stage) -> None:
        """Let a fault take its place, unless the dice say that this simulation is without it."""
        now = stage.now
        if fault.between is not None and fault.between[1] <= now:
            until = _utc(fault.between[1])
            raise SimulationError(
                f"between: {until} has passed, {fault.does()!r} could never strike"
            )
        fault.check(stage)
        nth = self._streams[fault.stream]
        self._streams[fault.stream] += 1
        # A second fault of one name has numbers of its own.
        stream = f"{fault.stream} {nth + 1}" if nth else fault.stream
        injected = Injected(fault, len(self._injected), self._seed, stream)
        self._injected.append(injected)
        journal = journal_of(stage)
        if journal is not None:
            details = {"fault": injected.number, "target": fault.target, "plain": _plain(fault)}
            journal.note("injected", str(fault), details=details)
        if injected.exists:
            fault.begin(stage, injected)

    def silent(self, stage: Stage) -> list[str]:
        """Those that have not struck so far, in words, as far as the engine knows who has."""
        journal = journal_of(stage)
        if journal is None:
            return []
        struck = {note.details.get("fault") for note in journal.notes if note.kind == "fault"}
        return [
            f"fault {one.number} has never struck: {one.fault}{_why_not(one, stage)}"
            for one in self._injected
            if one.number not in struck
        ]

    def tell_silent(self, stage: Stage) -> None:
        """Warn of those that have never struck."""
        for text in self.silent(stage):
            warnings.warn(text, SilentFault, stacklevel=3)


def _why_not(injected: Injected, stage: Stage) -> str:
    if not injected.exists:
        return " (by its odds it was not in this simulation)"
    if injected.number in getattr(stage.steps, "lacking", ()):
        return " (when it could, the step had not returned anything so long before)"
    window = injected.fault.between
    if window is not None and window[0] >= stage.now:
        return f" (it could from {_utc(window[0])} on, and the simulation has come to {_utc(stage.now)})"
    return ""


def _utc(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _plain(fault: Fault) -> dict[str, object]:
    try:
        return to_plain(fault)
    except SimulationError:  # it holds what JSON cannot: its words have to do
        return {"kind": fault.kind}
