import threading
from datetime import timedelta

from prefect import flow, task, pause_flow_run
from prefect.client.orchestration import get_client
from prefect.input import RunInput
from simulator import Simulation


class Approval(RunInput):
    approved: bool = False
    by: str = ""


@task
def publish(by):
    return f"published for {by}"


@flow
def release():
    answer = pause_flow_run(wait_for_input=Approval, timeout=24 * 3600, poll_interval=60)
    return publish(answer.by) if answer.approved else "no"


@flow
def impatient():
    pause_flow_run(timeout=600, poll_interval=30)


with Simulation() as sim:
    sim.deploy(release, name="prod")
    sim.deploy(impatient, name="prod")
    sim.trigger("release/prod")
    sim.trigger("impatient/prod")
    sim.advance(hours=3)
    waiting = sim.runs("release")[0]
    assert waiting.state == "Paused", waiting
    with get_client(sync_client=True) as client:
        client.resume_flow_run(waiting.id, run_input={"approved": True, "by": "ann"})
    sim.advance(minutes=10)
    done, late = sim.runs("release")[0], sim.runs("impatient")[0]
    assert done.state == "Completed", done.message
    assert [t.state for t in done.tasks] == ["Completed"]
    assert timedelta(hours=3) <= done.end - done.start < timedelta(hours=3, minutes=2)
    assert late.state == "Failed" and "never resumed" in late.message, late
    print([s.name for s in done.states][-4:])
# prints: ['Running', 'Paused', 'Running', 'Completed']
