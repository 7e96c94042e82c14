# like in a notebook: there is a loop already, and I am in it
import asyncio
import anyio
from prefect import flow, task
from simulator import Simulation

@task
async def fetch(i):
    await asyncio.sleep(i)
    return i

@flow
async def gather():
    async with anyio.create_task_group() as tg:
        tg.start_soon(anyio.sleep, 600)
    return sum(await asyncio.gather(*(fetch(i) for i in range(4))))

@flow
def plain():
    return [f.result() for f in fetch.map(range(3))]

async def cell():
    with Simulation() as sim:
        assert await gather() == 6
        assert (sim.now - sim.start).total_seconds() == 603
        sim.deploy(plain, name="d", interval=1800)
        await asyncio.sleep(5000)
        assert len(sim.runs("plain", state="Completed")) >= 2
        assert {t.state for r in sim.runs() for t in r.tasks} == {"Completed"}
        await asyncio.to_thread(sim.advance, hours=1)
        print(round((sim.now - sim.start).total_seconds()))

asyncio.new_event_loop().run_until_complete(cell())
# prints: 9203
