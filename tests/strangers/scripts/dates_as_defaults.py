from datetime import date, datetime, timedelta, timezone
from typing import Optional
from prefect import flow, task, runtime
from pydantic import BaseModel, Field
from simulator import Simulation


class Window(BaseModel):
    begin: datetime = Field(default_factory=lambda: datetime.now(timezone.utc) - timedelta(days=1))
    size: timedelta = timedelta(days=1)


@flow(flow_run_name="load-{day}")
def load(day: date = date(2026, 1, 1), window: Optional[Window] = None):
    window = window or Window()
    scheduled = runtime.flow_run.scheduled_start_time
    return day.isoformat(), window.begin.isoformat(), scheduled.isoformat()


@flow
def backfill(start: date, days: int = 3):
    return [load(start + timedelta(days=i))[0] for i in range(days)]


with Simulation(start="2026-02-27T00:00:00Z") as sim:
    run = sim.run(backfill, start=date(2026, 2, 27))
    assert run.result == ["2026-02-27", "2026-02-28", "2026-03-01"]
    assert [r.name for r in sim.runs("load")] == ["load-2026-02-27", "load-2026-02-28", "load-2026-03-01"]
    sim.deploy(load, name="d", cron="0 3 * * *", timezone="UTC", parameters={"day": date(2026, 2, 1)})
    sim.advance(days=2)
    assert [r.state for r in sim.runs(deployment="d")] == ["Completed"] * 2
    assert {r.parameters["day"] for r in sim.runs(deployment="d")} == {"2026-02-01"}
    print(sim.run(load, window={"size": "P2D"}).result[1][:19])
# prints: 2026-02-28T00:00:00
