"""What flows pass on."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace

from pydantic import BaseModel


@dataclass
class Row:
    number: int
    made: datetime = field(default_factory=lambda: datetime.now(UTC))


class Order(BaseModel):
    row: Row
    label: str = "none"


class Client:
    url = "real"

    def fetch(self) -> str:
        return f"fetched from {self.url}"


CONFIG = {"url": "real"}
CLIENT = Client()
ORDER = Order(row=Row(1))
LIMITS = SimpleNamespace(rows=10)


@functools.cache
def drawn() -> float:
    return random.random()
