"""The patch through which flows and tasks have other retries and time-outs than their files say.

Prefect 3.8 and 3.9. Each process of a project imports its flows anew, so that there is no object to be
changed: what its class says of an attribute holds for all. `tests/project/test_what_if.py` fails
without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prefect import Flow, Task

from simulator.patches.replacing import replacing

ATTRIBUTES = ("retries", "retry_delay_seconds", "timeout_seconds")

Values = Mapping[tuple[str, str], Any]
"""What holds in place of what is written, by the name of the flow or task, and the attribute."""


@contextmanager
def overridden(values: Values) -> Iterator[None]:
    """Let `values` hold for every flow and task of these names, as they are at each moment."""
    with replacing(
        [(kind, name, _attribute(name, values)) for kind in (Flow, Task) for name in ATTRIBUTES]
    ):
        yield


def _attribute(attribute: str, values: Values) -> property:
    """A property that comes before what an object holds, which stays as it is."""

    def read(step: Any) -> Any:
        own = step.__dict__
        key = own.get("name"), attribute
        if key in values:
            return values[key]
        try:
            return own[attribute]
        except KeyError:
            raise AttributeError(attribute) from None

    def write(step: Any, value: Any) -> None:
        step.__dict__[attribute] = value

    return property(read, write)
