"""A simulation works from its opening to its end, and says so before and after."""

import gc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from prefect import flow, task

from simulator import Simulation, SimulationError
from simulator.collecting import ALLOCATIONS
from simulator.history import Explaining

CALLS = [name for name in vars(Explaining) | vars(Simulation) if not name.startswith("_")]


@flow
def job() -> None: ...


@task
def step() -> None: ...


ANY = {
    "advance": {},
    "advance_to": {"instant": datetime(2026, 1, 5, tzinfo=UTC)},
    "deploy": {"flow": job, "name": "x"},
    "work_pool": {"name": "x"},
    "work_queue": {"name": "x"},
    "stop_worker": {},
    "start_worker": {},
    "takes": {"name": "job", "duration": timedelta(hours=1)},
    "fail": {"name": "job"},
    "setenv": {"X": "1"},
    "kill": {"run": "019b76da-a800-7d99-8f1d-7fe800000026"},
    "trigger": {"deployment": "job/dev"},
    "explain": {"run": "job"},
    "inject": {"faults": []},
    "source": {"url": "https://github.com/me/mine.git", "folder": "."},
    "upcoming": {},
    "runs": {},
    "history": {},
}
AT_ANY_TIME = {"random", "live", "caveats"}
PROPERTIES = [
    name
    for name in CALLS
    if isinstance(getattr(Simulation, name), property) and name not in AT_ANY_TIME
]


def each_use(simulation):
    """What happens when each of its calls and properties is used: the error, or None."""
    uses = {name: lambda name=name: getattr(simulation, name) for name in PROPERTIES}
    uses |= {name: lambda name=name: getattr(simulation, name)(**ANY[name]) for name in ANY}
    uses["run"] = lambda: simulation.run(job)
    uses["serve_tasks"] = lambda: simulation.serve_tasks(step)
    found = {}
    for name, use in uses.items():
        try:
            use()
        except SimulationError as error:
            found[name] = str(error)
    return found


def test_nothing_works_before_it_is_opened_nor_after_it_is_closed():
    simulation = Simulation()
    expected = set(CALLS) - AT_ANY_TIME
    before = each_use(simulation)
    assert set(before) == expected
    assert set(before.values()) == {"the simulation is not open: use it in a `with` block"}
    with simulation:
        assert each_use(simulation).keys() <= {"kill", "trigger", "stop_worker", "start_worker"}
    after = each_use(simulation)
    assert set(after) == expected
    (said,) = set(after.values())
    assert said.startswith("the simulation is closed")


def test_it_can_be_opened_again_once_it_is_closed():
    simulation = Simulation()
    for _ in range(2):
        with simulation:
            assert simulation.run(job).completed
            assert len(simulation.runs()) == 1


def test_one_that_is_open_is_not_opened_again():
    with Simulation() as simulation:
        with pytest.raises(SimulationError, match="open in this process already"):
            simulation.__enter__()
        assert simulation.run(job).completed


@pytest.fixture
def _thresholds_as_they_were() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("_thresholds_as_they_were")
@pytest.mark.parametrize(
    ("given", "within"), [(700, ALLOCATIONS), (ALLOCATIONS + 1, ALLOCATIONS + 1), (0, 0)]
)
def test_cycles_are_looked_for_less_often_until_it_is_closed(given, within):
    gc.set_threshold(given, 11, 12)
    with Simulation():
        assert gc.get_threshold() == (within, 11, 12)
    assert gc.get_threshold() == (given, 11, 12)


@pytest.mark.usefixtures("_thresholds_as_they_were")
def test_a_threshold_that_a_test_sets_stays_and_that_of_a_run_goes_with_its_process():
    @flow
    def sets() -> None:
        gc.set_threshold(900)

    with Simulation() as simulation:
        gc.set_threshold(800)
        simulation.run(sets)
    assert gc.get_threshold()[0] == 800
