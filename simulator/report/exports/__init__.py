"""A results file in the formats of other tools, from the file alone.

`tables.py` writes Parquet and JSON lines, a file for each table; `junit.py` the verdicts as a CI server
reads them; `markdown.py` a summary for people; `trace.py` a timeline for Perfetto or `about:tracing`;
`otlp.py` spans for whatever reads OpenTelemetry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from simulator.errors import SimulationError
from simulator.history import Outcome, kept_outcomes
from simulator.report.exports.junit import as_junit
from simulator.report.exports.markdown import as_markdown
from simulator.report.exports.otlp import as_otlp
from simulator.report.exports.tables import write_tables
from simulator.report.exports.trace import as_trace

TABLES = {"parquet": "parquet", "jsonl": "jsonl"}
"""The formats that are a folder with a file for each table, with its name beside the results."""

TEXTS: dict[str, tuple[str, Callable[[Sequence[Outcome]], str]]] = {
    "junit": ("junit.xml", as_junit),
    "markdown": ("summary.md", as_markdown),
    "trace": ("trace.json", as_trace),
    "otlp": ("otlp.jsonl", as_otlp),
}
"""The formats that are one file: its name beside the results, and what makes its text."""

FORMATS = (*TABLES, *TEXTS)


def export(results: Path, to: str, output: Path | None = None) -> Path:
    """Write a results file in one of the FORMATS, and return where: `output`, else beside the results.

    Raises SimulationError for another format, for what is no results file of this version, and for a
    place that cannot be written.
    """
    if to not in FORMATS:
        raise SimulationError(f"format {to!r} must be one of {', '.join(FORMATS)}")
    outcomes = kept_outcomes(results)  # refuses what is none
    place = output or results.with_name(TABLES[to] if to in TABLES else TEXTS[to][0])
    try:
        if to in TABLES:
            place.mkdir(parents=True, exist_ok=True)
            write_tables(results, to, place)
        else:
            part = place.with_name(f"{place.name}.part")
            part.write_text(TEXTS[to][1](outcomes), encoding="utf-8")
            part.replace(place)
    except OSError as wrong:
        raise SimulationError(f"cannot write {str(place)!r}: {wrong.strerror}") from wrong
    return place


__all__ = ["FORMATS", "export"]
