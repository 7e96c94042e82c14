"""Five ways in which the virtual engine can be made to lie, to see that the comparison notices.

Each changes what the engine has written down before anybody reads it, and says whether there was
something to lie about: only a failure can be swallowed, only a child can lose its parent.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from uuid import uuid4

from simulator import Simulation
from simulator.history import Reader


def swallowed_failure(database: sqlite3.Connection) -> bool:
    """A run that failed is Completed."""
    row = database.execute(
        "select id, state_id from flow_run where state_type = 'FAILED' order by rowid desc limit 1"
    ).fetchone()
    if row is None:
        return False
    database.execute(
        "update flow_run set state_type = 'COMPLETED', state_name = 'Completed' where id = ?",
        row[:1],
    )
    database.execute(
        "update flow_run_state set type = 'COMPLETED', name = 'Completed' where id = ?", row[1:]
    )
    return True


def missing_state(database: sqlite3.Connection) -> bool:
    """A run that ended was never Running."""
    return bool(
        database.execute(
            "delete from flow_run_state where id = (select id from flow_run_state"
            " where type = 'RUNNING' order by rowid limit 1)"
        ).rowcount
    )


def wrong_order(database: sqlite3.Connection) -> bool:
    """Of two runs of different flows with one parent, the second one began first."""
    row = database.execute(
        """
        select a.id, a.start_time, b.id, b.start_time from flow_run a
        join task_run one on one.id = a.parent_task_run_id
        join flow_run b on b.flow_id != a.flow_id and b.start_time > a.start_time
        join task_run other on other.id = b.parent_task_run_id
        where one.flow_run_id = other.flow_run_id limit 1
        """
    ).fetchone()
    if row is None:
        return False
    a, first, b, second = row
    database.execute("update flow_run set start_time = ? where id = ?", (second, a))
    database.execute("update flow_run set start_time = ? where id = ?", (first, b))
    return True


def extra_run(database: sqlite3.Connection) -> bool:
    """A run happens twice."""
    columns = [row[1] for row in database.execute("pragma table_info(flow_run)")]
    row = database.execute(
        f"select {', '.join(columns)} from flow_run where start_time is not null limit 1"
    ).fetchone()
    if row is None:
        return False
    copy = dict(zip(columns, row, strict=True)) | {"id": str(uuid4()), "idempotency_key": None}
    marks = ", ".join("?" * len(columns))
    database.execute(
        f"insert into flow_run ({', '.join(columns)}) values ({marks})", [*copy.values()]
    )
    return True


def broken_link(database: sqlite3.Connection) -> bool:
    """A child has no parent."""
    return bool(
        database.execute(
            "update flow_run set parent_task_run_id = null where id = (select id from flow_run"
            " where parent_task_run_id is not null limit 1)"
        ).rowcount
    )


Lie = Callable[[Simulation], bool]


def _telling(lie: Callable[[sqlite3.Connection], bool]) -> Lie:
    def tell(sim: Simulation) -> bool:
        # What has been read is not read again, as nobody but a liar changes a state.
        sim._world._reader = Reader(lambda: sim._world.clock.timeline)
        with closing(sqlite3.connect(sim.folder / "prefect.db", timeout=30)) as database, database:
            return lie(database)

    return tell


LIES: dict[str, Lie] = {
    lie.__name__.replace("_", "-"): _telling(lie)
    for lie in (swallowed_failure, missing_state, wrong_order, extra_run, broken_link)
}
