"""`simulate explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.answers import Json, print_json
from simulator.cli.app import app
from simulator.errors import SimulationError


@app.command()
def explain(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN", help="Id or name of a run, or a flow or deployment that it is one of."
        ),
    ] = None,
    results: Annotated[
        Path, typer.Option(help="The results file, as `simulate run` writes it.", metavar="FILE")
    ] = Path("results/results.duckdb"),
    which: Annotated[
        int, typer.Option(help="Which run of a flow or deployment: 0 the oldest, -1 the newest.")
    ] = -1,
    table: Annotated[
        str | None, typer.Option(help="Explain a table instead, such as marts.orders.")
    ] = None,
    scenario: Annotated[str | None, typer.Option(help="Only of this scenario.")] = None,
    variant: Annotated[str | None, typer.Option(help="Only of this variant.")] = None,
    seed: Annotated[int | None, typer.Option(help="Only with this seed.")] = None,
    json: Json = False,
) -> None:
    """Say why a run ended as it did, started late or never, or why a table is old, from the results
    file alone.
    """
    from dataclasses import asdict

    from simulator import history

    if (run is None) == (table is None):
        raise SimulationError("give either a RUN or --table")
    kept = history.kept_histories(results)
    chosen = history.some_of(kept, results, scenario=scenario, variant=variant, seed=seed)
    refused: list[SimulationError] = []
    said = []
    for (name, one, number), of_one in chosen.items():
        try:
            explanation: history.Explanation | history.TableExplanation
            if table is not None:
                explanation = history.explain_table(of_one, table)
            else:
                explanation = history.explain(of_one, run, which)
        except SimulationError as wrong:
            refused.append(wrong)
            continue
        key = {"scenario": name, "variant": one, "seed": number}
        said.append({**key, **asdict(explanation)})
        if json:
            continue
        print(f"{name} [{one}], seed {number}")
        print("\n".join(f"  {line}" for line in str(explanation).splitlines()))
    if len(refused) == len(chosen):
        raise refused[0]
    if json:
        print_json(said)
