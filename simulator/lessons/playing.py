"""Simulating a lesson: its two lanes, one after the other, under one seed and one set of faults."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from simulator.errors import SilentFault, SimulationError
from simulator.history import History
from simulator.lessons.lesson import Figures, Lesson
from simulator.places import place_of_error

START = "2026-01-05T00:00:00Z"
"""The first instant of every lesson, a Monday."""

SOLUTION = "the solution"
"""What the second lane is called when it is the solution's."""


@dataclass(frozen=True)
class Lane:
    """One of the two ways: its name, what happened, and what came out of it."""

    name: str
    history: History
    figures: Figures


@dataclass(frozen=True)
class Played:
    """A lesson that was simulated, with what shaped the outcome."""

    lesson: Lesson
    value: float
    seed: int
    first: Lane
    second: Lane

    @property
    def sentence(self) -> str:
        """What happened, in one sentence out of the figures of both lanes."""
        return self.lesson.sentence(self.first.figures, self.second.figures)

    @property
    def right(self) -> int:
        """The answer that the outcome proves, 1 to 3; 0 if it proves none."""
        return self.lesson.right(self.first.figures, self.second.figures)

    @property
    def missing(self) -> str:
        """What the second lane lacks to be a solution of the exercise; "" if it is one."""
        return self.lesson.exercise.solved(self.first.figures, self.second.figures)

    @property
    def solution(self) -> bool:
        """Whether the second lane is the solution's."""
        return self.second.name == SOLUTION


def play(
    lesson: Lesson, value: float | None = None, seed: int = 0, *, solution: bool = False
) -> Played:
    """Simulate both lanes with the knob at `value`; with `solution` that in place of the second."""
    value = lesson.knob.value if value is None else value
    (first, one), (second, other) = lesson.lanes.items()
    if solution:
        second, other = SOLUTION, lesson.exercise.solution
    with _quietly():
        return Played(
            lesson,
            value,
            seed,
            simulate(lesson, first, one, value, seed),
            simulate(lesson, second, other, value, seed),
        )


def simulate(lesson: Lesson, name: str, way: Any, value: float, seed: int) -> Lane:
    """One lane: a simulation of its own. Raises SimulationError if the lesson's file breaks in it."""
    from simulator.simulation import Simulation

    try:
        with Simulation(start=START, seed=seed, settings=lesson.settings(value)) as sim:
            lesson.run(sim, way, value)
            return Lane(name, sim.history(), lesson.figures(sim, value))
    except SimulationError:
        raise
    except Exception as wrong:  # a learner has changed the file
        where = place_of_error(wrong.__traceback__)
        raise SimulationError(
            f"{lesson.name}: the lane {name!r} broke: {type(wrong).__name__}: {wrong} ({where})"
        ) from wrong


@contextmanager
def _quietly() -> Iterator[None]:
    """What flows log would stand between the question and what became of it; and that a fault has not
    struck is what the learner wanted, who has turned the knob so.
    """
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SilentFault)
            yield
    finally:
        logging.disable(before)
