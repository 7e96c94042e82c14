"""What Python has once for the whole interpreter: a run leaves none of it to the next, and who shares it
meanwhile is told.
"""

from __future__ import annotations

import decimal
import logging
import tempfile

from simulator import Simulation
from tests.process import flows_interpreter as flows
from tests.process.test_apart import run_each, run_one, values


def told(sim, kind):
    return [one.message for one in sim.caveats if one.kind == kind]


def test_a_run_leaves_no_setting_to_the_next_nor_to_the_test():
    tempfile.gettempdir()  # which keeps what it finds
    outside = flows.read()
    with Simulation(seed=1) as sim:
        inside = flows.read()
        first = values(run_one(sim, flows.shows))
        assert values(run_one(sim, flows.sets_everything)) == {"unchanged": "[]"}
        second = values(run_one(sim, flows.shows))
        assert flows.read() == inside
        assert not told(sim, "shared interpreter")
    assert second == first
    assert first.keys() == flows.READ.keys()
    assert flows.read() == outside


def test_a_run_that_is_cut_off_leaves_none_either():
    with Simulation(seed=1) as sim:
        before = flows.read()
        sim.deploy(flows.sets_and_sleeps, name="d")
        sim.trigger("sets-and-sleeps/d")
        sim.advance(seconds=30)
        assert flows.read() != before
    assert flows.read()["socket"] == before["socket"]


def test_a_setting_that_runs_share_meanwhile_is_told_once(sim):
    sim.deploy(flows.sets_and_sleeps, name="d")
    for name in "ab":
        sim.deploy(flows.sleeps, name=name)
        sim.trigger(f"sleeps/{name}")
    sim.trigger("sets-and-sleeps/d")
    sim.advance(minutes=5)
    assert told(sim, "shared interpreter") == [
        (
            "socket.getdefaulttimeout() is 2.5 for every run that is going on, since one has set it so;"
            " a process has its own, None"
        )
    ]
    assert values(run_one(sim, flows.shows))["socket"] == "None"


def test_a_process_has_a_decimal_context_of_its_own():
    with decimal.localcontext(prec=3), Simulation(seed=1) as sim:
        assert values(run_one(sim, flows.shows))["decimal"] == "28"


def test_factories_of_log_records_are_apart(sim):
    before = logging.getLogRecordFactory()
    runs = run_each(sim, flows.names_its_records, [{"name": "a"}, {"name": "b"}])
    for run, name in zip(runs, "ab", strict=True):
        assert values(run) == {"of": f"{name} before {before.__name__}"}
    assert logging.getLogRecordFactory() is before


def test_a_factory_of_log_records_that_the_test_has_set_serves_runs_and_goes_with_the_simulation():
    before = logging.getLogRecordFactory()

    def mine(*args, **kwargs):
        return before(*args, **kwargs)

    with Simulation(seed=1) as sim:
        logging.setLogRecordFactory(mine)
        (run,) = run_each(sim, flows.names_its_records, [{"name": "a"}])
        assert values(run) == {"of": "a before mine"}
    assert logging.getLogRecordFactory() is before


def test_a_time_zone_of_a_run_is_told(sim):
    run_one(sim, flows.asks_for_a_zone, zone="Etc/UTC")
    assert not told(sim, "time zone")
    run_one(sim, flows.asks_for_a_zone, zone="Asia/Tokyo")
    (message,) = told(sim, "time zone")
    assert message.startswith("TZ='Asia/Tokyo' in the environment of a run")


def test_a_time_zone_among_the_job_variables_is_told(sim):
    run = run_one(sim, flows.shows, job_variables={"env": {"TZ": "CET-1CEST"}})
    (caveat,) = sim.caveats
    assert (caveat.kind, caveat.run) == ("time zone", run.name)
    assert caveat.message.startswith("TZ='CET-1CEST' in the environment of a run")
