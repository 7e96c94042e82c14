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


@flow(log_prints=True)
def uses_the_default_connection(path: str, way: str):
    before = duckdb.sql("select count(*) from duckdb_tables()").fetchall()[0][0]
    attached = [
        row[0] for row in duckdb.sql("select database_name from duckdb_databases()").fetchall()
    ]
    print("found", before, "other" in attached)
    if way == "set":
        own = duckdb.connect()
        duckdb.set_default_connection(own)
        assert duckdb.default_connection() is own
    elif way == "close":
        duckdb.close()
    con = duckdb.connect(":default:")
    con.execute("create table mine as select 1 as i")
    duckdb.execute("insert into mine values (2)")
    duckdb.sql(f"attach '{path}' as other")
    time.sleep(30)
    with duckdb.cursor() as cursor:
        print(
            "has",
            cursor.sql("select sum(i) from mine").fetchall()[0][0],
            con is duckdb.default_connection(),
        )
    duckdb.begin()
    duckdb.execute("delete from mine")
    duckdb.rollback()
    duckdb.execute("select count(*) from mine")
    print("kept", duckdb.fetchone()[0])
