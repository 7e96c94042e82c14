# I forgot to join my thread; and kept a client
import threading, time
from prefect import flow
from prefect.client.orchestration import get_client
from simulator import Simulation, SimulationError

@flow
def quick():
    return 1

go, said = threading.Event(), []

def later():
    go.wait(60)
    for call in (lambda: sim.runs(), lambda: sim.run(quick), lambda: client.read_flows(), lambda: quick()):
        try:
            said.append(call())
        except BaseException as e:
            said.append(type(e).__name__)

with Simulation() as sim:
    client = get_client(sync_client=True).__enter__()
    assert client.read_flows() == []
    t = threading.Thread(target=later)
    t.start()
go.set()
t.join()
assert 1 not in said and [] not in said, said
print(said[:2])
# prints: ['SimulationError', 'SimulationError']
