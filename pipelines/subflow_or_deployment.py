"""Subflow or deployment? The same chain both ways, and a child that cannot live with its parent.

The chain is extract → transform-load → cleanup of `pipelines.random_failure`.

=====================================  =====================  ====================================
                                       subflows               deployments
=====================================  =====================  ====================================
before each child starts               nothing                the worker's poll, a new process
after each child has ended             nothing                the parent's poll
processes (logs, memory) a cycle       one                    one for each child and the parent's
run one child by itself                no: it has no name     yes, with its parameters
                                       to be called by
environment, machine, limits           the parent's           its own
when the process dies                  all of them are gone   that child is Crashed, and told
=====================================  =====================  ====================================
"""

import os

from prefect import flow
from prefect.deployments import run_deployment
from prefect.states import raise_state_exception

from pipelines.random_failure import cleanup, extract, transform_load
from pipelines.warehouse import current_batch


@flow(name="chain-of-subflows")
def chain_of_subflows(batch_id: str | None = None) -> None:
    """Three calls.

    For: no latency, one process and one log to read, results as plain values, errors as exceptions.
    Against: a step that failed cannot be run by itself; the whole chain is repeated.
    """
    batch_id = batch_id or current_batch()
    extract(batch_id)
    transform_load(batch_id)
    cleanup(batch_id)


@flow(name="chain-of-deployments")
def chain_of_deployments(batch_id: str | None = None) -> None:
    """Three runs of deployments.

    For: each step can be run, retried, limited and given a machine by itself.
    Against: ten seconds or so a step, a process a step, and a state to be checked a step.
    """
    batch_id = batch_id or current_batch()
    for step in ("extract/dev", "transform-load/dev", "cleanup/dev"):
        flow_run = run_deployment(step, parameters={"batch_id": batch_id})
        raise_state_exception(flow_run.state)


# --- a child that wants another environment than its parent ---------------------------------------


@flow(name="export-legacy")
def export_legacy() -> str:
    """A step that was written for release 1 of the shop, and runs with nothing else."""
    release = os.environ.get("SHOP_RELEASE")
    if release != "1":
        raise RuntimeError(f"export-legacy needs SHOP_RELEASE=1, and has {release}")
    return release


@flow(name="legacy-as-subflow")
def legacy_as_subflow() -> None:
    """Call it: it has the environment of this process, whatever that is."""
    export_legacy()


@flow(name="legacy-as-deployment")
def legacy_as_deployment() -> None:
    """Run its deployment, which says what it needs::

    export_legacy.deploy("dev", job_variables={"env": {"SHOP_RELEASE": "1"}}, ...)
    """
    flow_run = run_deployment("export-legacy/dev")
    raise_state_exception(flow_run.state)
