"""What happens while scenarios run, shown as it happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.report import Display
    from simulator.scenarios import Event, VariantResult


def followed(events: Iterable[Event], display: Display) -> Iterator[VariantResult]:
    """Show every event, and yield the result of each variant that has come to its end."""
    from simulator.scenarios import Finished, Moved, Started, Warned

    for event in events:
        match event:
            case Started(scenario, variant):
                display.started(scenario, variant)
            case Moved(scenario, variant, lived, of_days):
                display.moved(scenario, variant, lived, of_days)
            case Finished(result):
                display.finished(result)
                yield result
            case Warned(text):
                display.warned(text)
