"""What a lesson is. Its file says so in capitals and a few functions, which `Lesson` has as fields."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.errors import SimulationError

if TYPE_CHECKING:
    from simulator.simulation import Simulation

Figures = Mapping[str, Any]
"""What came out of a lane, by name: whole numbers, texts, and durations as timedeltas."""


@dataclass(frozen=True)
class Knob:
    """The one thing that a learner turns: a number, from `least` to `most`, whole if `value` is.

    `value` is where it stands at first, `meaning` what it is in words, with its unit.
    """

    name: str
    value: float
    meaning: str
    least: float
    most: float

    def read(self, text: str) -> float:
        """The number that a text says. Raises SimulationError if it is none that fits."""
        whole = isinstance(self.value, int)
        kind = "a whole number" if whole else "a number"
        try:
            number = int(text) if whole else float(text)
        except ValueError:
            number = math.nan
        if not self.least <= number <= self.most:
            raise SimulationError(
                f"{self.name}={text} must be {kind} from {self.least:g} to {self.most:g}:"
                f" {self.meaning}"
            )
        return number


@dataclass(frozen=True)
class Change:
    """A line of the lesson's file, and what to write instead."""

    line: str
    instead: str


@dataclass(frozen=True)
class Exercise:
    """Something to be found out: what the second lane has to do.

    `solved` is asked with the figures of both lanes, and returns what is still missing, "" for
    nothing; `solution` is what is put in the place of the second lane's.
    """

    task: str
    solved: Callable[[Figures, Figures], str]
    solution: Any


@dataclass(frozen=True)
class Lesson:
    """A lesson, as its file says.

    `given` are the parameters that do not change, all of which are shown; `lanes` the two ways that
    are compared, flows mostly. `run` lets one of them live in a simulation, at a position of the knob,
    with the `settings` for that position; `figures` reads what came out of it. `right` says which of the
    three answers that proves, 1 to 3, or 0 if it proves none; `sentence` says it in words. Both are
    asked with the figures of the first and of the second lane.
    """

    name: str
    title: str
    file: Path
    source: str
    question: str
    answers: tuple[str, str, str]
    knob: Knob
    given: Mapping[str, Any]
    lanes: Mapping[str, Any]
    settings: Callable[[float], Mapping[str, Any]]
    run: Callable[[Simulation, Any, float], None]
    figures: Callable[[Simulation, float], Figures]
    right: Callable[[Figures, Figures], int]
    sentence: Callable[[Figures, Figures], str]
    change: Change
    exercise: Exercise


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: "1 run", "3 runs"."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def lasted(duration: timedelta) -> str:
    """A duration as a person says it, to the second: "45 s", "5 min 10 s", "2 h", "1 d"."""
    left = round(duration.total_seconds())
    if left < 0:
        return f"-{lasted(-duration)}"
    parts = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if left >= size:
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts) or "0 s"
