"""The patches that give each simulated process what Prefect keeps once for a process.

Prefect 3.8 and 3.9. See `simulator.process`; a test for each stands in `tests/worker/test_worker.py`.
"""

from __future__ import annotations

import contextvars
import inspect
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import cachetools
import prefect._internal.control_listener as prefect_control
import prefect.concurrency._asyncio as prefect_slots
import prefect.concurrency.services as prefect_slot_services
import prefect.engine as prefect_engine
import prefect.flow_engine as prefect_flow_engine
import prefect.utilities.engine as prefect_run_engine
from prefect.events import Event
from prefect.events.worker import EventsWorker
from prefect.logging.loggers import flow_run_logger

from simulator.patches.replacing import replacing
from simulator.process import current_process, outside


@contextmanager
def installed() -> Iterator[None]:
    """Keep apart what belongs to different processes, for one simulation."""
    of_no_process: dict[str, Any] = {}

    def memory() -> dict[str, Any]:
        process = current_process()
        return of_no_process if process is None else process.memory

    def get_intent() -> Any:
        return memory().get("intent")

    def clear_intent() -> None:
        memory().pop("intent", None)

    def engine_outcome_is_handled() -> bool:
        return "outcome" in memory()

    def report_engine_outcome(receipt: Any) -> bool:
        memory()["outcome"] = receipt
        return True

    def owns_cancellation(engine: Any) -> bool:
        process = current_process()
        return (
            engine._started_with_in_process_parent_flow_run_context
            or process is None
            or not process.supervised
        )

    replaced: list[tuple[Any, str, Any]] = [
        # The runner tells a flow's process over a socket why it gets a signal, and the process
        # tells the runner what became of the run: state of the module, once for each process.
        (prefect_engine, "get_intent", get_intent),
        (prefect_engine, "clear_intent", clear_intent),
        (prefect_engine, "engine_outcome_is_handled", engine_outcome_is_handled),
        (prefect_flow_engine, "get_intent", get_intent),
        (prefect_flow_engine, "report_engine_outcome", report_engine_outcome),
        # An environment variable of the process.
        (
            prefect_flow_engine.BaseFlowRunEngine,
            "_engine_owns_cancellation_handling",
            owns_cancellation,
        ),
        # The interactive one closes standard input.
        (prefect_engine, "exit", sys.exit),
        # Within a process those who want the same slots queue up; processes compete.
        *(
            (prefect_slots, name, _ServiceOfProcess(getattr(prefect_slots, name)))
            for name in (
                "ConcurrencySlotAcquisitionService",
                "ConcurrencySlotAcquisitionWithLeaseService",
            )
        ),
        # Five seconds of real time, for all processes.
        (prefect_slot_services, "_no_limits_cache", _CacheOfProcess(memory)),
        # A signal's handler that belongs to Prefect, counted in a global.
        (prefect_flow_engine, "capture_sigterm", _capture_sigterm),
        (prefect_control, "get_intent", get_intent),
        # One worker sends the events of all processes, one after the other, each in the context of
        # whoever emitted it. What one of them has emitted is on its way, also when it has died since.
        (EventsWorker, "_prepare_item", _prepare_item),
    ]
    with replacing(replaced):
        yield


def _prepare_item(worker: Any, event: Event) -> Event:
    worker._context_cache[event.id] = outside(contextvars.copy_context())
    return event


class _Names(frozenset[str]):
    """Names of concurrency limits, as wanted by one process."""

    pid = 0

    def __hash__(self) -> int:
        return hash((frozenset(self), self.pid))

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and self.pid == getattr(other, "pid", 0)


class _ServiceOfProcess:
    """In place of the class of a service: hands out one instance for each process."""

    def __init__(self, service: Any) -> None:
        self._service = service

    def instance(self, names: frozenset[str]) -> Any:
        process = current_process()
        if process is None:
            return self._service.instance(names)
        owned = _Names(names)
        owned.pid = process.pid
        started = process.memory.setdefault("services", {})
        if (self._service, owned) not in started:
            service = self._service.instance(owned)
            started[self._service, owned] = service
            process.at_exit.append(service.drain)
        return self._service.instance(owned)


class _CacheOfProcess:
    """In place of a cache with a life of five seconds."""

    def __init__(self, memory: Callable[[], dict[str, Any]]) -> None:
        self._memory = memory

    def _cache(self) -> cachetools.TTLCache[Any, Any]:
        def make() -> cachetools.TTLCache[Any, Any]:
            return cachetools.TTLCache(maxsize=1000, ttl=5.0, timer=lambda: time.monotonic())  # noqa: PLW0108  looked up anew

        memory = self._memory()
        if "no limits" not in memory:
            memory["no limits"] = make()
        cache: cachetools.TTLCache[Any, Any] = memory["no limits"]
        return cache

    def get(self, key: Any, default: Any = None) -> Any:
        return self._cache().get(key, default)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._cache()[key] = value


def _capture_sigterm() -> AbstractContextManager[None]:
    """Prefect's own, with globals of its own for each process."""
    process = current_process()
    if process is None:
        return prefect_run_engine.capture_sigterm()
    if "capture_sigterm" not in process.memory:
        real: Any = prefect_run_engine.capture_sigterm
        plain = inspect.unwrap(real)
        own = types.FunctionType(plain.__code__, dict(plain.__globals__), plain.__name__)
        process.memory["capture_sigterm"] = contextmanager(own)
    captured: AbstractContextManager[None] = process.memory["capture_sigterm"]()
    return captured


ENGINE = str(prefect_engine.__file__)
"""The script of a flow run's process, its `sys.argv[0]`."""


def main_of(load: Callable[[Any], Any], flow_run: Any) -> Callable[[], None]:
    """What `python -m prefect.engine` does for a flow run; `load(flow_run)` gives its flow."""

    def main() -> None:
        with prefect_engine.handle_engine_signals(flow_run.id):
            logger: Any = flow_run_logger(flow_run=flow_run)
            try:
                flow = load(flow_run)
            except Exception:
                logger.error(
                    "Unexpected exception encountered when trying to load flow", exc_info=True
                )
                raise
            result = prefect_flow_engine.run_flow(flow, flow_run=flow_run, error_logger=logger)
            prefect_engine._drive_run_flow_result(flow, result)

    return main
