"""A module that cannot be imported in a simulated process."""

from __future__ import annotations

import os

from prefect import flow

if os.environ.get("BREAK"):
    raise RuntimeError("no such thing")


@flow
def unlucky() -> None: ...
