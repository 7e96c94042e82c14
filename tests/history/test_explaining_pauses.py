"""A table is old because its deployment was paused: the fault that paused it is named."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import duckdb
from prefect import flow

from simulator import Simulation
from simulator.faults import DeploymentPaused

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@flow
def ingest():
    with duckdb.connect(os.environ["WAREHOUSE_PATH"]) as connection:
        connection.execute("create or replace table orders as select now() as loaded_at")


def test_the_pause_behind_a_stale_table_is_named() -> None:
    with Simulation(start=T0) as sim:
        sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
        sim.deploy(ingest, name="dev", cron="0 * * * *")
        sim.inject(
            DeploymentPaused(deployment="ingest/dev", between=(T0 + 1.5 * HOUR, T0 + 4.5 * HOUR))
        )
        sim.advance(hours=4)
        why = str(sim.explain(table="orders"))
        assert "last written by ingest/dev of 2026-01-01 01:00" in why
        assert "not since fault 0: pauses ingest/dev" in why
        assert "no later run was to write it" not in why
        sim.advance(hours=2)
        assert "fault" not in str(sim.explain(table="orders"))
