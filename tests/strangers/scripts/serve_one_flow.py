# My first scheduled flow, straight from the quickstart - what would a day of it look like?
from datetime import datetime, timezone

from prefect import flow, task
from simulator import Simulation


@task(retries=2, retry_delay_seconds=30)
def pull():
    return [1, 2, 3]


@flow(log_prints=True)
def my_flow(name: str = "world"):
    print(f"hello {name}, I have {len(pull())} rows")


if __name__ == "__main__":
    with Simulation(start=datetime(2026, 1, 1, tzinfo=timezone.utc)) as sim:
        my_flow.serve(name="hourly", cron="0 * * * *", parameters={"name": "x"})
        sim.advance(hours=5.5)
        runs = sim.runs("my-flow")
        assert [r.scheduled.hour for r in runs] == [1, 2, 3, 4, 5]
        assert all(t.state == "Completed" for r in runs for t in r.tasks)
        assert "hello x, I have 3 rows" in [line.message for line in runs[0].logs]
        print(*[r.state for r in runs])
# prints: Completed Completed Completed Completed Completed
