"""The records of a history: flow runs, their tasks, states and log lines, as plain frozen values.

Every instant is an aware UTC datetime to the millisecond. The virtual clock moves on by a microsecond
whenever it is read, and nobody wants to see that: what happened at one instant shows the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from simulator.engine import NOT_KEPT
from simulator.errors import SimulationError

FINAL_TYPES = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
"""The types of the states that a run does not leave by itself. TimedOut is of type FAILED."""

BAD_TYPES = FINAL_TYPES - {"COMPLETED"}
"""The types of the states in which a run has ended without success."""


@dataclass(frozen=True)
class StateRecord:
    """A state that a run entered: `name` as shown ("Late"), `type` as Prefect groups them
    ("SCHEDULED"), `timestamp` when it was entered.
    """

    name: str
    type: str
    timestamp: datetime
    message: str | None = None

    def __str__(self) -> str:
        return f"{self.name} {moment(self.timestamp)}"


@dataclass(frozen=True)
class TaskRecord:
    """A task run. `name` is Prefect's, with its random ending ("load-3a9"); `task` is without.

    `state` is the name of the newest state and `states` all of them, oldest first. `scheduled` is
    when it was expected to start, `start` when it first entered Running, `end` when it reached its
    final state. `run_count` counts its attempts.
    """

    id: UUID
    name: str
    task: str
    task_key: str
    state: str
    state_type: str
    message: str | None
    states: tuple[StateRecord, ...]
    scheduled: datetime | None
    start: datetime | None
    end: datetime | None
    run_count: int
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class LogRecord:
    """A log line of a flow run. `level` as in `logging` (20 is INFO); `task_run_id` is that of the
    task which wrote it, None if the flow itself did.
    """

    timestamp: datetime
    level: int
    logger: str
    message: str
    task_run_id: UUID | None = None


class Links:
    """What ties the records of one snapshot together: who called whom, and where the logs are.

    Kept apart from the records, so that comparing, hashing or printing a run never walks from a
    parent to its children and back.
    """

    def __init__(self, logs: Callable[[], Mapping[UUID, tuple[LogRecord, ...]]] | None = None):
        self.runs: dict[UUID, RunRecord] = {}
        self.children: dict[UUID, tuple[RunRecord, ...]] = {}
        self._read_logs = logs
        self._logs: Mapping[UUID, tuple[LogRecord, ...]] | None = None

    def logs(self, run_id: UUID) -> tuple[LogRecord, ...]:
        """The log lines of a run; those of all runs are read at the first call."""
        return self.all_logs().get(run_id, ())

    def all_logs(self) -> Mapping[UUID, tuple[LogRecord, ...]]:
        """The log lines by run."""
        if self._logs is None:
            self._logs = self._read_logs() if self._read_logs is not None else {}
        return self._logs


@dataclass(frozen=True, eq=False, repr=False)
class RunRecord:
    """A flow run, as it stood when the history was read.

    `deployment` is the full name ("flow/deployment"), None for a flow that was called directly or
    as a subflow. `state` is the name of the newest state ("TimedOut"), `state_type` its type
    ("FAILED"), `states` all of them, oldest first. `scheduled` is when it was expected to start,
    `start` when it first entered Running, `end` when it reached its final state; each is None as
    long as it has not happened. `auto_scheduled` tells that a schedule made it; `work_pool` and
    `work_queue` name those that it waits or waited in, None for a flow that no worker takes.

    `parent`, `children` and `logs` are looked up when they are asked for. Two records are equal if
    they describe the same run (by id) with the same content and the same children.
    """

    id: UUID
    name: str
    flow: str
    deployment: str | None
    state: str
    state_type: str
    message: str | None
    states: tuple[StateRecord, ...]
    scheduled: datetime | None
    start: datetime | None
    end: datetime | None
    run_count: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    tasks: tuple[TaskRecord, ...] = ()
    parent_id: UUID | None = None
    auto_scheduled: bool = False
    work_pool: str | None = None
    work_queue: str | None = None
    links: Links = field(default_factory=Links, repr=False, compare=False)
    returned: Any = field(default=NOT_KEPT, repr=False, compare=False)

    @property
    def result(self) -> Any:
        """What the flow has returned; of one that yields, the list of what it has yielded.

        It is kept for a run of `Simulation.run`. Raises SimulationError for any other run, and for
        one that has not completed.
        """
        if self.returned is NOT_KEPT:
            why = (
                "the result of a run is kept by Simulation.run alone"
                if self.completed
                else f"it is {self.state}" + (f": {self.message}" if self.message else "")
            )
            raise SimulationError(
                f"the run {self.name!r} of {self.flow!r} has no result here: {why}"
            )
        return self.returned

    @property
    def parent(self) -> RunRecord | None:
        """The run that called this one, as a subflow or through its deployment."""
        return None if self.parent_id is None else self.links.runs.get(self.parent_id)

    @property
    def children(self) -> tuple[RunRecord, ...]:
        """The runs that this one called, as subflows or through deployments, oldest first."""
        return self.links.children.get(self.id, ())

    @property
    def logs(self) -> tuple[LogRecord, ...]:
        """The log lines of the run and its tasks, oldest first. Those of the whole history are
        read from the database at the first use; SimulationError if it is gone by then.
        """
        return self.links.logs(self.id)

    @property
    def final(self) -> bool:
        """Whether the run has ended, well or badly."""
        return self.state_type in FINAL_TYPES

    @property
    def completed(self) -> bool:
        """Whether the run ended well."""
        return self.state_type == "COMPLETED"

    @property
    def failed(self) -> bool:
        """Whether the run ended badly: Failed, TimedOut, Crashed or Cancelled."""
        return self.state_type in BAD_TYPES

    def descendants(self) -> Iterator[RunRecord]:
        """Its children, their children and so on, each after the one that called it."""
        for child in self.children:
            yield child
            yield from child.descendants()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RunRecord):
            return NotImplemented
        return self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self.id)

    def _content(self) -> tuple[object, ...]:
        own = tuple(getattr(self, one.name) for one in fields(self) if one.compare)
        return (*own, tuple(child.id for child in self.children))

    def __repr__(self) -> str:
        """One line that helps in a failed assertion."""
        parts = [f"<Run {self.deployment or self.flow} {self.state or '(no state)'}"]
        for what, instant in (
            ("scheduled", self.scheduled),
            ("start", self.start),
            ("end", self.end),
        ):
            if instant is not None:
                parts.append(f"{what} {moment(instant)}")
        said = (self.message or "").partition("\n")[0]
        if said and not self.completed:
            parts.append(f"message {said if len(said) <= 100 else said[:99] + '…'!r}")
        return ", ".join(parts) + ">"


def moment(instant: datetime) -> str:
    """An instant for reading: UTC, to the second, with milliseconds only where there are any."""
    text = instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    thousandths = instant.microsecond // 1000
    return f"{text}.{thousandths:03d}Z" if thousandths else f"{text}Z"


def called(run: RunRecord) -> str:
    """What a run is called in a verdict: whose it is, and when it was due, or else began."""
    name, when = run.deployment or run.flow, run.scheduled or run.start
    return name if when is None else f"{name} of {moment(when)}"
