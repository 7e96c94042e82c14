"""What happens while scenarios run, shown as it happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from simulator.scenarios import Event, VariantResult


class Follower(Protocol):
    """Who is told what happens."""

    def started(self, scenario: str, variant: str) -> None: ...

    def moved(self, scenario: str, variant: str, days: float, of_days: int) -> None: ...

    def finished(self, result: VariantResult) -> None: ...

    def warned(self, text: str) -> None: ...


def followed(events: Iterable[Event], *followers: Follower) -> Iterator[VariantResult]:
    """Tell every event, and yield the result of each variant that has come to its end."""
    from simulator.scenarios import Finished, Moved, Started, Warned

    for event in events:
        for one in followers:
            match event:
                case Started(scenario, variant):
                    one.started(scenario, variant)
                case Moved(scenario, variant, lived, of_days):
                    one.moved(scenario, variant, lived, of_days)
                case Finished(result):
                    one.finished(result)
                case Warned(text):
                    one.warned(text)
        if isinstance(event, Finished):
            yield event.result
