"""A Simulation that only keeps count of its days: for tests of what stands around one.

A file that calls `install()` lives on it, in whatever process it is imported.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID

from simulator.caveats import Caveat
from simulator.history.history import History, RunRecord, StateRecord

OPENED: list[dict[str, Any]] = []
"""The arguments of each one that was entered, oldest first."""

CLOSED: list["FakeSimulation"] = []


class FakeSimulation:
    silent_faults: tuple[str, ...] = ()

    def __init__(
        self,
        start: str = "2026-01-01T00:00:00Z",
        seed: int = 0,
        stall_limit: float = 60.0,
        modules: str = "shared",
    ) -> None:
        self.given: dict[str, Any] = {"start": start, "seed": seed, "stall_limit": stall_limit}
        if modules != "shared":
            self.given["modules"] = modules
        self.seed = seed
        self.start = self.now = datetime.fromisoformat(start).astimezone(UTC)
        self.records: list[RunRecord] = []
        self.caveats = (Caveat("real time", "a fake has no clock", "fake.py:1"),)

    def __enter__(self) -> Self:
        OPENED.append(self.given)
        return self

    def __exit__(self, *_: object) -> None:
        CLOSED.append(self)

    def advance(self, *, days: int) -> None:
        """One run of "daily" a day; every third one fails."""
        for _ in range(days):
            state = "Failed" if len(self.records) % 3 == 2 else "Completed"
            self.records.append(
                RunRecord(
                    id=UUID(int=len(self.records) + 1),
                    name=f"run-{len(self.records)}",
                    flow="daily",
                    deployment="daily/dev",
                    state=state,
                    state_type=state.upper(),
                    message=None,
                    states=(
                        StateRecord("Running", "RUNNING", self.now),
                        StateRecord(state, state.upper(), self.now + timedelta(minutes=5)),
                    ),
                    scheduled=self.now,
                    start=self.now,
                    end=self.now + timedelta(minutes=5),
                    run_count=1,
                )
            )
            self.now += timedelta(days=1)

    def runs(self, flow: str | None = None) -> list[RunRecord]:
        return self.history().runs(flow)

    def promises(self) -> list[Any]:
        return []

    def history(self) -> History:
        return History(self.records, now=self.now)


def install() -> None:
    import simulator.simulation

    simulator.simulation.Simulation = FakeSimulation  # type: ignore[assignment,misc]


def write_down_pid(file: str, pid: int | None = None) -> None:
    """Add a process's number to a file, for a test that looks whether it is still there."""
    with open(file, "a") as pids:  # noqa: PTH123
        print(pid or os.getpid(), file=pids)
