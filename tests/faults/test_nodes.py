"""Nodes of dbt that fail: a model, a test of an error's severity and one of a warning's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from dbt.cli.main import dbtRunner
from prefect import flow, task
from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings

from simulator import Simulation
from simulator.faults import NodeFails

T0 = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)

UNIQUE = "unique_orders_id"
NOT_NULL = "not_null_orders_id"

SCHEMA = """
models:
  - name: orders
    columns:
      - name: id
        data_tests: [unique, {not_null: {config: {severity: warn}}}]
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a model, two tests of it, and a model on top of it."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "models").mkdir()
    for name, text in {
        "dbt_project.yml": "{name: shop, version: '1.0', profile: shop}",
        "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, threads: 4, path: '%s'}}}"
        % (folder / "shop.duckdb"),
        "models/orders.sql": "{{ config(materialized='table') }} select 1 as id, now() as built_at",
        "models/report.sql": "{{ config(materialized='table') }} select * from {{ ref('orders') }}",
        "models/schema.yml": SCHEMA,
    }.items():
        (folder / name).write_text(text)
    return folder


@flow
def build(folder: str) -> dict[str, str]:
    """Build the project as dbt's own documentation does. Raises for what has failed."""
    places = ["--project-dir", folder, "--profiles-dir", folder]
    outcome = dbtRunner().invoke(["build", *places])
    statuses = {one.node.name.partition(".")[0]: str(one.status) for one in outcome.result}
    if not outcome.success:
        raise RuntimeError(f"dbt build: {statuses}")
    return statuses


@flow
def build_by_prefect_dbt(folder: str) -> None:
    """Build it as prefect-dbt's documentation does."""
    settings = PrefectDbtSettings(project_dir=folder, profiles_dir=folder)
    PrefectDbtRunner(settings=settings).invoke(["build"])


def hourly(sim: Simulation, one, folder: Path, *faults: NodeFails) -> list:
    sim.deploy(one, name="dev", cron="0 * * * *", parameters={"folder": str(folder)})
    sim.inject(list(faults))
    sim.advance_to(T0 + 2.5 * HOUR)
    return sim.runs(one.name)


def built_at(folder: Path, table: str) -> list[int]:
    with duckdb.connect(folder / "shop.duckdb", read_only=True) as con:
        return [
            at.astimezone(UTC).hour
            for (at,) in con.execute(f"select built_at from {table}").fetchall()
        ]


def test_a_model_that_fails_leaves_its_table_and_those_behind_it_as_they_were(shop):
    with Simulation(start=T0 - HOUR / 2) as sim:
        fault = NodeFails(
            node="orders", between=(T0 + HOUR, T0 + 3 * HOUR), message="out of memory"
        )
        runs = hourly(sim, build, shop, fault)
        assert [run.state for run in runs] == ["Completed", "Failed", "Failed"]
        assert "'orders': 'error'" in runs[1].message
        assert "'report': 'skipped'" in runs[1].message
        assert [built_at(shop, table) for table in ("orders", "report")] == [[0], [0]]
        assert [sim.explain(run).fault for run in runs] == [None, 0, 0]
        assert "out of memory" in str(sim.explain(table="main.report"))
        notes = [note for note in sim.history().notes if note.kind == "fault"]
        assert [(note.run_id, note.details["node"]) for note in notes] == [
            (run.id, "orders") for run in runs[1:]
        ]


def test_a_test_fails_or_warns_as_its_severity_says(shop):
    with Simulation(start=T0 - HOUR / 2) as sim:
        errors = NodeFails(node=UNIQUE, on=[1])
        warns = NodeFails(node=NOT_NULL, on=[2])
        runs = hourly(sim, build, shop, errors, warns)
        assert [run.state for run in runs] == ["Completed", "Failed", "Completed"]
        assert f"'{UNIQUE}': 'fail'" in runs[1].message
        assert "'report': 'skipped'" in runs[1].message
        assert sim.explain(runs[1]).fault == 0
        assert f"fails {UNIQUE} in dbt: one row found" in str(sim.explain(runs[1]))
        struck = [note.details["fault"] for note in sim.history().notes if note.kind == "fault"]
        assert struck == [0, 1]


def test_it_reaches_prefect_dbt(shop):
    with Simulation(start=T0 - HOUR / 2) as sim:
        runs = hourly(sim, build_by_prefect_dbt, shop, NodeFails(node="orders", on=[0, 2]))
        assert [run.state for run in runs] == ["Failed", "Completed", "Failed"]
        assert [sim.explain(run).fault for run in runs] == [0, None, 0]
        assert "the connection was closed" in runs[0].message


@task
def builds_whatever_comes_of_it(folder: str) -> None:
    dbtRunner().invoke(["build", "--project-dir", folder, "--profiles-dir", folder])


@task
def publishes() -> None:
    raise ConnectionError("no answer")


@flow
def build_and_publish(folder: str) -> None:
    builds_whatever_comes_of_it(folder)
    publishes()


def test_another_task_of_its_run_does_not_fail_for_it(shop):
    with Simulation(start=T0) as sim:
        sim.inject(NodeFails(node="orders", on=[0]))
        why = sim.explain(sim.run(build_and_publish, folder=str(shop)))
        assert why.fault is None
        assert "no answer" in str(why)


def test_one_that_is_never_run_is_told_at_the_end(shop):
    with pytest.warns(match="fault 0 has never struck: fails ordres in dbt"):
        with Simulation(start=T0 - HOUR / 2) as sim:
            hourly(sim, build, shop, NodeFails(node="ordres"))
