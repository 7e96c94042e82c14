"""Flows at the top level of a module that wait for each other's transactions in SQLite."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from datetime import UTC, datetime

import aiosqlite
import sqlalchemy as sa
from prefect import flow

INSERT = "insert into t values (2)"


@flow
def writes(path: str, seconds: float, end: str = ""):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("begin immediate")
    connection.execute("insert into t values (1)")
    time.sleep(seconds)
    if end == "exits":
        os._exit(3)
    if end == "raises":
        raise ValueError("in the middle of a transaction")
    connection.execute("commit")
    connection.close()


def insert(path, how, timeout):
    if how == "sqlalchemy":
        engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": timeout})
        with engine.begin() as connection:
            connection.execute(sa.text(INSERT))
    elif how == "aiosqlite":
        asyncio.run(insert_async(path, timeout))
    else:
        with sqlite3.connect(path, timeout=timeout if how == "connect" else 0) as connection:
            if how == "pragma":
                connection.execute(f"pragma busy_timeout = {int(timeout * 1000)}")
            connection.execute(INSERT)
        connection.close()


async def insert_async(path, timeout):
    async with aiosqlite.connect(path, timeout=timeout) as connection:
        await connection.execute(INSERT)
        await connection.commit()


@flow(log_prints=True)
def waits(path: str, how: str, timeout: float):
    time.sleep(1)
    began = datetime.now(UTC)
    try:
        insert(path, how, timeout)
        answer = "written"
    except (sqlite3.OperationalError, sa.exc.OperationalError) as error:
        answer = "locked" if "database is locked" in str(error) else str(error)
    print(answer, f"{(datetime.now(UTC) - began).total_seconds():.1f}")


@flow(log_prints=True)
def waits_for_itself(path: str):
    holds = sqlite3.connect(path, isolation_level=None)
    holds.execute("begin immediate")
    began = time.monotonic()
    try:
        sqlite3.connect(path, timeout=2, isolation_level=None).execute("begin immediate")
    except sqlite3.OperationalError:
        print(f"locked {time.monotonic() - began:.1f}")
    holds.close()
