"""Flows at the top level of a module that hold DuckDB files."""

from __future__ import annotations

import time

import duckdb
from prefect import flow


@flow(log_prints=True)
def holds(path: str, seconds: float, how: str = "write", wait: float = 0):
    time.sleep(wait)
    try:
        if how == "attach":
            con = duckdb.connect()
            con.execute(f"attach '{path}' as other")
        elif how == "detach":
            con = duckdb.connect()
            con.execute(f"attach '{path}' as other")
            con.execute("detach other")
        else:
            con = duckdb.connect(path, read_only=how == "read")
    except duckdb.IOException as error:
        print("refused", error)
        return
    print("holds", how)
    time.sleep(seconds)
    if how == "close":
        con.close()
        time.sleep(20)
    globals()["KEPT"] = con  # nobody closes it: the end of the process does
