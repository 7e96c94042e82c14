import datetime as dt, time
import time_machine
from prefect import flow
from simulator import Simulation

@flow
def f():
    time.sleep(90)
    return dt.datetime.now(dt.timezone.utc)

with time_machine.travel(dt.datetime(2025, 1, 1, tzinfo=dt.timezone.utc), tick=False):
    with Simulation() as sim:
        r = sim.run(f)
        assert r.state == "Completed", r.message
        assert round((r.result - r.start).total_seconds()) == 90
    assert dt.datetime.now(dt.timezone.utc).year == 2025
print(f"{r.result:%Y-%m-%d %H:%M:%S}")
# prints: 2025-01-01 00:01:30
