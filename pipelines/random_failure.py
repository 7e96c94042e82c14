"""extract → transform-load → cleanup: five ways to call them, and what each makes of a failure.

The children are the same throughout. ``extract`` lands a batch of sales in ``raw.sales``,
``transform-load`` inserts that batch into ``marts.sales``, ``cleanup`` removes the landed batch. So
the two tables tell afterwards what happened to each batch:

===========================  =====================  ==========================================
in ``raw.sales``             in ``marts.sales``     what happened
===========================  =====================  ==========================================
no                           yes                    all went well
yes                          no                     not loaded, but still there to be loaded
yes                          yes                    loaded, clean-up is due
no                           no                     **lost**: cleaned up without being loaded
===========================  =====================  ==========================================
"""

from random import Random

from prefect import flow
from prefect.deployments import run_deployment
from prefect.states import State, raise_state_exception

from pipelines.warehouse import connect, current_batch, land_rows


@flow
def extract(batch_id: str, rows: int = 10) -> int:
    """Land one batch of sales; returns how many rows. The same batch has the same rows again."""
    rng = Random(batch_id)
    sales = [{"sale": number, "amount": rng.randint(1, 100)} for number in range(1, rows + 1)]
    return land_rows("raw.sales", sales, batch_id)


@flow(name="transform-load")
def transform_load(batch_id: str) -> int:
    """Bring one landed batch into ``marts.sales``; returns how many rows. May be repeated."""
    with connect() as con:
        con.begin()
        con.execute("create schema if not exists marts")
        con.execute(
            "create table if not exists marts.sales as "
            "select *, now() as built_at from raw.sales limit 0"
        )
        con.execute("delete from marts.sales where batch_id = ?", [batch_id])
        con.execute(
            "insert into marts.sales select *, now() from raw.sales where batch_id = ?", [batch_id]
        )
        loaded = con.execute("select count(*) from marts.sales where batch_id = ?", [batch_id])
        (count,) = loaded.fetchone() or (0,)
        con.commit()
    return int(count)


@flow
def cleanup(batch_id: str) -> None:
    """Remove one landed batch."""
    with connect() as con:
        con.execute("delete from raw.sales where batch_id = ?", [batch_id])


@flow(name="parent-plain")
def parent_plain() -> None:
    """Plain subflow calls: the first failure raises here.

    For: the parent fails as well, and nothing that failed to load is cleaned up.
    Against: clean-up never runs after a failure, and what it guards (locks, disk, cost) piles up.
    """
    batch_id = current_batch()
    extract(batch_id)
    transform_load(batch_id)
    cleanup(batch_id)


@flow(name="parent-state-ignored")
def parent_state_ignored() -> None:
    """`return_state=True`, and nobody looks at the state.

    For: clean-up always runs.
    Against: the parent is Completed whatever happened, and clean-up removes what was never loaded.
    """
    batch_id = current_batch()
    extract(batch_id)
    transform_load(batch_id, return_state=True)
    cleanup(batch_id)


@flow(name="parent-state-returned")
def parent_state_returned() -> State:
    """`return_state=True`, and the parent returns that state as its own.

    For: clean-up always runs, and the parent fails when the child did.
    Against: clean-up still removes what was never loaded; it should have looked as well.
    """
    batch_id = current_batch()
    extract(batch_id)
    loaded = transform_load(batch_id, return_state=True)
    cleanup(batch_id)
    return loaded


@flow(name="parent-deployments-unchecked")
def parent_deployments_unchecked() -> None:
    """The children as deployments, one after another, results unread.

    For: each child has its own process, schedule, retries and log.
    Against: `run_deployment` returns a failed run like any other. The next child starts all the
    same, and the parent is Completed.
    """
    batch_id = current_batch()
    run_deployment("extract/dev", parameters={"batch_id": batch_id})
    run_deployment("transform-load/dev", parameters={"batch_id": batch_id})
    run_deployment("cleanup/dev", parameters={"batch_id": batch_id})


@flow(name="parent-deployments-checked")
def parent_deployments_checked() -> None:
    """The children as deployments, each one's final state raised if it is a failure.

    For: as separate as deployments are, and as strict as plain calls.
    Against: as with plain calls, clean-up does not run after a failure.
    """
    batch_id = current_batch()
    for name in ("extract/dev", "transform-load/dev", "cleanup/dev"):
        flow_run = run_deployment(name, parameters={"batch_id": batch_id})
        raise_state_exception(flow_run.state)
