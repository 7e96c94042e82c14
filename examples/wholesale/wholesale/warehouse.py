"""Where the tables are."""

import os

import duckdb


def connect() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(os.environ["WAREHOUSE"])
