"""What happened in a simulation: every flow run, read from the Prefect server's own database.

    history = History.read(database)
    for run in history.runs("parent", state="Failed"):
        print(run, [child.state for child in run.children])

The database is only ever read, in one transaction, so that a history is a snapshot even while the
server goes on writing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from simulator.arguments import STATES, checked, flow_names, kinds, state_name, unknown
from simulator.history.gates import Gate, read_gates
from simulator.history.normal import normalised
from simulator.history.notes import Note
from simulator.history.reading import Reader, logs_by_run, reading, to_millisecond
from simulator.history.records import Links, LogRecord, RunRecord, StateRecord, TaskRecord, moment

__all__ = ["History", "LogRecord", "RunRecord", "StateRecord", "TaskRecord"]


class History:
    """A snapshot of every flow run of a simulation.

    `now` is the instant of the snapshot (aware UTC). Prefect's scheduler writes runs down days
    ahead; those whose time has not come by `now` are no part of what happened and are left out
    unless asked for.
    """

    def __init__(
        self,
        records: Iterable[RunRecord],
        *,
        now: datetime | None = None,
        logs: Callable[[], Mapping[UUID, tuple[LogRecord, ...]]] | None = None,
        flows: Iterable[str] = (),
        deployments: Iterable[str] = (),
        notes: Iterable[Note] = (),
        gates: Iterable[Gate] = (),
    ) -> None:
        """Tie records together, given oldest first. `now` is the newest instant among them unless
        given; `flows` and `deployments` name those that are known but may never have run. `notes` are
        what the simulation saw of its own, `gates` what runs waited at.
        """
        links = Links(logs)
        children: dict[UUID, list[RunRecord]] = defaultdict(list)
        for record in records:
            run = replace(record, links=links)
            links.runs[run.id] = run
            if run.parent_id is not None:
                children[run.parent_id].append(run)
        links.children = {parent: tuple(runs) for parent, runs in children.items()}
        self._links = links
        self._runs = tuple(links.runs.values())
        self.notes = tuple(notes)
        self.gates = tuple(gates)
        self.now = to_millisecond(now) if now is not None else self._newest()
        self.flows = tuple(sorted({*flows, *(run.flow for run in self._runs)}))
        self.deployments = tuple(
            sorted({*deployments, *(run.deployment for run in self._runs if run.deployment)})
        )

    @classmethod
    def read(
        cls,
        database: Path,
        *,
        now: datetime | None = None,
        reader: Reader | None = None,
        notes: Iterable[Note] = (),
    ) -> History:
        """Read the history from the SQLite file of a Prefect server, which may be running.

        `now` is the virtual time of the reading, `notes` what the simulation has seen of its own. The
        `reader` is one that has read this database before, or that knows of a virtual clock. Log lines
        are read at their first use, up to where they stood now. Raises SimulationError if the file is
        missing or is not such a database.
        """
        reader = reader or Reader()
        with reading(database) as connection:
            runs = reader.runs(connection, now)
            last_log = connection.execute("select coalesce(max(rowid), 0) from log").fetchone()[0]
            flows = [name for (name,) in connection.execute("select name from flow")]
            deployments = [
                f"{flow}/{name}"
                for flow, name in connection.execute(
                    "select f.name, d.name from deployment d join flow f on f.id = d.flow_id"
                )
            ]
            gates = read_gates(connection)
        return cls(
            runs,
            now=now,
            logs=partial(logs_by_run, database, last_log, reader.instants()),
            flows=flows,
            deployments=deployments,
            notes=notes,
            gates=gates,
        )

    @checked(
        flow=kinds.optional(kinds.text),
        deployment=kinds.optional(kinds.text),
        state=kinds.optional(kinds.text),
        upcoming=kinds.flag,
    )
    def runs(
        self,
        flow: str | None = None,
        *,
        deployment: str | None = None,
        state: str | None = None,
        upcoming: bool = False,
    ) -> list[RunRecord]:
        """The flow runs, oldest first: by start, or else by scheduled time.

        `flow` is a flow's name; `deployment` a full name ("flow/deployment") or only its last
        part; `state` the name ("TimedOut") or the type ("FAILED") of the newest state. With
        `upcoming`, also the runs that a schedule has made for later (see `upcoming`).

        Raises SimulationError for an unknown flow, deployment or state, with the nearest known one.
        """
        self._check_flow(flow)
        self._check_deployment(deployment)
        self.check_state(state)
        return [
            run
            for run in self._runs
            if (flow is None or run.flow == flow)
            and (deployment is None or _is_called(run.deployment, deployment))
            and (state is None or state in (run.state, run.state_type))
            and (upcoming or not self._is_upcoming(run))
        ]

    @checked(flow=kinds.optional(kinds.text))
    def upcoming(self, flow: str | None = None) -> list[RunRecord]:
        """The runs that a schedule has made for `now` or later and that nothing has happened to
        yet but being taken by a worker ahead of time, earliest first.

        Raises SimulationError for an unknown flow.
        """
        self._check_flow(flow)
        return [
            run
            for run in self._runs
            if self._is_upcoming(run) and (flow is None or run.flow == flow)
        ]

    def run(self, run_id: UUID | str) -> RunRecord:
        """The run with that id. Raises SimulationError if there is none."""
        try:
            return self._links.runs[run_id if isinstance(run_id, UUID) else UUID(run_id)]
        except (KeyError, ValueError, TypeError, AttributeError):
            raise unknown("flow run has the id", run_id, ()) from None

    def read_logs(self) -> Mapping[UUID, tuple[LogRecord, ...]]:
        """The log lines of all runs, by run. Once read they stay, also when the database is gone."""
        return self._links.all_logs()

    def only(self, roots: Callable[[RunRecord], bool]) -> History:
        """The part of it that consists of these runs and of all that they have called."""
        found = [run for run in self._runs if roots(run)]
        kept = {run.id for root in found for run in (root, *root.descendants())}
        runs = [run for run in self._runs if run.id in kept]
        return History(
            runs, now=self.now, logs=self._links.all_logs, notes=self.notes, gates=self.gates
        )

    def normalised(self) -> list[dict[str, Any]]:
        """What two simulations of one script with one seed have in common, to compare by `==`.

        Plain lists, dicts and strings: the runs that no other run called, each with its children
        inside; without ids, names of runs, and parts of a second; in an order that follows from
        the content alone. Left out: names of runs, also given ones, logs and upcoming runs.
        """
        return normalised(self.runs())

    def __repr__(self) -> str:
        return f"<History of {len(self.runs())} runs until {moment(self.now)}>"

    def _is_upcoming(self, run: RunRecord) -> bool:
        return (
            run.auto_scheduled
            and run.start is None
            and not run.final
            and run.scheduled is not None
            and run.scheduled >= self.now
        )

    def check_state(self, state: str | None) -> None:
        """Raise SimulationError for the name or type of a state that no run can be in."""
        if state is not None and state not in STATES:
            entered = {name for run in self._runs for name in (run.state, run.state_type)}
            state_name(state, entered | {one.name for run in self._runs for one in run.states})

    def _check_flow(self, name: str | None) -> None:
        # A flow that has neither been deployed nor run is known to its process alone.
        if name is not None and name not in self.flows and name not in flow_names():
            raise unknown("flow named", name, self.flows)

    def _check_deployment(self, name: str | None) -> None:
        known = self.deployments
        if name is not None and not any(_is_called(one, name) for one in known):
            raise unknown("deployment", name, known)

    def _newest(self) -> datetime:
        """The newest instant at which something happened; what the clock says if nothing did."""
        instants = [state.timestamp for run in self._runs for state in run.states]
        return max(instants) if instants else to_millisecond(datetime.now(UTC))


def _is_called(deployment: str | None, name: str) -> bool:
    if deployment is None:
        return False
    return name in (deployment, deployment.partition("/")[2])
