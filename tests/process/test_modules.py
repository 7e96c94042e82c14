"""With modules="fresh" each process imports the modules of the project anew, and nothing else."""

from __future__ import annotations

import importlib
import pickle
import sys
import threading
import time
import types
from contextlib import nullcontext
from pathlib import Path

import pytest
from prefect import flow, task

from simulator import Simulation, SimulationError
from simulator.patches.imports import once_imported
from tests.process.project import broken, models, pipeline
from tests.process.test_apart import run_each, run_one, values


@pytest.fixture
def sim():
    with Simulation(modules="fresh") as simulation:
        yield simulation


def test_classes_are_one_in_a_process_also_through_pickle_and_the_cache(sim):
    seen = list(pipeline.SEEN)
    runs = run_each(sim, pipeline.passes_on, [{}]) + run_each(sim, pipeline.passes_on, [{}])
    for run in runs:
        assert run.state == "Completed"
        assert values(run) == {"isinstance": "True True made 1", "pickled": "True True True"}
    # the second one had it from the cache
    assert [task.state for run in runs for task in run.tasks] == ["Completed", "Cached"]
    assert seen == pipeline.SEEN


def test_module_code_runs_when_the_process_starts(sim):
    runs = pipeline.RUNS
    sim.advance(hours=3)
    for run in run_each(sim, pipeline.tells_what_is_fresh, [{}, {}]):
        assert values(run)["imported"] == "0 0"
        assert values(run)["runs"] == "1 1 0"
    assert runs == pipeline.RUNS


def test_what_a_test_has_rebound_is_rebound_in_each(sim, monkeypatch):
    monkeypatch.setattr(models.Client, "url", lambda: None)
    monkeypatch.setattr(models.Client, "fetch", lambda self: "mocked")
    monkeypatch.setitem(models.CONFIG, "url", "mocked too")
    assert (
        values(run_one(sim, pipeline.tells_what_is_fresh))["client"] == "mocked mocked mocked too"
    )
    monkeypatch.undo()
    real = "fetched from real"
    assert values(run_one(sim, pipeline.tells_what_is_fresh))["client"] == f"{real} {real} real"


def test_what_a_test_has_set_in_a_class_or_an_object_is_set_in_each(sim, monkeypatch):
    monkeypatch.setattr(models.Client, "url", "of the class")
    monkeypatch.setattr(models.ORDER, "label", "urgent")
    monkeypatch.setattr(models.LIMITS, "rows", 3)
    seen = values(run_one(sim, pipeline.tells_what_is_set))["set"]
    assert seen == "of the class of the class urgent 3"
    monkeypatch.undo()
    assert values(run_one(sim, pipeline.tells_what_is_set))["set"] == "real real none 10"


def test_a_name_that_was_rebound_where_it_is_used(sim, monkeypatch):
    class Fake:
        def fetch(self):
            return "faked"

    monkeypatch.setattr("tests.process.project.pipeline.Client", Fake)
    seen = values(run_one(sim, pipeline.tells_what_is_fresh))["client"]
    assert seen == "faked fetched from real real"


def test_deployments_that_run_deployments_and_scripts(sim):
    sim.deploy(pipeline.passes_on, name="dev")
    run = run_one(sim, pipeline.parent)
    assert run.state == "Completed"
    script = sim.run(pipeline.takes, row=models.Row(3))
    assert values(script)["row"] == "True 3"


def test_a_flow_that_stands_in_the_module_under_another_name(sim):
    for run in run_each(sim, pipeline.listed, [{}, {}]):
        assert values(run)["runs"] == "1"


def test_faults_go_by_the_name_that_a_flow_was_deployed_under(sim):
    """A process imports it under the name in its module, live as here."""
    sim.deploy(pipeline.passes_on.with_options(name="renamed"), name="dev")
    sim.fail("renamed")
    sim.trigger("renamed/dev")
    sim.advance(minutes=5)
    (run,) = sim.runs("renamed")
    assert run.state == "Failed"
    assert run.message.endswith("RuntimeError: renamed failed")


def test_a_flow_that_no_process_could_import_is_shared_and_told(sim):
    run = run_one(sim, pipeline.made_of_a_function("nowhere"))
    assert run.state == "Completed"
    (caveat,) = [one for one in sim.caveats if "nowhere" in one.message]
    assert "not at the top level" in caveat.message
    assert "pipeline.py" in caveat.where
    pipeline.RUNS = 0


def test_a_module_that_cannot_be_imported_crashes_the_run(sim):
    run = run_one(sim, broken.unlucky, job_variables={"env": {"BREAK": "1"}})
    assert run.state == "Crashed"
    assert "status code: 1" in run.message
    told = [line.message for line in run.logs if "trying to load flow" in line.message]
    assert len(told) == 1
    assert "RuntimeError: no such thing" in told[0]


def test_who_looks_through_all_modules_imports_none_of_them(sim):
    # Each would run its code in that process: here one that raises.
    assert broken.__name__ in sys.modules
    broken_environment = {"env": {"BREAK": "1"}}
    run = run_one(sim, pipeline.looks_through_all_modules, job_variables=broken_environment)
    assert run.state == "Completed", run.message
    assert values(run)["found"] == "True True True"


def test_who_looks_through_all_modules_finds_one_whose_file_is_gone(tmp_path, monkeypatch):
    # `inspect` asks such a one for its loader.
    path = tmp_path / "gone_by_now.py"
    path.write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("gone_by_now")
    path.unlink()
    with Simulation(modules="fresh") as sim:
        run = run_one(sim, pipeline.looks_through_all_modules)
    del sys.modules["gone_by_now"]
    assert run.state == "Completed", run.message


def test_the_test_keeps_its_own_modules(sim):
    import tests.process.project.models as again

    assert again.Client is models.Client
    assert importlib.import_module("tests.process.project.pipeline").Client is models.Client
    row = pickle.loads(pickle.dumps(models.Row(1)))
    assert type(row) is models.Row
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("tests.process.project.no_such")


def test_afterwards_sys_modules_is_as_it_was():
    name = "tests.process.project.lazily"
    sys.modules.pop(name, None)
    before = dict(sys.modules)
    finders = list(sys.meta_path)
    with Simulation(modules="fresh") as sim:
        run_one(sim, pipeline.tells_what_is_fresh)
    assert sys.meta_path == finders
    assert sys.modules["tests.process.project.models"] is models
    assert type(sys.modules[__name__]) is types.ModuleType
    assert {key: module for key, module in sys.modules.items() if key in before} == before
    assert name not in sys.modules


ALONE = """
from __future__ import annotations

import sys

from pydantic import BaseModel, SecretStr

there = sys.modules[__name__].__dict__ is globals()


class Credentials(BaseModel):
    password: SecretStr  # looked up by pydantic in `sys.modules`, before the module is complete


complete = Credentials.__pydantic_complete__
"""


def test_a_module_that_nobody_has_imported_yet_finds_itself(sim, tmp_path, monkeypatch):
    (tmp_path / "imported_alone.py").write_text(ALONE)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = importlib.import_module("imported_alone")
    assert (found.there, found.complete) == (True, True)


def test_finders_do_not_ask_one_another_for_ever(sim, monkeypatch):
    monkeypatch.delitem(sys.modules, "this_library", raising=False)
    with once_imported("this_library", nullcontext), pytest.raises(ModuleNotFoundError):
        importlib.import_module("this_library")


def test_modules_is_one_of_two_words():
    with pytest.raises(SimulationError, match="modules='new' must be 'shared' or 'fresh'"):
        Simulation(modules="new")


# -- shared ----------------------------------------------------------------------------------------


LOCK = threading.Lock()


@task
def takes_turns():
    with LOCK:
        time.sleep(10)


@flow
def takes_turns_with_others():
    takes_turns()


def test_a_lock_that_runs_share_is_told_and_one_of_each_is_not():
    for modules, told in (("shared", True), ("fresh", False)):
        with Simulation(modules=modules) as sim:
            run_each(sim, takes_turns_with_others, [{}, {}])
            locks = [one for one in sim.caveats if "'LOCK', a global lock" in one.message]
        assert len(locks) == told
        assert all("'takes_turns' uses" in one.message for one in locks)


def test_what_shared_modules_make_wrong_is_told_once():
    models.drawn.cache_clear()
    with Simulation() as sim:
        run_each(sim, pipeline.tells_what_is_fresh, [{}, {}])
        run_one(sim, pipeline.passes_on)
        told = {one.message.split(",")[0] for one in sim.caveats if one.kind == "shared modules"}
        places = [one.where for one in sim.caveats if one.kind == "shared modules"]
    pipeline.RUNS = 0
    pipeline.SEEN.clear()
    models.drawn.cache_clear()
    run = "in a run of 'tells-what-is-fresh'"
    assert told == {
        "the default of 'day' of 'passes-on'",
        "'tells-what-is-fresh' uses 'IMPORTED'",
        f"'tells_what_is_fresh' has rebound the global 'RUNS' of {pipeline.__name__!r} {run}",
        f"the cache of 'drawn' of {models.__name__!r} has been filled {run}",
    }
    assert all("project" in place for place in places)


def test_what_is_made_at_import_by_way_of_a_constant_a_function_or_a_class_is_told():
    with Simulation() as sim:
        run_one(sim, pipeline.reads_constants)
        told = [one for one in sim.caveats if one.kind == "shared modules"]
    messages = {one.message.partition(", which was")[0].partition(", was")[0] for one in told}
    assert messages == {
        "the default of 'day' of 'reads-constants', DAY",
        "the default of 'window' of 'until', Window()",
        "'reads-constants' uses 'DAY', _of_the_day()",
    }
    lines = Path(pipeline.__file__).read_text().splitlines()
    assert "DAY = _of_the_day()" in {lines[int(one.where.rpartition(":")[2]) - 1] for one in told}


def test_a_run_that_has_rebound_nothing_is_not_told_of_one_beside_it_that_has():
    with Simulation() as sim:
        for seconds in (15, 40):  # it ends before the other one, and after it
            sim.deploy(pipeline.counts_nothing, name=f"d{seconds}", parameters={"seconds": seconds})
            sim.trigger(f"counts-nothing/d{seconds}")
        run_one(sim, pipeline.counts)
        told = [one.message for one in sim.caveats if "'COUNTED'" in one.message]
    pipeline.COUNTED = 0
    assert [message.partition(" in a run of ")[2].split(",")[0] for message in told] == ["'counts'"]


EXCHANGED = """
from prefect import flow

TIMES = 0


@flow
def counts(by: int):
    global TIMES
    TIMES += by
"""


def test_a_module_that_was_exchanged_for_another_is_watched(monkeypatch, tmp_path):
    (tmp_path / "exchanged.py").write_text(EXCHANGED)
    monkeypatch.syspath_prepend(str(tmp_path))
    first = importlib.import_module("exchanged")
    with Simulation() as sim:
        for _ in range(2):  # the second one imports nothing
            sim.run(first.counts, by=0)
        second = types.ModuleType("exchanged")
        second.__file__ = first.__file__
        exec(EXCHANGED, vars(second))
        monkeypatch.setitem(sys.modules, "exchanged", second)
        assert not sim.caveats
        sim.run(second.counts, by=1)
        assert ["'TIMES' of 'exchanged'" in one.message for one in sim.caveats] == [True]


def test_modules_are_pickled_by_cloudpickle_as_they_are_in_any_process(sim):
    """As the context of a background task is, and a result, with a function that is pickled by value."""
    assert values(run_one(sim, pipeline.pickles_modules)) == {"same": "True True True"}


@pytest.mark.parametrize("installed", [True, False])
def test_a_library_is_shared_wherever_on_the_path_it_was_installed(
    installed, monkeypatch, tmp_path
):
    """As with `pip install --target`: a folder that is none of site-packages, and on PYTHONPATH."""
    library = tmp_path / "kept" / "known"
    library.mkdir(parents=True)
    (library / "__init__.py").write_text("TIMES = []\n")
    record = tmp_path / "kept" / "known-1.0.dist-info" / "RECORD"
    if installed:
        record.parent.mkdir()
        record.write_text(
            'known/__init__.py,sha256=x,1\nknown-1.0.dist-info/RECORD,,\n"../odd",,\n'
        )
    own = tmp_path / "own"
    own.mkdir()
    (own / "asking.py").write_text(
        "from prefect import flow\n\n\n@flow\ndef asks():\n"
        "    import known\n\n    known.TIMES.append(1)\n    return len(known.TIMES)\n"
    )
    for folder in (tmp_path / "kept", own):
        monkeypatch.syspath_prepend(str(folder))
    asks = importlib.import_module("asking").asks
    try:
        with Simulation(modules="fresh") as sim:
            found = [sim.run(asks).result for _ in range(2)]
    finally:
        for name in ("known", "asking"):
            sys.modules.pop(name, None)
    assert found == ([1, 2] if installed else [1, 1])
