from prefect import flow
from simulator import Simulation

@flow
def child():
    pass

@flow
def looks():
    sim.deploy(child, name="made-by-flow")
    sim.trigger("child/made-by-flow")
    return sim.now, len(sim.runs("looks"))

@flow
def drives():
    sim.advance(hours=1)

@flow
def swallows():
    try:
        sim.run(child)
    except Exception as e:
        return str(e)

with Simulation() as sim:
    assert sim.run(looks).result == (sim.start, 1)
    assert sim.run(drives).state == "Failed"
    said = sim.run(swallows).result
    assert "call the other flow itself" in said and "\n" not in said, said
    sim.advance(minutes=5)
    print(sorted((r.flow, r.state) for r in sim.runs()))
# prints: [('child', 'Completed'), ('drives', 'Failed'), ('looks', 'Completed'), ('swallows', 'Completed')]
