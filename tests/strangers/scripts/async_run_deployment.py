import asyncio
from prefect import flow
from prefect.deployments import arun_deployment
from simulator import Simulation

@flow
async def child(i: int):
    await asyncio.sleep(i * 60)
    if i == 2:
        raise RuntimeError("two is bad")

@flow
async def parent():
    runs = await asyncio.gather(
        *(arun_deployment("child/c", parameters={"i": i}, poll_interval=1) for i in range(4))
    )
    return [r.state.name for r in runs]

with Simulation() as sim:
    sim.deploy(child, name="c")
    sim.deploy(parent, name="p", cron="0 * * * *")
    sim.advance(hours=1.5)
    (p,) = sim.runs("parent")
    assert p.state == "Completed", "run_deployment does not raise for its child"
    assert (p.end - p.start).total_seconds() >= 180
    print(sorted((r.parameters["i"], r.state) for r in sim.runs("child")))
# prints: [(0, 'Completed'), (1, 'Completed'), (2, 'Failed'), (3, 'Completed')]
