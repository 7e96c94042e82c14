"""Flows that several cases call."""

from __future__ import annotations

import time

import anyio
from prefect import flow


@flow
def good() -> str:
    return "good"


@flow
def bad() -> None:
    raise ValueError("bad")


@flow
def sleeps(seconds: float) -> None:
    time.sleep(seconds)


@flow
async def asleeps(seconds: float, fails: bool = False) -> None:
    await anyio.sleep(seconds)
    if fails:
        raise ValueError(f"fails after {seconds:g} s")
