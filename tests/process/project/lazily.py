"""Imported by a flow only when it runs."""

from __future__ import annotations

import time

IMPORTED = time.time()
CALLS: list[int] = []
