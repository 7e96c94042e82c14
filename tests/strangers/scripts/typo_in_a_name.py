from prefect import flow
from simulator import Simulation

@flow
def transform_load(): ...

with Simulation() as sim:
    sim.deploy(transform_load, name="dev")
    sim.trigger("transfrom-load/dev")
# raises: simulator.errors.SimulationError: no deployment 'transfrom-load/dev': did you mean 'transform-load/dev'?
