"""Flows as they stand in somebody's script: at the top level of a file."""

from __future__ import annotations

import time

from prefect import flow


@flow
def quick() -> str:
    return "done"


@flow
def greets(name: str = "nobody") -> str:
    return f"hello {name}"


@flow
def takes_a_minute() -> None:
    time.sleep(60)
