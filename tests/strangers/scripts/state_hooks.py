from prefect import flow, task
from simulator import Simulation

told = []

def notify(obj, run, state):
    told.append((obj.name, state.name))

@task(on_failure=[notify], on_completion=[notify], retries=1)
def step(ok):
    if not ok:
        raise RuntimeError("no")

@flow(on_completion=[notify], on_failure=[notify], on_crashed=[notify], on_running=[notify])
def night(ok: bool = True):
    step(ok)

@night.on_cancellation
def cancelled(flow, run, state):
    told.append("cancelled")

with Simulation() as sim:
    assert sim.run(night, ok=True).state == "Completed"
    assert told == [("night", "Running"), ("step", "Completed"), ("night", "Completed")], told
    told.clear()
    bad = sim.run(night, ok=False)
    assert bad.state == "Failed" and bad.tasks[0].run_count == 2
    print(told)
# prints: [('night', 'Running'), ('step', 'Failed'), ('night', 'Failed')]
