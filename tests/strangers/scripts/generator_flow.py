from prefect import flow, task
from simulator import Simulation

@task
def pages(n):
    for i in range(n):
        yield {"page": i}

@flow
def crawl(n: int = 3):
    for page in pages(n):
        yield page["page"] * 10

with Simulation() as sim:
    run = sim.run(crawl, n=4)
    assert run.state == "Completed"
    print(list(run.result))
# prints: [0, 10, 20, 30]
