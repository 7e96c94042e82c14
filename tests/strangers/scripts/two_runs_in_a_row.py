from prefect import flow
from simulator import Simulation

@flow
def f(x): return x + 1

for i in range(2):
    with Simulation(seed=i) as sim:
        assert sim.run(f, x=i).result == i + 1
try:
    with Simulation():
        with Simulation():
            pass
except Exception as e:
    assert str(e).count("\n") == 0
    print(e)
# prints: a simulation is open in this process already: close it first, or use a process for each
