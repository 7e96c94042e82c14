import time
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.sync import concurrency
from simulator import Simulation


@task(tags=["db"])
def query(i):
    time.sleep(10)
    return i


@flow
def fan():
    with concurrency("api", occupy=1):
        time.sleep(60)
    return [f.result() for f in query.map(range(4))]


with Simulation() as sim:
    with get_client(sync_client=True) as c:
        c.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name="api", limit=1))
        c.create_concurrency_limit(tag="db", concurrency_limit=2)
    sim.deploy(fan, name="a", cron="0 * * * *")
    sim.deploy(fan, name="b", cron="0 * * * *")
    sim.advance(hours=1.5)
    runs = sim.runs("fan")
    assert [r.state for r in runs] == ["Completed"] * 2
    minutes = sorted((r.end - r.start).total_seconds() / 60 for r in runs)
    assert minutes[0] >= 1 + 20 / 60 and minutes[1] >= 2 + 20 / 60, minutes

    def both(kind):
        at = sorted((t.start, t.end) for r in runs for t in r.tasks)
        return max(sum(a <= start < b for a, b in at) for start, _ in at)

    print("at most", both("query"), "queries at once")
# prints: at most 2 queries at once
