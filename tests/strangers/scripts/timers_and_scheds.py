import sched, threading, time
from prefect import flow
from simulator import Simulation
@flow
def f():
    out = []
    s = sched.scheduler(time.monotonic, time.sleep)
    s.enter(600, 1, out.append, (1,))
    s.enter(60, 1, out.append, (2,))
    s.run()
    e = threading.Event()
    threading.Timer(300, e.set).start()
    assert e.wait(400)
    return out
with Simulation() as sim:
    run = sim.run(f)
    assert run.state == "Completed", run.message
    print(run.result, run.end - run.start)
# prints: [2, 1] 0:15:00
