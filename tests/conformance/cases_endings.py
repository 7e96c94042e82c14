"""Cancellation, killed processes, stopped workers, and what one process cannot show."""

from __future__ import annotations

import os
import sys
import time
from uuid import UUID

from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment
from prefect.states import Cancelling, Completed
from prefect.task_runners import ProcessPoolTaskRunner

from simulator import Simulation
from tests.conformance.case import at_work, case, ended, running, tasks_of, until
from tests.conformance.shapes import good, sleeps


def _cancel(run: UUID) -> None:
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run, Cancelling())


@flow
def waits_for_child(deployment: str):
    run_deployment(deployment, parameters={"seconds": 60}, poll_interval=1)
    good()


@case()
def cancelled_child(sim: Simulation) -> None:
    """The child of a deployed parent is cancelled: the parent completes all the same."""
    sim.deploy(sleeps, "cancelled-child")
    sim.deploy(waits_for_child, "cancelled-child")
    sim.trigger("waits-for-child/cancelled-child", {"deployment": "sleeps/cancelled-child"})
    at_work(sim, "sleeps")
    _cancel(sim.runs("sleeps")[0].id)
    until(sim, ended(sim, "waits-for-child"))


@case()
def cancelled_parent(sim: Simulation) -> None:
    """A parent is cancelled while it waits for a deployment's run."""
    sim.deploy(sleeps, "cancelled-parent")
    sim.deploy(waits_for_child, "cancelled-parent")
    sim.trigger("waits-for-child/cancelled-parent", {"deployment": "sleeps/cancelled-parent"})
    at_work(sim, "sleeps")
    _cancel(sim.runs("waits-for-child")[0].id)
    until(sim, ended(sim, "waits-for-child"))
    until(sim, ended(sim, "sleeps"))


@flow
def sleeps_in_subflow():
    sleeps(60)


@case()
def cancelled_with_subflow(sim: Simulation) -> None:
    """A parent is cancelled while its subflow sleeps, both in one process."""
    sim.deploy(sleeps_in_subflow, "dev")
    sim.trigger("sleeps-in-subflow/dev")
    at_work(sim, "sleeps")
    _cancel(sim.runs("sleeps-in-subflow")[0].id)
    until(sim, ended(sim, "sleeps-in-subflow"))


@case()
def killed_child(sim: Simulation) -> None:
    """`kill -9` of a child's process: Crashed, and the parent completes."""
    sim.deploy(sleeps, "killed")
    sim.deploy(waits_for_child, "killed")
    sim.trigger("waits-for-child/killed", {"deployment": "sleeps/killed"})
    until(sim, running(sim, "sleeps"))
    sim.kill(sim.runs("sleeps")[0])
    until(sim, ended(sim, "waits-for-child"))


@case()
def killed_with_subflow(sim: Simulation) -> None:
    """`kill -9` of the process of a parent and its subflow: nobody speaks for the subflow."""
    sim.deploy(sleeps_in_subflow, "killed")
    sim.trigger("sleeps-in-subflow/killed")
    until(sim, running(sim, "sleeps"))
    sim.kill(sim.runs("sleeps-in-subflow")[0])
    until(sim, ended(sim, "sleeps-in-subflow"))


@case()
def terminated_child(sim: Simulation) -> None:
    """SIGTERM: the flow reports itself."""
    sim.deploy(sleeps, "terminated")
    sim.trigger("sleeps/terminated", {"seconds": 60})
    at_work(sim, "sleeps")
    sim.kill(sim.runs("sleeps")[0], -15)
    until(sim, ended(sim, "sleeps"))


@case(concurrent=True)
def killed_parent(sim: Simulation) -> None:
    """`kill -9` of a parent: the run that it has ordered goes on without it."""
    sim.deploy(sleeps, "outlives-killed")
    sim.deploy(waits_a_moment, "killed")
    sim.trigger("waits-a-moment/killed")
    until(sim, running(sim, "sleeps"))
    sim.kill(sim.runs("waits-a-moment")[0])
    until(sim, ended(sim, "sleeps"))
    until(sim, ended(sim, "waits-a-moment"))


@flow
def waits_a_moment():
    run_deployment("sleeps/outlives-killed", parameters={"seconds": 6}, poll_interval=1)


@flow
def exits_hard():
    os._exit(3)


@case()
def process_exits_hard(sim: Simulation) -> None:
    """`os._exit(3)`, as a segmentation fault would: Crashed, says the worker."""
    sim.deploy(exits_hard, "dev")
    sim.trigger("exits-hard/dev")
    until(sim, ended(sim, "exits-hard"))


@flow
def exits_softly():
    sys.exit(2)


@case()
def script_exits(sim: Simulation) -> None:
    """`sys.exit` in a script's flow."""
    sim.run(exits_softly)


@case()
def process_exits(sim: Simulation) -> None:
    """`sys.exit` in a worker's process."""
    sim.deploy(exits_softly, "dev")
    sim.trigger("exits-softly/dev")
    until(sim, ended(sim, "exits-softly"))


@case()
def stopped_worker(sim: Simulation) -> None:
    """A worker ends while nothing runs; what is ordered then waits for the next one."""
    pool = "conformance-stopped"
    sim.deploy(good, "stopped", work_pool=pool)
    sim.trigger("good/stopped")
    until(sim, ended(sim, "good"))
    sim.stop_worker(pool)
    sim.trigger("good/stopped")
    until(sim, lambda: bool(sim.runs("good", state="Late")))
    sim.start_worker(pool)
    until(sim, ended(sim, "good", 2))


@case()
def worker_stopped_during_a_run(sim: Simulation) -> None:
    """A worker is asked to end while a run goes on, and nobody starts another one."""
    pool = "conformance-interrupted"
    sim.deploy(sleeps, "interrupted", work_pool=pool)
    sim.trigger("sleeps/interrupted", {"seconds": 5})
    until(sim, running(sim, "sleeps"))
    sim.stop_worker(pool)
    sim.advance(seconds=15)


@case()
def worker_left_of_two(sim: Simulation) -> None:
    """One of two workers of a pool ends; the other one takes what is ordered then."""
    pool = "conformance-two"
    sim.deploy(good, "two", work_pool=pool)
    sim.start_worker(pool, "second")
    sim.stop_worker(pool, f"worker-{pool}")
    sim.trigger("good/two")
    until(sim, ended(sim, "good"))


@case()
def worker_at_its_limit(sim: Simulation) -> None:
    """Two runs are ordered of a worker that runs one at a time."""
    pool = "conformance-one-at-a-time"
    sim.deploy(sleeps, "one-at-a-time", work_pool=pool)
    sim.stop_worker(pool)
    sim.start_worker(pool, "single", limit=1)
    for _ in range(2):
        sim.trigger("sleeps/one-at-a-time", {"seconds": 3})
    until(sim, ended(sim, "sleeps", 2))


@flow
def names_of_workers(pool: str):
    with get_client(sync_client=True) as client:
        found = client._client.post(f"/work_pools/{pool}/workers/filter", json={}).json()
    return Completed(message=" ".join(sorted(worker["name"] for worker in found)))


@case()
def workers_by_name(sim: Simulation) -> None:
    """A flow asks the server which workers a pool has, of which there are two."""
    pool = "conformance-names"
    sim.work_pool(pool)
    sim.start_worker(pool, "second")
    sim.run(names_of_workers, pool=pool)


@task
def squares(number: int) -> tuple[int, int]:
    time.sleep(0.1)
    return os.getpid(), number * number


@flow(task_runner=ProcessPoolTaskRunner(max_workers=2))
def squares_in_processes():
    results = [future.result() for future in [squares.submit(number) for number in (1, 2, 3)]]
    assert [square for _, square in results] == [1, 4, 9]
    assert os.getpid() not in [pid for pid, _ in results]


@case(live_only=True)
def process_pool(sim: Simulation) -> None:
    """P16: tasks in the processes of a pool, results taken as they come."""
    run = sim.run(squares_in_processes)
    assert run.completed
    assert [task.state for task in tasks_of(sim, run, 3)] == ["Completed"] * 3


@flow
def tells_environment(expected: str):
    assert os.environ["CONFORMANCE_VERSION"] == expected


@flow
def orders_both():
    for name in ("one", "two"):
        run_deployment(
            f"tells-environment/{name}", parameters={"expected": name}, poll_interval=0.5
        )


@case(live_only=True)
def conflicting_environments(sim: Simulation) -> None:
    """P07: two children with an environment of their own each, one variable, two values."""
    for name in ("one", "two"):
        sim.deploy(tells_environment, name, job_variables={"env": {"CONFORMANCE_VERSION": name}})
    run = sim.run(orders_both)
    assert [child.state for child in run.children] == ["Completed", "Completed"]
