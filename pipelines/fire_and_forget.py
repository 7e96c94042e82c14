"""Order a child and do not wait for it, or not until its end: five parents.

Each lands a batch (``extract``, a subflow) and orders ``transform-load`` for it, as a deployment.
The children are those of `pipelines.random_failure`: a batch that was loaded is in ``marts.sales``.

`run_deployment` returns the child's run *as it is at that moment*. With ``timeout=0`` that is
Scheduled, after a finite timeout most likely Running, and neither is a failure:
`raise_state_exception` lets both pass. Only a final state says how the child did.
"""

from datetime import UTC, datetime, timedelta

from prefect import flow
from prefect.deployments import run_deployment
from prefect.states import raise_state_exception

from pipelines.random_failure import extract, transform_load  # noqa: F401  the children
from pipelines.warehouse import current_batch

LOAD = "transform-load/dev"
PATIENCE = 60  # seconds
LATER = timedelta(minutes=30)


@flow(name="order-and-forget")
def order_and_forget() -> None:
    """`timeout=0`: the order is placed, and that is all that the parent knows.

    For: the parent is free at once, and a slow child holds nothing up.
    Against: however the child ends, and if it never starts, the parent is Completed. Somebody else
    must look: an automation, or a check later on.
    """
    batch_id = current_batch()
    extract(batch_id)
    run_deployment(LOAD, parameters={"batch_id": batch_id}, timeout=0)


@flow(name="order-with-timeout")
def order_with_timeout() -> None:
    """A finite timeout, the state checked as one would after waiting to the end.

    For: a child that fails quickly fails the parent.
    Against: one that fails later does not. A run that is not over yet is handed back like any other
    and nothing is raised for it, so the parent is Completed. The child goes on regardless.
    """
    batch_id = current_batch()
    extract(batch_id)
    loading = run_deployment(LOAD, parameters={"batch_id": batch_id}, timeout=PATIENCE)
    raise_state_exception(loading.state)


@flow(name="order-with-deadline")
def order_with_deadline() -> None:
    """A finite timeout, and a child that is not over by then is an error.

    For: no failure passes unseen.
    Against: false alarms. The child is not cancelled, and a slow one that ends well has failed its
    parent all the same.
    """
    batch_id = current_batch()
    extract(batch_id)
    loading = run_deployment(LOAD, parameters={"batch_id": batch_id}, timeout=PATIENCE)
    raise_state_exception(loading.state)
    if loading.state is None or not loading.state.is_final():
        raise TimeoutError(f"{LOAD} has not ended within {PATIENCE} s: {loading.name}")


@flow(name="order-for-later")
def order_for_later() -> None:
    """A child ordered for half an hour later, not waited for.

    For: the order stands on the server and outlives the parent.
    Against: as with `timeout=0`; and the child reads what there is by then.
    """
    batch_id = current_batch()
    extract(batch_id)
    at = datetime.now(UTC) + LATER
    run_deployment(LOAD, parameters={"batch_id": batch_id}, scheduled_time=at, timeout=0)


@flow(name="order-for-later-and-wait")
def order_for_later_and_wait() -> None:
    """A child ordered for half an hour later, and waited for to its end, as is the default.

    For: the parent knows how the child did.
    Against: the parent is Running all the while, and so takes up its slot and its machine.
    """
    batch_id = current_batch()
    extract(batch_id)
    at = datetime.now(UTC) + LATER
    loading = run_deployment(LOAD, parameters={"batch_id": batch_id}, scheduled_time=at)
    raise_state_exception(loading.state)
