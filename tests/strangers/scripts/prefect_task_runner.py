import time
import prefect
from prefect import flow, task
from prefect.task_runners import PrefectTaskRunner
from simulator import Simulation

@task
def crunch(i: int) -> int:
    time.sleep(60)
    return i ** 2

@flow(task_runner=PrefectTaskRunner())
def fan_out():
    return crunch.map(range(4)).result()

with Simulation() as sim:
    sim.serve_tasks(crunch, limit=2)
    begin = sim.now
    run = sim.run(fan_out)
    assert run.result == [0, 1, 4, 9], run
    print(sim.now - begin)
# prints: 0:02:00
