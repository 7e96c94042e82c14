"""What runs wait at: deployments, work pools and work queues, with their limits and whether paused."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True)
class Gate:
    """Something that lets runs through, or not, as it stood when the history was read.

    `kind` is "deployment", "work pool", "work queue", "trigger" or "automation"; `name` that of the
    deployment ("flow/deployment"), of the pool, or of the queue behind its pool ("pool/queue"). `limit`
    is how many runs it lets through at a time, None for any number; `schedules` counts the active
    schedules of a deployment. A "trigger" runs a deployment: its name is the deployment's, a space, and
    the event that an automation waits for. An "automation" cancels runs: its name is its id, a space,
    and what it is called.
    """

    kind: str
    name: str
    limit: int | None = None
    paused: bool = False
    schedules: int = 0


def read_gates(connection: sqlite3.Connection) -> tuple[Gate, ...]:
    """All of them, from the database of a Prefect server."""
    return tuple(
        Gate(kind, name, limit, bool(paused), schedules)
        for kind, name, limit, paused, schedules in connection.execute(_GATES)
    )


_GATES = """
    select 'deployment', f.name || '/' || d.name, coalesce(l."limit", d.concurrency_limit), d.paused,
           (select count(*) from deployment_schedule s where s.deployment_id = d.id and s.active)
    from deployment d join flow f on f.id = d.flow_id
    left join concurrency_limit_v2 l on l.id = d.concurrency_limit_id
    union all
    select 'work pool', name, concurrency_limit, is_paused, 0 from work_pool
    union all
    select 'work queue', p.name || '/' || q.name, q.concurrency_limit, q.is_paused, 0
    from work_queue q join work_pool p on p.id = q.work_pool_id
    union
    select 'trigger', f.name || '/' || d.name || ' ' || event.value, null, not a.enabled, 0
    from automation a, json_each(a.actions) action, json_tree(a."trigger") part,
         json_each(part.value) event
    join deployment d on replace(d.id, '-', '') = replace(action.value ->> '$.deployment_id', '-', '')
    join flow f on f.id = d.flow_id
    where action.value ->> '$.type' = 'run-deployment' and part.key = 'expect' and part.type = 'array'
    union
    select 'automation', a.id || ' ' || a.name, null, not a.enabled, 0
    from automation a, json_each(a.actions) action
    where action.value ->> '$.type' = 'cancel-flow-run'
"""
