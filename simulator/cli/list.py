"""`simulate list`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.app import Folder, app


@app.command("list")
def list_scenarios(
    scenarios: Folder = Path("scenarios"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the scenarios: name, question, patterns, variants."""
    import json as texts

    from simulator.report import console, scenario_table
    from simulator.scenarios import load

    found = load(scenarios)
    if not json:
        console().print(scenario_table(found))
        return
    said = [
        {
            "name": one.name,
            "question": one.question,
            "patterns": list(one.patterns),
            "variants": list(one.variants),
        }
        for one in found
    ]
    print(texts.dumps(said, indent=2))
