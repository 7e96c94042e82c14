from datetime import datetime, timezone
from freezegun import freeze_time
from prefect import flow
from simulator import Simulation

@flow
def what_time():
    return datetime.now(timezone.utc)

with freeze_time("2025-05-05 10:00") as frozen:
    with Simulation() as sim:
        assert sim.run(what_time).result.date().isoformat() == "2025-05-05"
        sim.deploy(what_time, name="d", cron="0 * * * *")
        sim.advance(hours=2.5)
        assert [(r.start.hour, r.state) for r in sim.runs(deployment="d")] == [(11, "Completed"), (12, "Completed")]
    assert datetime.now().hour == 12, "still frozen, where the simulation has come to"

with Simulation(start="2026-03-01T00:00:00Z") as sim:
    with freeze_time("2026-03-08 06:00"):
        assert datetime.now() >= datetime(2026, 3, 8, 6)
        print(f"{sim.run(what_time).result:%d %B}")
assert datetime.now() > datetime(2026, 3, 9), "real again"
# prints: 08 March
