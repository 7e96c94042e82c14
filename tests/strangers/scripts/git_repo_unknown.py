from prefect import flow
from simulator import Simulation

with Simulation() as sim:
    flow.from_source(
        source="https://github.com/acme/secret-pipelines.git",
        entrypoint="flow.py:etl",
    ).serve(name="x")
# raises: simulator.errors.SimulationError: the git repository 'https://github.com/acme/secret-pipelines.git' is not on this machine: say which folder stands for it, with Simulation.source(url, folder)
