"""`simulate report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.answers import Json, print_json
from simulator.cli.app import app

PAGE = "report.html"


@app.command()
def report(
    results: Annotated[
        Path,
        typer.Argument(metavar="[RESULTS]", help="The results file, as `simulate run` writes it."),
    ] = Path("results/results.duckdb"),
    output: Annotated[
        Path | None,
        typer.Option(help=f"Where to (default: {PAGE} beside the results).", metavar="FILE"),
    ] = None,
    json: Json = False,
) -> None:
    """Write one HTML page about a results file: verdicts, timelines, every run. It needs no network."""
    from simulator.report import write_page

    place = output or page_of(results)
    write_page(results, place)
    if json:
        print_json({"page": place})
    else:
        print(place)


def page_of(results: Path) -> Path:
    """Where the page about a results file is written: beside it, by its name if that is its own."""
    return results.with_name(PAGE if results.stem == "results" else f"{results.stem}.html")
