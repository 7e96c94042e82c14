import asyncio, random
from prefect import flow, task
from prefect.tasks import exponential_backoff
from simulator import Simulation

class Unlucky(Exception):
    pass

@task(retries=3, retry_delay_seconds=exponential_backoff(backoff_factor=10), retry_jitter_factor=0.5)
async def flaky(i):
    if random.random() < 0.5:
        raise Unlucky(i)
    await asyncio.sleep(1)
    return i

@flow(retries=1, retry_delay_seconds=60, timeout_seconds=3600)
async def main_flow():
    return await asyncio.gather(*(flaky(i) for i in range(5)))

def one_day(seed):
    with Simulation(seed=seed) as sim:
        sim.deploy(main_flow, name="d", cron="0 */8 * * *")
        sim.advance(hours=17)
        return [(r.state, r.run_count, tuple((t.state, t.run_count) for t in r.tasks)) for r in sim.runs()]

a, b = one_day(3), one_day(3)
assert a == b, "not the same again"
tasks = [task for _, _, tasks in a for task in tasks]
assert any(count > 1 for _, count in tasks), "never retried"
print(len(a), {state for state, _, _ in a})
# prints: 2 {'Completed'}
