import multiprocessing as mp
import time
from concurrent.futures import ThreadPoolExecutor
from prefect import flow
from simulator import Simulation

def sq(x):
    return x * x

@flow
def threads():
    with ThreadPoolExecutor(4) as ex:
        return list(ex.map(lambda i: (time.sleep(30), i)[1], range(8)))

@flow
def processes():
    with mp.Pool(2) as p:
        return p.map(sq, [1, 2, 3])

if __name__ == "__main__":
    with Simulation() as sim:
        run = sim.run(threads)
        assert run.result == list(range(8))
        assert (run.end - run.start).seconds == 60
        no = sim.run(processes)
        assert no.state == "Failed" and "would leave" in no.message, no.message
        print(run.state, no.state)
# prints: Completed Failed
