"""Builds the marts out of what was ingested, with dbt."""

import os
from pathlib import Path

from dbt.cli.main import dbtRunner
from prefect import flow, get_run_logger, task

PROJECT = Path(__file__).parents[1] / "transform"


@task
def build() -> bool:
    os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    done = dbtRunner().invoke(
        ["build", "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    )
    return done.success


@flow
def transform() -> None:
    if not build():
        get_run_logger().warning("dbt has failed, see its log")
