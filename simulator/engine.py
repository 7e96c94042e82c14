"""What a `Simulation` needs of the engine under it: the virtual one, or a live one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from prefect import Flow, Task
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.workers.base import BaseWorker

    from simulator.caveats import Caveat
    from simulator.faults import Duration, Injected
    from simulator.history import History
    from simulator.warehouse import Warehouse


NOT_KEPT: Any = object()
"""In place of what a flow has returned, if that is not there."""


class WorkersOfPool(Protocol):
    """The workers of a work pool, by name; None for all of them."""

    def start(self, name: str | None = None, limit: int | None = None) -> None: ...

    def stop(self, name: str | None = None) -> None: ...


class StepsOfEngine(Protocol):
    """Takes note of the faults and durations of steps."""

    def strike(self, injected: Injected) -> None: ...

    def take(self, name: str, duration: Duration) -> None: ...

    def stand_in(self, name: str, answer: Callable[..., Any]) -> None:
        """Call something else in place of a step's own function."""


class FunctionsOfEngine(Protocol):
    """The functions that its processes call."""

    def stand_in(self, stack: ExitStack, target: Any, stub: Any) -> None: ...


class Engine(Protocol):
    """A Prefect server with workers, and a way to let time pass.

    What is told of its members in `Simulation` is not repeated here.
    """

    folder: Path
    client: SyncPrefectClient

    @property
    def worker(self) -> type[BaseWorker[Any, Any, Any]]:
        """The class of its workers, which says what a work pool for them looks like."""

    @property
    def now(self) -> datetime: ...

    @property
    def results(self) -> Mapping[UUID, Any]:
        """What the flows that were run as scripts have returned, by flow run."""

    @property
    def caveats(self) -> Iterable[Caveat]: ...

    @property
    def pools(self) -> Mapping[str, WorkersOfPool]: ...

    @property
    def steps(self) -> StepsOfEngine: ...

    @property
    def functions(self) -> FunctionsOfEngine: ...

    @property
    def warehouse(self) -> Warehouse: ...

    def advance_to(self, until: datetime) -> None: ...

    def ensure_pool(self, name: str) -> None:
        """Give a work pool its worker, if it has none."""

    def check(self, flow: Flow[..., Any]) -> None:
        """Raise SimulationError for a flow that cannot run here."""

    def process_options(self, job_variables: dict[str, Any] | None) -> dict[str, Any]:
        """What a deployment has to say so that its processes belong to this engine."""

    def deployed(self, deployment_id: UUID, flow: Flow[..., Any]) -> None: ...

    def watch(self, table: str, column: str) -> None:
        """Note what a table's column shows at most, whenever it may have changed."""

    def setenv(self, stack: ExitStack, variables: Mapping[str, str]) -> None: ...

    def run(self, flow: Flow[..., Any], parameters: Mapping[str, Any]) -> UUID: ...

    def serve_tasks(self, tasks: Iterable[Task[..., Any]], limit: int | None) -> None: ...

    def source(self, url: str, folder: Path) -> None: ...

    def kill(self, run_id: UUID, exit_code: int) -> None: ...

    def history(self) -> History: ...

    def flow_names(self) -> set[str]: ...

    def deployment_names(self) -> set[str]: ...
