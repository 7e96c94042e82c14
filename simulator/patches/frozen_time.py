"""Where a test's own frozen time says that a simulation starts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from freezegun import api

from simulator.patches.freezegun import aware, frozen_at
from simulator.patches.travel import destination_of, travelled_to


def frozen_start(test: Any = None) -> datetime | None:
    """The instant, aware UTC, at which time is frozen now; None if it is not.

    Or at which it will be in the function `test`: `@freeze_time` or `@travel` around it begins only
    after its fixtures, of which a simulation may be one.
    """
    frozen = frozen_at() or travelled_to()
    if frozen is None and test is not None:
        frozen = next(_decorated_with(test), None)
    return frozen


def _decorated_with(test: Any) -> Iterator[datetime]:
    """The instants of decorators that freeze time, the outermost first."""
    while test is not None:
        for cell in getattr(test, "__closure__", None) or ():
            held = cell.cell_contents
            if isinstance(held, api._freeze_time):
                yield aware(held.time_to_freeze)
            elif (travelled := destination_of(held)) is not None:
                yield travelled
        test = getattr(test, "__wrapped__", None)
