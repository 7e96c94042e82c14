"""The page: one HTML file that opens from disk, with all it needs inside and no request to anybody.

    write_page(Path("results/results.duckdb"), Path("results/report.html"))

`numbers.py` says what is shown. `layout.js` says where it goes, `drawing.js` puts it on a canvas,
`views.js` into text and tables, `page.js` reacts to the reader; they stand in `web/`.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from simulator.errors import SimulationError
from simulator.history import kept_outcomes
from simulator.report.numbers import numbers

SCRIPTS = ("layout.js", "drawing.js", "views.js", "page.js")


def write_page(results: Path, output: Path) -> None:
    """Write the page about a results file.

    Raises SimulationError if that cannot be read or is none, or if the page cannot be written.
    """
    page = as_page(results)
    part = output.with_name(f"{output.name}.part")
    try:
        part.write_text(page, encoding="utf-8")
        part.replace(output)
    except OSError as wrong:
        raise SimulationError(f"cannot write the page {str(output)!r}: {wrong.strerror}") from wrong


def as_page(results: Path) -> str:
    """The page about a results file, as HTML."""
    data = json.dumps(
        numbers(kept_outcomes(results)), separators=(",", ":"), ensure_ascii=False
    ).replace("<", "\\u003c")  # a text must not end the element that it stands in
    page = _web("page.html")
    for mark, text in (
        ("/*STYLE*/", _web("page.css")),
        ("/*SCRIPT*/", "\n".join(_web(name) for name in SCRIPTS)),
        ("/*DATA*/", data),
    ):
        before, _, after = page.partition(mark)
        page = before + text + after
    return page


def _web(name: str) -> str:
    return (files("simulator.report") / "web" / name).read_text(encoding="utf-8")
