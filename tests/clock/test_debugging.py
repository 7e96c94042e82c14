"""Under a debugger no stall limit strikes."""

from __future__ import annotations

import select
import sys
import threading

import pytest
from prefect import flow

from simulator import ClockStalled, Simulation


@flow
def takes_its_time() -> str:
    select.select([], [], [], 2)
    return "done"


def test_without_a_debugger_the_limit_strikes():
    with Simulation(stall_limit=0.5) as sim, pytest.raises(ClockStalled):
        sim.run(takes_its_time)


def test_a_thread_that_stands_in_a_debugger_may_stand_there():
    def at_a_breakpoint(frame):
        select.select([], [], [], 4)

    stand = exec_in("pdb", at_a_breakpoint)
    thread = threading.Thread(target=stand, args=(None,), daemon=True)
    with Simulation(stall_limit=0.5) as sim:
        thread.start()
        assert sim.run(takes_its_time).result == "done"
    thread.join()


def exec_in(module, function):
    """The function, as if it were one of that module's."""
    space = {"__name__": module, "function": function}
    exec("def stand(frame): function(frame)", space)
    return space["stand"]


def test_a_tracer_that_is_a_debugger_is_one_and_a_tool_for_coverage_is_not():
    before = sys.gettrace()

    def trace(*_):
        return None

    try:
        trace.__module__ = "coverage"
        sys.settrace(trace)
        with Simulation(stall_limit=0.5) as sim, pytest.raises(ClockStalled):
            sim.run(takes_its_time)
        trace.__module__ = "pydevd"
        with Simulation(stall_limit=0.5) as sim:
            assert sim.run(takes_its_time).result == "done"
    finally:
        sys.settrace(before)
