"""What Prefect's server keeps in memory, once for the process: anew for each simulation.

Prefect 3.8.8. Leases, automations and the order of events of an earlier simulation, or of a server
that the user has run in this process, would reach into the next one; and they are put back at the end.
A test for each stands in `tests/test_server.py`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cachetools
from prefect._internal.analytics import emit as prefect_analytics
from prefect._internal.analytics import milestones as prefect_milestones
from prefect._internal.concurrency import services as prefect_queues
from prefect.server.concurrency.lease_storage import memory as prefect_leases
from prefect.server.database import query_components as prefect_queries
from prefect.server.events import triggers as prefect_triggers
from prefect.server.events.ordering import memory as prefect_ordering
from prefect.server.models import events as prefect_event_models
from prefect.server.services import cancellation_cleanup as prefect_cancellation
from prefect.server.services import cleanup_reconciler as prefect_reconciler
from prefect.server.worker_communication.cleanup_queue import memory as prefect_cleanups

from simulator.replacing import replacing


@contextmanager
def fresh() -> Iterator[None]:
    """Begin with an empty memory, and leave the one that was there before as it was."""
    replaced: list[tuple[Any, str, Any]] = [
        # Singletons: leases on concurrency slots; what workers are to clean up.
        (prefect_leases.ConcurrencyLeaseStorage, "_instance", None),
        (prefect_leases.ConcurrencyLeaseStorage, "_initialized", False),
        (prefect_cleanups.WorkerCleanupQueue, "_instance", None),
        (prefect_cleanups.WorkerCleanupQueue, "_initialized", False),
        (prefect_cancellation, "_service_cleanup_queue", None),
        (prefect_reconciler, "_service_cleanup_queue", None),
        # Automations that are loaded, and how far the newest event lies back. The locks belong to
        # the loop that first waited for them.
        (prefect_triggers, "automations_by_id", {}),
        (prefect_triggers, "triggers", {}),
        (prefect_triggers, "_triggers_by_expect", {}),
        (prefect_triggers, "next_proactive_runs", {}),
        (prefect_triggers, "automation_state_snapshot", None),
        (prefect_triggers, "__automations_lock", None),
        (prefect_triggers, "__events_clock_lock", None),
        (prefect_triggers, "_events_clock", None),
        (prefect_triggers, "_events_clock_updated", None),
        (prefect_ordering.CausalOrdering, "_instances", {}),
        (prefect_ordering.CausalOrdering, "_locks", {}),
        # Caches: rows of another database, such as the key that secrets are encrypted with; and
        # minutes that are real ones.
        (prefect_queries.BaseQueryComponents, "_configuration_cache", _cache(100, 3600)),
        (prefect_event_models, "_flow_run_resource_data_cache", _cache(1000, 300)),
        # The client's side: those who send events for the user's own server.
        (prefect_queues._QueueServiceBase, "_instances", {}),
        # A new home looks like a new user, whose first flow run is reported to Prefect's makers.
        (prefect_milestones, "_is_interactive_terminal", lambda: False),
        (prefect_analytics, "emit_sdk_event", lambda *_: False),
    ]
    with replacing(replaced):
        yield


def _cache(size: int, seconds: float) -> cachetools.TTLCache[Any, Any]:
    return cachetools.TTLCache(maxsize=size, ttl=seconds, timer=lambda: time.monotonic())  # noqa: PLW0108  looked up anew
