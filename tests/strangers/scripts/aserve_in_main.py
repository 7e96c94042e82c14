import asyncio
from prefect import aserve, flow
from simulator import Simulation


@flow
async def ping(host: str = "localhost"):
    await asyncio.sleep(3)
    return host


async def main():
    with Simulation() as sim:
        d = await ping.ato_deployment(name="p", cron="*/15 * * * *")
        await aserve(d)
        sim.advance(hours=1, minutes=1)
        print([r.state for r in sim.runs("ping")])
        assert {(r.end - r.start).seconds for r in sim.runs()} == {3}


asyncio.run(main())
# prints: ['Completed', 'Completed', 'Completed', 'Completed']
