"""What only Prefect 3.9 needs: nothing so far."""

from __future__ import annotations

from typing import Any

REPLACED: list[tuple[Any, str, Any]] = []
