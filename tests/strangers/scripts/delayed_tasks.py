import time
from prefect import flow, task
from simulator import Simulation

@task(retries=1, log_prints=True)
def send_email(x: int):
    time.sleep(5)
    return x * 2

@flow
def web_request():
    futures = [send_email.delay(i) for i in range(3)]
    return [f.result() for f in futures]

with Simulation() as sim:
    sim.serve_tasks(send_email)
    run = sim.run(web_request)
    assert run.result == [0, 2, 4]
    print(run.state, "after", (run.end - run.start).total_seconds())
# prints: Completed after 5.0
