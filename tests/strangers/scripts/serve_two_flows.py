import time
from datetime import timedelta
from prefect import flow, serve
from simulator import Simulation

@flow
def slow(sleep: int = 60):
    "Sleepy flow - sleeps the provided amount of time (in seconds)."
    time.sleep(sleep)

@flow
def fast():
    return

if __name__ == "__main__":
    with Simulation() as sim:
        slow_deploy = slow.to_deployment(name="sleeper", interval=timedelta(minutes=20))
        fast_deploy = fast.to_deployment(name="fast", interval=600)
        serve(slow_deploy, fast_deploy)

        sim.advance(hours=1, minutes=2)
        for run in sim.runs():
            assert run.state == "Completed", run
        assert all(r.end - r.start == timedelta(minutes=1) for r in sim.runs("slow"))
        print(len(sim.runs("slow")), "slow,", len(sim.runs("fast")), "fast")
# prints: 3 slow, 6 fast
