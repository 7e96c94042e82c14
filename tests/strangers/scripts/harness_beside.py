from prefect import flow
from prefect.testing.utilities import prefect_test_harness
from simulator import Simulation

@flow
def answer():
    return 42

def test_mine():
    with Simulation() as sim:
        assert sim.run(answer).result == 42
        sim.deploy(answer, name="x", interval=60)
        sim.advance(minutes=10)
        assert len(sim.runs(deployment="x", state="Completed")) == 9
    with prefect_test_harness(server_startup_timeout=150):
        assert answer() == 42
    with Simulation() as sim:
        assert sim.runs() == []
        assert sim.run(answer).result == 42

test_mine()
print("passed")
# prints: passed
