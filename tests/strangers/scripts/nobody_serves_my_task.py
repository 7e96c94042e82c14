from prefect import task
from simulator import Simulation

@task
def send(x):
    return x

with Simulation() as sim:
    sim.advance(minutes=1)
    send.delay(1).result()
# raises: simulator.errors.NothingToRun: task 'send' waits for a task worker, and there is none that serves it: start one with Simulation.serve_tasks(task)
