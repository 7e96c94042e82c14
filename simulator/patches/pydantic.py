"""Lets pydantic take freezegun's classes for Python's own (pydantic 2.11 to 2.14).

A flow written inside a simulation has freezegun's classes in its annotations, one written before it
has Python's own. Both must validate, and appear in a schema, as Python's own.
"""

from __future__ import annotations

import datetime
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pydantic._internal._generate_schema as pydantic_schemas
from freezegun import api

from simulator.patches.replacing import replacing


@contextmanager
def installed() -> Iterator[None]:
    generator = pydantic_schemas.GenerateSchema
    match = generator.match_type
    own: dict[Any, type] = {api.FakeDatetime: api.real_datetime, api.FakeDate: api.real_date}

    def match_type(self: Any, obj: Any, *origin: Any) -> Any:
        return match(self, own.get(obj, obj) if isinstance(obj, type) else obj, *origin)

    # Before 2.14 pydantic compares an annotation with whatever `datetime.datetime` is at that time.
    real = types.SimpleNamespace(**vars(datetime))
    real.datetime, real.date = api.real_datetime, api.real_date
    with replacing(
        [(generator, "match_type", match_type), (pydantic_schemas, "datetime", real)],
    ):
        yield
