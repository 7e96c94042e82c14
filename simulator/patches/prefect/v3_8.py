"""What only Prefect 3.8 needs.

`tests/patches/test_series.py` holds a test for each patch that fails when Prefect no longer needs it,
and one that fails if a later series does.
"""

from __future__ import annotations

import functools
import zoneinfo
from typing import Any

from prefect.types import _datetime as prefect_datetime

REPLACED: list[tuple[Any, str, Any]] = [
    # Every schedule with a time zone that is loaded reads the names of all zones from the disk. From 3.9
    # on Prefect keeps them.
    (prefect_datetime, "available_timezones", functools.cache(zoneinfo.available_timezones)),
]
