"""The patch that lets a simulation's Prefect settings hold wherever in this process somebody asks.

Prefect 3.8 and 3.9. A test stands in `tests/test_escapes.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import prefect.context as prefect_context
from prefect.settings import temporary_settings

from simulator.patches.replacing import replacing


@contextmanager
def settled(changed: dict[Any, Any]) -> Iterator[None]:
    """Let `changed` hold, as with `temporary_settings`, and also where no context has been handed on.

    A thread begins with none. Prefect would give it the user's own profile, and with it their server,
    or start one for it.
    """
    changing = temporary_settings(changed)
    changing.__enter__()
    settled_now = prefect_context.get_settings_context()
    try:
        with replacing([(prefect_context, "GLOBAL_SETTINGS_CONTEXT", settled_now)]):
            yield
    finally:
        try:
            changing.__exit__(None, None, None)
        except ValueError:
            pass  # opened in another context, as by another cell of a notebook, which has ended
