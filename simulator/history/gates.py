"""What runs wait at: deployments, work pools and work queues, with their limits and whether paused."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Gate:
    """Something that lets runs through, or not, as it stood when the history was read.

    `kind` is "deployment", "work pool", "work queue", "trigger" or "automation"; `name` that of the
    deployment ("flow/deployment"), of the pool, or of the queue behind its pool ("pool/queue"). `limit`
    is how many runs it lets through at a time, None for any number; `schedules` counts the active
    schedules of a deployment. A "trigger" is an automation that runs a deployment, whose name it has,
    and `event` one that it waits for. An "automation" cancels runs, and has the name of its own. `id` is
    Prefect's: of the deployment, the pool, the queue or the automation. `zones` are the time zones that
    the schedules of a deployment name ("Europe/Berlin"), also those that are not active, each once.
    """

    kind: str
    name: str
    limit: int | None = None
    paused: bool = False
    schedules: int = 0
    event: str | None = None
    id: UUID | None = None
    zones: tuple[str, ...] = ()


def read_gates(connection: sqlite3.Connection) -> tuple[Gate, ...]:
    """All of them, from the database of a Prefect server."""
    return tuple(
        Gate(
            *(kind, name, limit, bool(paused), schedules, event, UUID(its_id)),
            tuple(sorted(json.loads(zones))),
        )
        for kind, name, limit, paused, schedules, event, its_id, zones in connection.execute(_GATES)
    )


_GATES = """
    select 'deployment', f.name || '/' || d.name, coalesce(l."limit", d.concurrency_limit), d.paused,
           (select count(*) from deployment_schedule s where s.deployment_id = d.id and s.active),
           null, d.id,
           (select json_group_array(distinct s.schedule ->> '$.timezone') from deployment_schedule s
            where s.deployment_id = d.id and s.schedule ->> '$.timezone' is not null)
    from deployment d join flow f on f.id = d.flow_id
    left join concurrency_limit_v2 l on l.id = d.concurrency_limit_id
    union all
    select 'work pool', name, concurrency_limit, is_paused, 0, null, id, '[]' from work_pool
    union all
    select 'work queue', p.name || '/' || q.name, q.concurrency_limit, q.is_paused, 0,
           null, q.id, '[]'
    from work_queue q join work_pool p on p.id = q.work_pool_id
    union
    select 'trigger', f.name || '/' || d.name, null, not a.enabled, 0, event.value, a.id, '[]'
    from automation a, json_each(a.actions) action, json_tree(a."trigger") part,
         json_each(part.value) event
    join deployment d on replace(d.id, '-', '') = replace(action.value ->> '$.deployment_id', '-', '')
    join flow f on f.id = d.flow_id
    where action.value ->> '$.type' = 'run-deployment' and part.key = 'expect' and part.type = 'array'
    union
    select 'automation', a.name, null, not a.enabled, 0, null, a.id, '[]'
    from automation a, json_each(a.actions) action
    where action.value ->> '$.type' = 'cancel-flow-run'
"""
