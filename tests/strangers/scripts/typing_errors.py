# Everything that I got wrong in my first hour.
from datetime import timedelta
from prefect import flow
from simulator import Simulation

@flow
def transform_load(): ...

@flow
def other(a: int): ...

def refused(call):
    try:
        call()
    except Exception as e:
        assert "\n" not in str(e), e
        assert len(str(e)) < 250, e
        return f"{type(e).__name__}: {e}"
    raise SystemExit("not refused")

with Simulation() as sim:
    sim.deploy(transform_load, name="dev")
    for call, said in [
        (lambda: sim.fail("transfrom-load"), "did you mean 'transform-load'?"),
        (lambda: sim.trigger("transform-load/prod"), "did you mean 'transform-load/dev'?"),
        (lambda: sim.runs("transform_load"), "did you mean 'transform-load'?"),
        (lambda: sim.runs(state="Complete"), "Completed"),
        (lambda: sim.advance(hour=1), "hour"),
        (lambda: sim.advance(hours=-1), "-3600"),
        (lambda: sim.advance(hours=float("nan")), "nan"),
        (lambda: sim.advance("1h"), "1h"),
        (lambda: sim.deploy(transform_load, name="x", crn="* * * * *"), "crn"),
        (lambda: sim.deploy(transform_load, name="x", cron="* * * * *", interval=60), "interval"),
        (lambda: sim.deploy(transform_load, name="x", cron="0 25 * * *"), "0 25 * * *"),
        (lambda: sim.deploy(transform_load, name="x", cron="0 2 * * *", timezone="Europe/Pariss"), "Europe/Pariss"),
        (lambda: sim.deploy("transform_load", name="x"), "must be a Prefect flow"),
        (lambda: sim.deploy(other, name="y", parameters={"b": 1}), "'b'"),
        (lambda: sim.takes("transform-load", -1), "-1"),
        (lambda: sim.takes("transform-load", timedelta(seconds=-1)), "-"),
        (lambda: sim.fail("transform-load", probability=2), "2"),
        (lambda: sim.advance_to("2020-01-01"), "2020-01-01"),
        (lambda: sim.inject("x"), "'x'"),
        (lambda: sim.explain("nope"), "nope"),
        (lambda: sim.stub("nothing.at.all", returns=1), "nothing"),
        (lambda: sim.stop_worker("no-pool"), "no-pool"),
        (lambda: Simulation(start="yesterday"), "yesterday"),
        (lambda: Simulation(seed="x"), "'x'"),
        (lambda: Simulation(sead=1), "sead"),
    ]:
        answer = refused(call)
        assert said in answer, answer
    sim.advance(hours=1)
    assert sim.runs() == []
assert "closed" in refused(lambda: sim.advance(hours=1))
print("I see")
# prints: I see
