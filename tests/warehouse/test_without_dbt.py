"""Everything else works where dbt is not installed, and whoever has it pays for it only by using it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Python imports this module at its start, in every process: there is no dbt, nor a trace of one.
ABSENT = """
import importlib.metadata, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("dbt", "dbt_common", "dbt_extractor", "prefect_dbt"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
found = importlib.metadata.Distribution.from_name.__func__

def from_name(cls, name):
    if name.startswith("dbt"):
        raise importlib.metadata.PackageNotFoundError(name)
    return found(cls, name)

importlib.metadata.Distribution.from_name = classmethod(from_name)
"""

SCENARIO = """
from prefect import flow
from simulator.scenario import scenario

@flow
def load(path):
    import duckdb
    with duckdb.connect(path) as con:
        con.execute("create table loaded as select now() as loaded_at")

@scenario(name="loading", question="Is it loaded?", start="2026-01-01T00:00:00Z", variants={"a": 1, "b": 2})
def act(sim, variant, days):
    sim.deploy(load, name="dev", cron="0 3 * * *", parameters={"path": str(sim.warehouse.path)})
    sim.advance(hours=4)

@act.expect()
def it_is_loaded(sim):
    assert sim.runs("load")[0].state == "Completed"
    [(loaded_at,)] = sim.warehouse.query("select loaded_at from loaded")
    assert str(loaded_at).startswith("2026-01-01 03:00:00")

@act.expect()
def there_is_no_dbt(sim):
    try:
        import dbt.cli.main
    except ModuleNotFoundError:
        return
    raise AssertionError("dbt is there")
"""


def run(*command: object, cwd: Path, path: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def without_dbt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that, on the path, hides dbt."""
    folder = tmp_path_factory.mktemp("absent")
    (folder / "sitecustomize.py").write_text(ABSENT)
    return folder


def test_scenarios_run_without_dbt(tmp_path: Path, without_dbt: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "loading.py").write_text(SCENARIO)
    simulate = [sys.executable, "-m", "simulator.cli"]
    done = run(*simulate, "run", "--jobs", 1, cwd=tmp_path, path=without_dbt)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 variants hold" in done.stdout
    shown = run(*simulate, "--version", cwd=tmp_path, path=without_dbt)
    assert "dbt is not installed" in shown.stdout, shown.stderr


def test_tests_run_without_dbt(tmp_path: Path, without_dbt: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "from prefect import flow\n"
        "@flow\n"
        "def mine(): ...\n"
        "def test_mine(simulation):\n"
        "    assert simulation.run(mine).state == 'Completed'\n"
    )
    done = run(sys.executable, "-m", "pytest", "-q", cwd=tmp_path, path=without_dbt)
    assert done.returncode == 0, done.stdout + done.stderr


LATE = """
import sys
import duckdb
from prefect import flow, task
from simulator import Simulation

def imported():
    return {name for name in sys.modules if name.partition(".")[0] in ("dbt", "prefect_dbt")}

@task
def build(folder, model):
    from dbt.cli.main import dbtRunner
    words = ["run", "--select", model, "--project-dir", folder, "--profiles-dir", folder]
    assert dbtRunner().invoke(words).success

@flow(log_prints=True)
def shop(folder):
    print("before")
    for running in [build.submit(folder, model) for model in ("a", "b")]:
        running.result()
    print("after")

with Simulation(start="2024-05-01T06:30:00Z") as sim:
    sim.deploy(shop, name="dev")
    assert not imported(), imported()
    sim.trigger("shop/dev", {"folder": sys.argv[1]}, at="2024-05-01T07:00:00Z")
    sim.advance(hours=1)
    [run] = sim.runs()
    assert run.state == "Completed", run
    assert imported()
    from dbt.cli.main import dbtRunner
    assert hasattr(dbtRunner.invoke, "__wrapped__")
    with duckdb.connect(f"{sys.argv[1]}/shop.duckdb") as con:
        [(built_at,)] = con.execute("select built_at from a").fetchall()
    assert str(built_at).startswith("2024-05-01 07:00:0"), built_at
assert not hasattr(dbtRunner.invoke, "__wrapped__")
with Simulation() as sim:
    assert hasattr(dbtRunner.invoke, "__wrapped__")
"""


def test_dbt_is_imported_when_a_flow_imports_it_and_called_rightly_from_then_on(
    tmp_path: Path,
) -> None:
    (tmp_path / "models").mkdir()
    for name, text in {
        "dbt_project.yml": "{name: shop, version: '1.0', profile: shop}",
        "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: '%s'}}}"
        % (tmp_path / "shop.duckdb"),
        "models/a.sql": "{{ config(materialized='table') }} select now() as built_at",
        "models/b.sql": "{{ config(materialized='table') }} select now() as built_at",
        "late.py": LATE,
    }.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "late.py", tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
