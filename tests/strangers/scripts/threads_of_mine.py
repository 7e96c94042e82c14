import threading, time
from concurrent.futures import ThreadPoolExecutor
from prefect import flow
from simulator import Simulation

@flow
def nap(minutes: int = 60):
    time.sleep(minutes * 60)

with Simulation() as sim:
    sim.deploy(nap, name="d")
    seen = []

    def other(minutes):
        sim.trigger("nap/d", parameters={"minutes": minutes})
        seen.append(len(sim.runs()))

    t = threading.Thread(target=other, args=(5,))
    t.start()
    t.join()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(other, [10, 20, 30]))

    sim.advance(hours=2)
    took = sorted((r.end - r.start).total_seconds() / 60 for r in sim.runs(state="Completed"))
    assert sorted(seen)[0] == 1 and sorted(seen)[-1] == 4
    print(took)
# prints: [5.0, 10.0, 20.0, 30.0]
