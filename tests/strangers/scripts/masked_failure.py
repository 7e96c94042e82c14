"""Why was our parent green?"""
from prefect import flow
from simulator import Simulation

@flow
def bad():
    raise KeyError("missing column")

@flow
def parent():
    s = bad(return_state=True)
    return "fine"

with Simulation() as sim:
    sim.deploy(parent, name="d", cron="0 * * * *")
    sim.advance(hours=2.5)
    assert [r.state for r in sim.runs("parent")] == ["Completed", "Completed"]
    assert [r.state for r in sim.runs("bad")] == ["Failed", "Failed"]
    why = str(sim.explain(sim.runs("parent")[0]))
    assert "masked_failure.py:11" in why and "masked_failure.py:7" in why, why
    print(why.partition(" (")[0])
# prints: parent/d of 2026-01-01 01:00: Completed although bad Failed: its state was neither raised nor returned
