"""The page: one HTML file that opens from disk, with all it needs inside and no request to anybody.

    write_page(Path("results/results.duckdb"), Path("results/report.html"))

`numbers.py` says what is shown, `matrix.py` of findings. `layout.js` and `cycles.js` say where it goes;
`drawing.js`, `folded.js` and `marks.js` put it on a canvas, `views.js` into text and tables, `matrix.js`
into a matrix with the marks of `signs.js`; `lesson.js` asks before it shows, `page.js` reacts to the
reader, and `watching.js` follows a run that goes on. They stand in `web/`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from simulator.errors import SimulationError
from simulator.history import Outcome, kept_outcomes
from simulator.report.numbers import numbers

SCRIPTS = (
    *("layout.js", "cycles.js", "drawing.js", "folded.js", "marks.js"),
    *("views.js", "signs.js", "matrix.js", "lesson.js", "page.js"),
)

NO_REQUESTS = "script-src 'unsafe-inline'"
"""The end of what the page forbids itself: whatever is not named, it may not ask for."""


def write_page(results: Path, output: Path) -> None:
    """Write the page about a results file.

    Raises SimulationError if that cannot be read or is none, or if the page cannot be written.
    """
    _write(as_page(results), output)


def write_lesson_page(lesson: Mapping[str, Any], outcomes: Iterable[Outcome], output: Path) -> None:
    """Write the page of a lesson: the fields of `Lesson` in lesson.js, and what came of its lanes.

    Raises SimulationError if the page cannot be written.
    """
    _write(_filled({**numbers(outcomes), "lesson": lesson}), output)


def _write(page: str, output: Path) -> None:
    part = output.with_name(f"{output.name}.part")
    try:
        part.write_text(page, encoding="utf-8")
        part.replace(output)
    except OSError as wrong:
        raise SimulationError(f"cannot write the page {str(output)!r}: {wrong.strerror}") from wrong


def as_page(results: Path) -> str:
    """The page about a results file, as HTML."""
    return _filled(numbers(kept_outcomes(results)))


def as_watched_page() -> str:
    """The page of a run that goes on, as HTML: empty, it asks the server that it comes from."""
    page = _filled(numbers([]), (*SCRIPTS, "watching.js"))
    return page.replace(NO_REQUESTS, f"{NO_REQUESTS}; connect-src 'self'", 1)


def _filled(shown: Mapping[str, Any], scripts: Iterable[str] = SCRIPTS) -> str:
    """The page with its style, its scripts and what it shows."""
    data = json.dumps(shown, separators=(",", ":"), ensure_ascii=False).replace(
        "<", "\\u003c"
    )  # a text must not end the element that it stands in
    page = _web("page.html")
    for mark, text in (
        ("/*STYLE*/", _web("page.css")),
        ("/*SCRIPT*/", "\n".join(_web(name) for name in scripts)),
        ("/*DATA*/", data),
    ):
        before, _, after = page.partition(mark)
        page = before + text + after
    return page


def _web(name: str) -> str:
    return (files("simulator.report") / "web" / name).read_text(encoding="utf-8")
