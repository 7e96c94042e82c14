"""Faults of dbt's nodes: which of them strikes one that dbt is about to run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from simulator.arguments import kinds as arguments
from simulator.faults.counted import CountedFaults
from simulator.faults.plans import Fault, Injected, Stage, virtual

if TYPE_CHECKING:
    from simulator.history import Journal

FOUND = "one row found"
"""What a data test fails for, which has no message of its own."""


@dataclass(frozen=True, kw_only=True)
class NodeFault(Fault):
    """A fault of a node of dbt.

    Args:
        node: Its name in the dbt project, such as "stg_orders" or "unique_orders_id".
        on: Numbers of the times that dbt runs it, from 0, at which it may be struck.
    """

    node: str
    on: Collection[int] | None = None

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {
        "node": arguments.text,
        "on": arguments.optional(arguments.run_numbers),
    }

    @property
    def target(self) -> str:
        return self.node

    def begin(self, stage: Stage, injected: Injected) -> None:
        virtual(stage, self).nodes.strike(injected)

    def concerns(self, node: str) -> bool:
        """Whether it is about this node, by its name."""
        return node == self.node


class Nodes(CountedFaults):
    """The faults of dbt's nodes in one simulation, asked for each node.

    `run()` is the id of the run that the calling code belongs to, `cycle(run_id)` the instant for which
    its outermost parent was scheduled. What strikes is noted in the `journal`.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        cycle: Callable[[UUID | None], datetime],
        run: Callable[[], UUID | None],
        journal: Journal,
    ) -> None:
        super().__init__(now)
        self._cycle = cycle
        self._run = run
        self._journal = journal

    def invoked(self) -> Callable[[str, bool], str | None]:
        """Called by who invokes dbt. Returns what dbt asks for each node by its name, and whether it is
        a data test, from any thread: what is wrong with it, if a fault strikes it.
        """
        from prefect.context import TaskRunContext

        run = self._run()
        context = TaskRunContext.get()
        task_run = None if context is None else context.task_run.id

        def wrong(node: str, data_test: bool) -> str | None:
            if not self.faults:
                return None
            cycle = self._cycle(run).isoformat(timespec="seconds")
            found = self.strikes_now(node, f"node {node}/{cycle}")
            if found is None:
                return None
            injected, draw, _ = found
            fault = replace(injected.fault, message=FOUND) if data_test else injected.fault
            details = {"fault": injected.number, "target": node, "draw": draw, "node": node}
            self._journal.note(
                "fault", str(fault), run_id=run, task_run_id=task_run, details=details
            )
            return str(fault.message)

        return wrong
