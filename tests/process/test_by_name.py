"""What a file has imported by its name, before there was a simulation, is a process's own as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from simulator import Simulation
from tests.process import flows_by_name as flows
from tests.process.flows_imports import imports

BEFORE = {name: value for name, value in vars(flows).items() if not name.startswith("__")}


@pytest.mark.parametrize(
    ("flow", "result"),
    [
        (flows.queues, (5.0, 4.0)),
        (flows.alarms, [3.0]),
        (flows.selects, 1.0),
        (flows.asks, 0),
        (flows.forks, 5),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_it_does_as_in_a_process_of_its_own(sim: Simulation, flow: Any, result: object) -> None:
    sim.deploy(flow, name="dev")
    begun = sim.trigger(f"{flow.name}/dev")
    sim.advance(minutes=1)
    run = sim.history().run(begun)
    assert (run.state, run.message) == ("Completed", None)
    (note,) = [note for note in sim.history().notes if note.kind == "result"]
    assert note.text == repr(result)


def test_the_end_of_a_process_is_not_that_of_all(sim: Simulation, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    sim.deploy(flows.leaves, name="dev")
    sim.deploy(flows.registers, name="dev", parameters={"file": str(mark)})
    ended = sim.trigger("leaves/dev")
    sim.trigger("registers/dev")
    assert not mark.exists()
    sim.advance(minutes=1)
    run = sim.history().run(ended)
    assert run.state == "Crashed"
    assert "status code: 3" in (run.message or "")
    assert mark.exists()


def test_a_module_that_is_imported_in_a_run_has_attributes_of_its_own(
    sim: Simulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`importlib` makes each module by `type(sys)(name)`, and the class of `sys` has properties here."""
    (tmp_path / "settings_of_a_run.py").write_text('path = "data"\nargv = 3\n')
    (tmp_path / "shelves_of_a_run").mkdir()
    (tmp_path / "shelves_of_a_run" / "__init__.py").write_text("")
    (tmp_path / "shelves_of_a_run" / "path.py").write_text("LENGTH = 4\n")
    monkeypatch.syspath_prepend(tmp_path)
    sim.deploy(imports, name="dev")
    begun = sim.trigger("imports/dev")
    sim.advance(minutes=1)
    assert sim.history().run(begun).state == "Completed"
    (note,) = [note for note in sim.history().notes if note.kind == "result"]
    assert note.text == repr(["data", 3, 4, "list", "module"])


def test_what_was_imported_in_one_simulation_serves_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that a flow imports first binds what is there then."""
    source = Path(flows.__file__).read_text()
    (tmp_path / "late_flows_by_name.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    results = []
    for _ in range(2):
        with Simulation(start="2026-01-05T00:00:00Z", stall_limit=10) as sim:
            results.append(sim.run(lately).result)
    assert results == [[1.0, (5.0, 4.0), [3.0]]] * 2


@flow
def lately() -> list[object]:
    import late_flows_by_name as late

    return [late.selects.fn(), late.queues.fn(), late.alarms.fn()]


def test_afterwards_each_name_is_what_it_was() -> None:
    with Simulation(start="2026-01-05T00:00:00Z"):
        pass
    assert {name: vars(flows)[name] for name in BEFORE} == BEFORE
