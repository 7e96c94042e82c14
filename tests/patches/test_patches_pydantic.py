"""Pydantic's types of the past and of the future on virtual time: what `patches/pydantic.py` promises."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import (
    BaseModel,
    FutureDate,
    FutureDatetime,
    PastDate,
    PastDatetime,
    TypeAdapter,
    ValidationError,
)

from simulator import cfunctions
from simulator.caveats import Caveats
from simulator.clock.virtual import VirtualClock
from simulator.patches.pydantic import virtual_now
from simulator.patches.time_machine import virtual_time

NOW = datetime(2024, 5, 1, 6, 30, 15, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@pytest.fixture(params=[NOW, NOW.replace(year=2040)])
def now(request: pytest.FixtureRequest) -> Iterator[datetime]:
    """Before and after what the machine's clock shows."""
    with virtual_time(VirtualClock(request.param)), virtual_now():
        yield request.param


class Order(BaseModel):
    ordered: PastDatetime
    delivered: FutureDate


def accepts(kind: Any, value: Any) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def test_they_compare_with_the_virtual_clock(now: datetime) -> None:
    for kind, step, of in (
        (PastDatetime, -SECOND, datetime),
        (FutureDatetime, SECOND, datetime),
        (PastDate, -DAY, date),
        (FutureDate, DAY, date),
    ):
        at: Any = now if of is datetime else now.date()
        assert accepts(kind, at + step), kind
        assert not accepts(kind, at - step), kind


def test_so_do_models_that_were_made_before(now: datetime) -> None:
    given = {"ordered": now - SECOND, "delivered": now.date() + DAY}
    assert Order.model_validate(given).ordered == now - SECOND
    with pytest.raises(ValidationError, match="should be in the past"):
        Order.model_validate(given | {"ordered": now + SECOND})


def test_pydantic_still_needs_its_patch() -> None:
    with virtual_time(VirtualClock(NOW)):
        assert not accepts(FutureDatetime, NOW + DAY)
        with virtual_now():
            assert accepts(FutureDatetime, NOW + DAY)
        assert not accepts(FutureDatetime, NOW + DAY)


def test_where_it_cannot_be_reached_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cfunctions, "_places_of", lambda *_: [])
    told = Caveats()
    with told.collecting(), virtual_now():
        pass
    [one] = told
    assert "PastDate" in one.message
    assert one.where, "a line that names one of them"
