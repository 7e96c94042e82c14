"""kubectl delete pod"""
import time
from datetime import timedelta
from prefect import flow, task
from prefect.deployments import run_deployment
from simulator import Simulation

@task
def long_one():
    time.sleep(7200)

@flow
def child():
    long_one()

@flow
def parent():
    return run_deployment("child/c", timeout=None).state.name

with Simulation() as sim:
    sim.deploy(child, name="c")
    sim.deploy(parent, name="p")
    p = sim.trigger("parent/p")
    sim.advance(minutes=30)
    (c,) = sim.runs("child", state="Running")
    sim.kill(c)
    sim.advance(hours=1)
    p, c = sim.runs("parent")[0], sim.runs("child")[0]
    assert c.state == "Crashed" and timedelta(minutes=29) < c.end - c.start < timedelta(minutes=31)
    assert c.tasks[0].state == "Running"  # nobody tells it
    print(p.state, c.state)
# prints: Completed Crashed
