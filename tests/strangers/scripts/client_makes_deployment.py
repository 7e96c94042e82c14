import asyncio, os
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.schedules import CronSchedule
from simulator import Simulation

@flow
def etl(day: str = "today"): return day

async def setup():
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name="pool", type="process"))
        fid = await client.create_flow(etl)
        did = await client.create_deployment(
            flow_id=fid, name="via-client", work_pool_name="pool",
            entrypoint=f"{os.path.basename(__file__)}:etl", path=os.getcwd(),
            schedules=[DeploymentScheduleCreate(schedule=CronSchedule(cron="0 1 * * *", timezone="Europe/Berlin"))],
        )
        run = await client.create_flow_run_from_deployment(did, parameters={"day": "x"})
        return run.name

if __name__ == "__main__":
    with Simulation(start="2026-03-27T12:00:00Z") as sim:
        name = asyncio.run(setup())
        sim.advance(days=3)
        first, *rest = sim.runs()
        assert first.name == name and first.parameters == {"day": "x"}
        assert {r.state for r in sim.runs()} == {"Completed"}, [r.message for r in sim.runs()]
        print([r.scheduled.hour for r in rest])
# prints: [0, 0, 23]
