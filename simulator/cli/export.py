"""`simulate export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.answers import Json, print_json
from simulator.cli.app import app


@app.command()
def export(
    results: Annotated[
        Path,
        typer.Argument(metavar="[RESULTS]", help="The results file, as `simulate run` writes it."),
    ] = Path("results/results.duckdb"),
    to: Annotated[
        str, typer.Option(help="parquet, jsonl, junit, markdown, trace or otlp.", metavar="FORMAT")
    ] = "parquet",
    output: Annotated[
        Path | None,
        typer.Option(help="Where to (default: beside the results).", metavar="PATH"),
    ] = None,
    json: Json = False,
) -> None:
    """Write a results file in the format of another tool.

    parquet and jsonl: a folder with a file for each table. junit: the verdicts, for a CI server.
    markdown: a summary. trace: a timeline for ui.perfetto.dev, with the waits of each run apart. otlp:
    runs as spans, in OpenTelemetry's JSON lines (extra [otel]).
    """
    from simulator.report import export as written

    place = written(results, to, output)
    if json:
        print_json({"format": to, "path": place})
    else:
        print(place)
