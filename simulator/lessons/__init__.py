"""Lessons: a question first, then two lanes of a real simulation, and one sentence out of what happened.

A lesson is one file in `course/`, read from top to bottom; `lesson.py` says what each name in it is.
`loading.py` finds one, `playing.py` simulates its lanes, `telling.py` puts it into words, and
`writing.py` makes a page of it. It may import `simulation` and `report`.
"""

from simulator.lessons.lesson import Change, Exercise, Figures, Knob, Lesson
from simulator.lessons.loading import listed, load, source_of
from simulator.lessons.playing import Lane, Played, play
from simulator.lessons.telling import after, before
from simulator.lessons.writing import check_page, plain, write

__all__ = [
    "Change",
    "Exercise",
    "Figures",
    "Knob",
    "Lane",
    "Lesson",
    "Played",
    "after",
    "before",
    "check_page",
    "listed",
    "load",
    "plain",
    "play",
    "source_of",
    "write",
]
