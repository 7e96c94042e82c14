from datetime import timedelta
from prefect import flow
from prefect.schedules import Cron, Interval
from simulator import Simulation
@flow
def report(x: int = 0): return x
with Simulation() as sim:
    sim.work_pool("mine")
    dep = report.to_deployment(
        "d",
        schedules=[
            Cron("0 */6 * * *", timezone="America/New_York"),
            Interval(timedelta(hours=12), parameters={"x": 5}),
        ],
        work_pool_name="mine", concurrency_limit=1, tags=["t"],
    )
    print("deployment", dep.apply())
    sim.advance(days=1)
    assert all(r.state == "Completed" for r in sim.runs())
    print([(r.scheduled.hour, r.parameters.get("x", 0)) for r in sim.runs()])
# prints: [(5, 0), (11, 0), (12, 5), (17, 0), (23, 0)]
