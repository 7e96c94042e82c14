"""How a process has set up `logging`: its own handlers, levels and filters of every logger."""

from __future__ import annotations

from typing import Any

from simulator.process.own import Own

logging_setup: Own[dict[tuple[int, str], Any]] = Own(lambda _: {})
"""By the identity of a logger, and the name of an attribute: what a process has in its place."""
